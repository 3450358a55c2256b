"""What activations, squeeze-excite and skip connections cost in time: the paper's tables 2 and 3, on this machine.

    python benchmarks/bottlenecks.py --out FOLDER
    python benchmarks/bottlenecks.py --coreml --out FOLDER        # on a Mac: Core ML as well

A network of 30 convolutions, each followed by the activation in question, for a picture of 224 x 224 px, with random
weights, beside the paper's times on a phone; with --out also bottlenecks.md and bottlenecks.json. How wide the paper's
30 layers are is assumed (`CHANNELS`): ratios to ReLU can be set beside the paper's, milliseconds cannot.
"""

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import Tensor, nn

from measured import results_kind, table, write_results
from mobileone_mm import cli
from mobileone_mm.models.backbones.squeeze_excite import SqueezeExcite
from mobileone_mm.outputs import report_text, require_outputs
from timing import Engine, Times, engines, macs, parameters, timing_options, watched

WHAT = 'bottlenecks'
FILES = ('bottlenecks.md', 'bottlenecks.json')
CHANNELS = (16, 32, 64, 128, 256)  # of five stages at strides 2 to 32; assumed
DEPTH = 6  # convolutions in a stage: 30 in all
CLASSES = 1000
SQUEEZE = 4  # C is squeezed to C / 4, in gates and in squeeze-excite
MILLION = 1e6
SEED = 0


