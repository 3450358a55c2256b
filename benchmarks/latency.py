"""The paper's accuracy against latency, on this machine: MobileOne beside the networks that the paper compares it with.

    python benchmarks/latency.py --out FOLDER                 # all networks, ONNX Runtime and torch, one thread
    python benchmarks/latency.py --models MobileOne-S0 MobileNetV2-1.0 --rounds 5
    python benchmarks/latency.py --coreml --out FOLDER        # on a Mac: Core ML as well

Parameters, multiply-accumulates and times for a picture of 224 x 224 px; rank correlations of the times with both, as
in table 1 of the paper; with --out a table, a plot and all numbers (latency.md, latency.png, latency.json). Weights do
not matter to the time: they are random. Accuracies are the paper's. Most of the other networks are timm's: pip install
timm.
"""

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import nn

from latency_plot import accuracy_against_latency
from measured import results_kind, table, write_results
from mobileone_mm import cli
from mobileone_mm.errors import UsageError
from mobileone_mm.outputs import report_text, require_outputs
from timing import (
    CORE_ML,
    ONNX_RUNTIME,
    Engine,
    Sampler,
    Times,
    engines,
    macs,
    parameters,
    timing_options,
    watched,
)

WHAT = 'latency'
FILES = ('latency.md', 'latency.png', 'latency.json')
MILLION = 1e6
SEED = 0
FEWEST_FOR_P = 10  # networks: scipy's p-value of a rank correlation is an approximation, and too small for fewer


@dataclass(frozen=True)
class Entry:
    """A network of the paper.

    Attributes:
        build: makes it with random weights, in the form for inference.
        top1: the paper's, on ImageNet, in percent.
        phone: the paper's ms on an iPhone 12.
        package: what `build` needs beside this project's own requirements.
    """

    build: Callable[[], nn.Module]
    top1: float
    phone: float
    package: str | None = None


@dataclass(frozen=True)
class Row:
    """What was found out about a network: a line of the table."""

    name: str
    parameters: int
    macs: int
    top1: float
    phone: float
    times: Mapping[str, Times]  # by engine


def _mobileone(arch: str) -> nn.Module:
    """The shipped classifier in its fused form."""
    from mmengine.config import Config
    from mmengine.registry import MODELS, init_default_scope

    from mobileone_mm import config
    from mobileone_mm.reparam import fuse

    init_default_scope('mmpretrain')
    trained: nn.Module = MODELS.build(Config.fromfile(config(f'mobileone_{arch}_in1k')).model)
    return fuse(trained, inplace=True)


def _timm(name: str) -> nn.Module:
    import timm
    from timm.utils import reparameterize_model

    network: nn.Module = reparameterize_model(timm.create_model(name).eval())  # RepVGG's branches; no other has any
    return network


def _torchvision(name: str) -> nn.Module:
    import torchvision

    network: nn.Module = torchvision.models.get_model(name, weights=None)
    return network.eval()


def _timms(name: str, top1: float, phone: float) -> Entry:
    return Entry(partial(_timm, name), top1, phone, 'timm')


