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
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from importlib.util import find_spec
from itertools import groupby, pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import nn

from measured import results_kind, table, write_results
from mobileone_mm import cli
from mobileone_mm.errors import UsageError
from mobileone_mm.outputs import report_text, require_outputs
from timing import (
    CORE_ML,
    ONNX_RUNTIME,
    Engine,
    Times,
    Watch,
    engines,
    interleaved,
    macs,
    parameters,
    setting,
    timing_options,
)

WHAT = 'latency'
FILES = ('latency.md', 'latency.png', 'latency.json')
MILLION = 1e6
SEED = 0
# In the plot: where a name may stand beside its point, alignment and shift in points, the best first; how large what it
# shall not cover is, in px; and how many of the pieces of lines it may cover before the next place is better.
LABEL_PLACES = [
    (side, (sign * right, up))
    for right, up in ((9, 0), (9, 9), (9, -9), (4, 13), (4, -13), (9, 19), (9, -19), (9, 29), (9, -29))
    for side, sign in (('left', 1), ('right', -1))
]
SPOT = 8
STEPS = 40
FARTHER = 0.5


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
PAPERS_CORRELATIONS = {
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
    text = '\n\n'.join(_sections(rows, settings))
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
    facts, samplers = {}, {}
    for name in cli.progress(names, 'networks made'):
        network = NETWORKS[name].build()
        facts[name] = {'parameters': parameters(network), 'macs': macs(network)}
        samplers |= {(name, engine): start(network) for engine, start in by_name.items()}
    watch = Watch.start()
    times = interleaved(samplers, rounds, runs)
    settings = setting(rounds, runs, watch.others())
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


def correlations(rows: Sequence[Row]) -> dict[str, dict[str, tuple[float, float]]]:
    """Spearman's rank correlation of each engine's fastest times with other columns, and its p-value.

    Empty below three networks, which have no p-value.
    """
    from scipy.stats import spearmanr

    if len(rows) < 3:
        return {}
    columns = {
        'MACs': [row.macs for row in rows],
        'parameters': [row.parameters for row in rows],
        "paper's phone": [row.phone for row in rows],
    }
    found: dict[str, dict[str, tuple[float, float]]] = {}
    for engine in rows[0].times:
        times = [row.times[engine].fastest for row in rows]
        results = {name: spearmanr(times, values) for name, values in columns.items()}
        found[engine] = {name: (float(result.statistic), float(result.pvalue)) for name, result in results.items()}
    return found


def plot(rows: Sequence[Row]) -> bytes:
    """A PNG file: the paper's accuracy against the times measured here, and against those on the paper's phone."""
    import matplotlib as mpl

    mpl.use('Agg')
    from matplotlib import pyplot

    engine = CORE_ML if CORE_ML in rows[0].times else ONNX_RUNTIME
    here = 'Core ML on this Mac' if engine == CORE_ML else f'{engine} on a CPU, one thread'
    panels = {
        f'measured: {here}': [row.times[engine].fastest for row in rows],
        'in the paper: Core ML on an iPhone 12': [row.phone for row in rows],
    }
    figure, axes = pyplot.subplots(1, len(panels), figsize=(13, 6), sharey=True, layout='constrained')
    for axis, (title, times) in zip(axes, panels.items(), strict=True):
        axis.set(title=title, xscale='log', xlabel='latency of a picture of 224 x 224 px, ms (logarithmic)')
        axis.xaxis.set_major_formatter('{x:g}')
        axis.xaxis.set_minor_formatter('')
        _set_ticks(axis, times)
        axis.grid(alpha=0.3)
        families = groupby(zip(rows, times, strict=True), key=lambda pair: _family(pair[0].name))
        for family, pairs in families:
            members = list(pairs)
            ours = family == 'MobileOne'
            axis.plot(
                [time for _, time in members],
                [row.top1 for row, _ in members],
                marker='o',
                linewidth=2.5 if ours else 1,
                color='black' if ours else None,
                zorder=3 if ours else 2,
            )
        axis.margins(x=0.2, y=0.08)
    axes[0].set_ylabel("top-1 on ImageNet, % (the paper's)")
    figure.canvas.draw()  # places are known only then
    for axis in axes:
        _label(axis, [row.name for row in rows])
    file = io.BytesIO()
    figure.savefig(file, format='png', dpi=100)
    pyplot.close(figure)
    return file.getvalue()


def _family(name: str) -> str:
    return name.rpartition('-')[0]


def _set_ticks(axis: Any, times: Sequence[float]) -> None:
    """At 1, 2 and 5 of every power of ten in reach."""
    ticks = [step * 10.0**power for power in range(-3, 5) for step in (1, 2, 5)]
    axis.set_xticks([tick for tick in ticks if min(times) / 2 <= tick <= 2 * max(times)])


def _label(axis: Any, names: Sequence[str]) -> None:
    """Write names beside the points of an axis.lines, each where it covers the least and is not far off."""
    from matplotlib.patheffects import withStroke

    renderer = axis.figure.canvas.get_renderer()
    places = [axis.transData.transform(line.get_xydata()) for line in axis.lines]
    kept_free = [_around(place) for line in places for place in line]
    drawn = [
        _around(start + (end - start) * step / STEPS)
        for line in places
        for start, end in pairwise(line)
        for step in range(STEPS)
    ]
    points = [(line.get_color(), point) for line in axis.lines for point in line.get_xydata()]
    for name, (colour, point) in zip(names, points, strict=True):
        texts = [
            axis.annotate(
                name, point, shift, textcoords='offset points', ha=side, va='center', fontsize=9, zorder=4, color=colour
            )
            for side, shift in LABEL_PLACES
        ]
        boxes = [text.get_window_extent(renderer) for text in texts]
        costs = [
            (
                not (axis.bbox.x0 <= box.x0 and box.x1 <= axis.bbox.x1),
                sum(box.overlaps(one) for one in kept_free),
                sum(box.overlaps(one) for one in drawn) + FARTHER * rank,
            )
            for rank, box in enumerate(boxes)
        ]
        best = costs.index(min(costs))
        for text in texts[:best] + texts[best + 1 :]:
            text.remove()
        texts[best].set_path_effects([withStroke(linewidth=2.5, foreground='white')])
        kept_free.append(boxes[best])


def _around(place: Any) -> Any:
    from matplotlib.transforms import Bbox

    return Bbox.from_bounds(place[0] - SPOT / 2, place[1] - SPOT / 2, SPOT, SPOT)


def _sections(rows: Sequence[Row], settings: Mapping[str, str]) -> list[str]:
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
        every = {**found, **PAPERS_CORRELATIONS}
        cells = [[name, *(_correlation(row.get(column)) for column in columns)] for name, row in every.items()]
        sections.append(table(['rank correlation (p) of latency with', *columns], cells))
    return sections


def _correlation(found: tuple[float, float] | None) -> str | None:
    return None if found is None else f'{found[0]:.2f} ({found[1]:.2g})'


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