class Coefficients(nn.Module):
    """What dynamic activations compute their coefficients from the picture by: mean, two layers, -1..1.

    (N, C, H, W) -> (N, outputs), 2 sigmoid(.) - 1.
    """

    def __init__(self, channels: int, outputs: int) -> None:
        super().__init__()
        self.reduce = nn.Linear(channels, channels // SQUEEZE)
        self.expand = nn.Linear(channels // SQUEEZE, outputs)

    def forward(self, x: Tensor) -> Tensor:
        return 2 * torch.sigmoid(self.expand(torch.relu(self.reduce(x.mean((2, 3)))))) - 1


class DynamicReLU(nn.Module):
    """The larger of two lines whose slopes and intercepts depend on the picture.

    y_c = max_k (a_c^k x_c + b_c^k), k = 1, 2, with a^1 = 1 + d, a^2 = d, b = d / 2, where d are coefficients in -1..1:
    at d = 0 it is ReLU. Version A has one set of four for all channels, B one for each channel.

    Source: Chen et al., Dynamic ReLU (arXiv 2003.10027).

    Args:
        channels: C.
        per_channel: version B.
    """

    def __init__(self, channels: int, per_channel: bool) -> None:
        super().__init__()
        self.sets = channels if per_channel else 1
        self.coefficients = Coefficients(channels, 4 * self.sets)

    def forward(self, x: Tensor) -> Tensor:
        found = self.coefficients(x).reshape(x.shape[0], 4, self.sets, 1, 1)
        one = x * (1 + found[:, 0]) + found[:, 1] / 2
        other = x * found[:, 2] + found[:, 3] / 2
        return torch.maximum(one, other)


class DynamicShiftMax(nn.Module):
    """The larger of two mixtures of a channel and the one half of all channels further on.

    y_c = max_k (a_c^k x_c + b_c^k x_(c + C/2 mod C)), k = 1, 2, with a^1 = 1 + d and all others d, where d are
    coefficients in -1..1 that depend on the picture: at d = 0 it is ReLU. That is J = K = 2 with two groups.

    Source: Li et al., MicroNet (arXiv 2108.05894).
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.shift = channels // 2
        self.coefficients = Coefficients(channels, 4 * channels)

    def forward(self, x: Tensor) -> Tensor:
        found = self.coefficients(x).reshape(x.shape[0], 4, x.shape[1], 1, 1)
        shifted = torch.cat((x[:, self.shift :], x[:, : self.shift]), dim=1)
        one = x * (1 + found[:, 0]) + shifted * found[:, 1]
        other = x * found[:, 2] + shifted * found[:, 3]
        return torch.maximum(one, other)


class Layer(nn.Module):
    """A 3x3 convolution, fused with its BatchNorm; a skip connection; an activation."""

    def __init__(self, in_channels: int, channels: int, stride: int, activation: nn.Module, skip: bool) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, channels, 3, stride, padding=1)
        self.activation = activation
        self.skip = skip and stride == 1 and in_channels == channels

    def forward(self, x: Tensor) -> Tensor:
        out = self.conv(x)
        activated: Tensor = self.activation(out + x if self.skip else out)
        return activated


def network(activation: Callable[[int], nn.Module], skip: bool = False) -> nn.Sequential:
    """The network of 30 layers, mean and classifier: (N, 3, H, W) -> (N, 1000).

    Args:
        activation: makes one for so many channels.
        skip: whether layers that keep the shape have a skip connection.
    """
    layers: list[nn.Module] = []
    before = 3
    for channels in CHANNELS:
        for index in range(DEPTH):
            layers.append(Layer(before, channels, 1 if index else 2, activation(channels), skip))
            before = channels
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(before, CLASSES))


def relu(_channels: int) -> nn.Module:
    """As the others are made, by the number of channels."""
    return nn.ReLU()


def squeeze_excite_relu(channels: int) -> nn.Module:
    """Squeeze-excite before the activation, as in MobileOne's own blocks."""
    return nn.Sequential(SqueezeExcite(channels, ratio=SQUEEZE), nn.ReLU())


@dataclass(frozen=True)
class Case:
    """A line of the table: what the network is made with, and the paper's ms on an iPhone 12, where known."""

    activation: Callable[[int], nn.Module]
    skip: bool = False
    phone: float | None = None


# Milliseconds: table 2 of the paper. Those of table 3, which adds squeeze-excite or skip connections to ReLU, were not
# at hand; squeeze-excite alone is what table 2 has as SE-ReLU.
CASES = {
    'ReLU': Case(relu, phone=1.53),
    'GELU': Case(lambda _: nn.GELU(), phone=1.63),
    'SE-ReLU': Case(squeeze_excite_relu, phone=2.10),
    'SiLU': Case(lambda _: nn.SiLU(), phone=2.54),
    'Dynamic Shift-Max': Case(DynamicShiftMax, phone=57.04),
    'DynamicReLU-A': Case(lambda channels: DynamicReLU(channels, per_channel=False), phone=273.49),
    'DynamicReLU-B': Case(lambda channels: DynamicReLU(channels, per_channel=True), phone=242.14),
    'ReLU with skips': Case(relu, skip=True),
    'SE-ReLU with skips': Case(squeeze_excite_relu, skip=True),
}
REFERENCE = 'ReLU'


@dataclass(frozen=True)
class Row:
    """What was found out about a case."""

    name: str
    parameters: int
    macs: int
    phone: float | None
    times: Mapping[str, Times]  # by engine


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, write; returns the exit status."""
    args = _parser().parse_args(argv)
    require_outputs([(args.out, results_kind(WHAT, FILES))], [])
    with TemporaryDirectory() as folder:
        rows, settings = measure(engines(Path(folder), args.coreml), args.rounds, args.runs)
    text = f'{table(["setting", ""], settings.items())}\n\n{table_of(rows)}'
    cli.result(text)
    if args.out:
        report = {'settings': settings, 'cases': [asdict(row) for row in rows]}
        files = dict(zip(FILES, (f'{text}\n'.encode(), report_text(report).encode()), strict=True))
        write_results(args.out, WHAT, files)
        cli.say(f'written: {args.out}')
    return 0


def measure(by_name: Mapping[str, Engine], rounds: int, runs: int) -> tuple[list[Row], dict[str, str]]:
    """Time all cases; what was found, and under what circumstances."""
    torch.manual_seed(SEED)
    made = {name: network(case.activation, case.skip).eval() for name, case in CASES.items()}
    samplers = {
        (name, engine): start(made[name])
        for name in cli.progress(list(CASES), 'networks made')
        for engine, start in by_name.items()
    }
    times, settings = watched(samplers, rounds, runs)
    rows = [
        Row(
            name,
            parameters(made[name]),
            macs(made[name]),
            case.phone,
            {engine: times[name, engine] for engine in by_name},
        )
        for name, case in CASES.items()
    ]
    return rows, settings


def table_of(rows: Sequence[Row]) -> str:
    """Times of all engines and of the paper's phone, each beside its ratio to ReLU's fastest."""
    by_engine = list(rows[0].times)
    reference = next(row for row in rows if row.name == REFERENCE)
    head = ['', 'parameters, M', 'MACs, M', *(word for engine in by_engine for word in (f'{engine}, ms', 'ratio'))]
    lines = []
    for row in rows:
        line: list[object] = [row.name, f'{row.parameters / MILLION:.2f}', f'{row.macs / MILLION:.1f}']
        for engine in by_engine:
            line += [row.times[engine], f'{row.times[engine].fastest / reference.times[engine].fastest:.2f}']
        line += [None, None] if row.phone is None else [f'{row.phone:.2f}', f'{row.phone / reference.phone:.2f}']
        lines.append(line)
    return table([*head, "iPhone 12, paper's, ms", 'ratio'], lines)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    timing_options(parser, FILES)
    return parser


if __name__ == '__main__':
    raise SystemExit(cli.run(main))