# Accuracies and milliseconds: table 9 of the paper, ResNet-50's table 10 (baseline, without distillation).
NETWORKS = {
    'MobileOne-S0': Entry(partial(_mobileone, 's0'), 71.4, 0.79),
    'MobileOne-S1': Entry(partial(_mobileone, 's1'), 75.9, 0.89),
    'MobileOne-S2': Entry(partial(_mobileone, 's2'), 77.4, 1.18),
    'MobileOne-S3': Entry(partial(_mobileone, 's3'), 78.1, 1.53),
    'MobileOne-S4': Entry(partial(_mobileone, 's4'), 79.4, 1.86),
    'MobileNetV2-1.0': _timms('mobilenetv2_100', 72.0, 0.98),
    'MobileNetV2-1.4': _timms('mobilenetv2_140', 74.7, 1.36),
    'MobileNetV3-S': _timms('mobilenetv3_small_100', 67.4, 0.83),
    'MobileNetV3-L': _timms('mobilenetv3_large_100', 75.2, 1.09),
    'MNASNet-A1': _timms('semnasnet_100', 75.2, 1.00),
    'MixNet-S': _timms('mixnet_s', 75.8, 1.13),
    'EfficientNet-B0': _timms('efficientnet_b0', 77.1, 1.72),
    'MobileViT-XXS': _timms('mobilevit_xxs', 69.0, 4.70),
    'MobileViT-XS': _timms('mobilevit_xs', 74.8, 6.97),
    'MobileViT-S': _timms('mobilevit_s', 78.4, 9.21),
    'RepVGG-A0': _timms('repvgg_a0', 72.4, 1.28),
    'ResNet-50': _timms('resnet50', 79.0, 2.69),
    'ShuffleNetV2-1.0': Entry(partial(_torchvision, 'shufflenet_v2_x1_0'), 69.4, 0.68),
    'ShuffleNetV2-2.0': Entry(partial(_torchvision, 'shufflenet_v2_x2_0'), 74.9, 1.08),
}
# Table 1 of the paper: rank correlation and p-value of latency with FLOPs and with parameters.
PAPERS_CORRELATIONS: Mapping[str, Mapping[str, tuple[float, float | None]]] = {
    "paper's phone": {'MACs': (0.47, 0.03), 'parameters': (0.30, 0.18)},
    "paper's CPU": {'MACs': (0.06, 0.80), 'parameters': (0.07, 0.77)},
}


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, write; returns the exit status."""
    args = _parser().parse_args(argv)
    names = args.models or list(NETWORKS)
    unknown = [name for name in names if name not in NETWORKS]
    if unknown:
        raise UsageError(f'--models: {", ".join(unknown)} given, expected some of {", ".join(NETWORKS)}')
    require_outputs([(args.out, results_kind(WHAT, FILES))], [])
    with TemporaryDirectory() as folder:
        by_name = engines(Path(folder), args.coreml)
        rows, settings = measure(_installed(names), by_name, args.rounds, args.runs)
    text = '\n\n'.join(sections(rows, settings))
    cli.result(text)
    if args.out:
        report = {
            'settings': settings,
            'networks': [asdict(row) for row in rows],
            'rank_correlations': correlations(rows),
        }
        files = dict(zip(FILES, (f'{text}\n'.encode(), plot(rows), report_text(report).encode()), strict=True))
        write_results(args.out, WHAT, files)
        cli.say(f'written: {args.out}')
    return 0


def measure(
    names: Sequence[str], by_name: Mapping[str, Engine], rounds: int, runs: int
) -> tuple[list[Row], dict[str, str]]:
    """Build and time networks; what was found, and under what circumstances."""
    torch.manual_seed(SEED)
    facts: dict[str, dict[str, int]] = {}
    samplers: dict[tuple[str, str], Sampler] = {}
    for name in cli.progress(names, 'networks made'):
        network = NETWORKS[name].build()
        facts[name] = {'parameters': parameters(network), 'macs': macs(network)}
        samplers |= {(name, engine): start(network) for engine, start in by_name.items()}
    times, settings = watched(samplers, rounds, runs)
    rows = [
        Row(
            name,
            **facts[name],
            top1=NETWORKS[name].top1,
            phone=NETWORKS[name].phone,
            times={engine: times[name, engine] for engine in by_name},
        )
        for name in names
    ]
    return rows, settings


def correlations(rows: Sequence[Row]) -> dict[str, dict[str, tuple[float, float | None]]]:
    """Spearman's rank correlation of each engine's fastest times with other columns, and its p-value.

    Empty below three networks; no p-value (None) below ten.
    """
    from scipy.stats import spearmanr

    if len(rows) < 3:
        return {}
    columns = {
        'MACs': [row.macs for row in rows],
        'parameters': [row.parameters for row in rows],
        "paper's phone": [row.phone for row in rows],
    }
    found: dict[str, dict[str, tuple[float, float | None]]] = {}
    for engine in rows[0].times:
        times = [row.times[engine].fastest for row in rows]
        results = {name: spearmanr(times, values) for name, values in columns.items()}
        found[engine] = {
            name: (float(result.statistic), float(result.pvalue) if len(rows) >= FEWEST_FOR_P else None)
            for name, result in results.items()
        }
    return found


def plot(rows: Sequence[Row]) -> bytes:
    """The paper's accuracies against the times measured here, and against those on the paper's phone, as PNG."""
    engine = CORE_ML if CORE_ML in rows[0].times else ONNX_RUNTIME
    where = 'Core ML on this Mac' if engine == CORE_ML else f'{engine} on a CPU, one thread'
    names, accuracies = [row.name for row in rows], [row.top1 for row in rows]
    panels = {
        f'measured: {where}': [row.times[engine].fastest for row in rows],
        'in the paper: Core ML on an iPhone 12': [row.phone for row in rows],
    }
    return accuracy_against_latency(names, accuracies, panels)


def sections(rows: Sequence[Row], settings: Mapping[str, str]) -> list[str]:
    """What is printed: the settings, the table, and rank correlations where there are some."""
    by_engine = list(rows[0].times)
    lines = [
        [
            row.name,
            f'{row.parameters / MILLION:.1f}',
            f'{row.macs / MILLION:.0f}',
            f'{row.top1:.1f}',
            *(row.times[engine] for engine in by_engine),
            f'{row.phone:.2f}',
        ]
        for row in rows
    ]
    head = ['', 'parameters, M', 'MACs, M', "top-1, paper's", *by_engine, "iPhone 12, paper's"]
    sections = [table(['setting', ''], settings.items()), table(head, lines)]
    found = correlations(rows)
    if found:
        columns = list(found[by_engine[0]])
        every: dict[str, Mapping[str, tuple[float, float | None]]] = {**found, **PAPERS_CORRELATIONS}
        cells = [[name, *(_correlation(row.get(column)) for column in columns)] for name, row in every.items()]
        sections.append(table(['rank correlation (p) of latency with', *columns], cells))
    return sections


def _correlation(found: tuple[float, float | None] | None) -> str | None:
    if found is None:
        return None
    coefficient, p = found
    return f'{coefficient:.2f}' if p is None else f'{coefficient:.2f} ({p:.2g})'


def _installed(names: Sequence[str]) -> list[str]:
    """The networks that can be built here; says which cannot.

    Raises:
        UsageError: none can.
    """
    missing = {name: NETWORKS[name].package for name in names if not _is_there(NETWORKS[name].package)}
    if len(missing) == len(names):
        packages = ' '.join(sorted({str(package) for package in missing.values()}))
        raise UsageError(f'{", ".join(missing)}: not installed; pip install {packages}')
    for package in sorted({str(package) for package in missing.values()}):
        left_out = [name for name, needed in missing.items() if needed == package]
        cli.say(f'left out: {", ".join(left_out)}; for them: pip install {package}')
    return [name for name in names if name not in missing]


def _is_there(package: str | None) -> bool:
    return package is None or find_spec(package) is not None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--models', nargs='+', metavar='NAME', help=f'some of {", ".join(NETWORKS)}')
    timing_options(parser, FILES)
    return parser


if __name__ == '__main__':
    raise SystemExit(cli.run(main))
