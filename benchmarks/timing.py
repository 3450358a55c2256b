"""How long networks take for one picture: several engines, one thread, interleaved.

As the MobileOne paper measures on its phone: the model is loaded and its input made beforehand, a first run does not
count, and of many runs the fastest is reported. Beside it stands the median. What goes beyond that: all models take
turns, a round each, so that a machine that slows down slows all of them.
"""

import argparse
import asyncio
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from mobileone_mm import cli
from mobileone_mm.artifact.card import IMAGE
from mobileone_mm.errors import UsageError
from mobileone_mm.tasks.task import Graph
from mobileone_mm.threads import one_thread

SIDE = 224  # px
THREADS = 1
ONNX_RUNTIME, TORCH, CORE_ML = 'ONNX Runtime', 'torch', 'Core ML'
ROUNDS, RUNS = 30, 5
MILLISECONDS = 1e3
PROC_STAT = Path('/proc/stat')
WAITING = (3, 4)  # columns of the CPU's line in /proc/stat: idle, and waiting for a disk
PACKAGES = ('torch', 'torchvision', 'timm', 'onnxruntime', 'coremltools')

Key = TypeVar('Key')
Sampler = Callable[[int], Sequence[float]]  # ms of so many runs, after one that does not count
Engine = Callable[[nn.Module], Sampler]


@dataclass(frozen=True)
class Times:
    """Of all runs, in ms."""

    fastest: float
    median: float

    def __str__(self) -> str:
        return f'{self.fastest:.2f} ({self.median:.2f})'


class Whole(Graph):
    """A network from picture to its first output, as the exporters take it."""

    outputs = ('logits',)

    def __init__(self, network: nn.Module, side: int) -> None:
        super().__init__()
        self.network = network
        self.size = (side, side)

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        return (self.network(image),)


def in_onnx_runtime(network: nn.Module, side: int = SIDE) -> Sampler:
    """Times a network in ONNX Runtime, exported as every model of this project is; it folds BatchNorm itself."""
    import onnxruntime

    from mobileone_mm.targets.onnx.convert import to_onnx

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = THREADS
    options.log_severity_level = 3
    model = to_onnx(Whole(network, side), 'network').SerializeToString()
    session = onnxruntime.InferenceSession(model, options, providers=['CPUExecutionProvider'])
    inputs = {IMAGE: _picture(side)}
    return partial(_warmed_up, lambda: session.run(None, inputs))


def in_torch(network: nn.Module, side: int = SIDE) -> Sampler:
    """Times a network in torch, module by module as it stands: what is not fused keeps its BatchNorm."""
    network.eval()
    image = torch.from_numpy(_picture(side))

    @torch.inference_mode()
    def sample(runs: int) -> Sequence[float]:
        with one_thread():
            return _warmed_up(lambda: network(image), runs)

    return sample


def in_core_ml(network: nn.Module, side: int = SIDE, *, folder: Path) -> Sampler:
    """Times a network in Core ML on this Mac, on whatever units Core ML chooses, in float16.

    Args:
        network: (1, 3, side, side) in, one tensor out.
        side: of the picture, in px.
        folder: holds the model for as long as it is timed.
    """
    from PIL import Image

    benchmarker = core_ml_benchmarker(network, side, folder)
    inputs = {IMAGE: Image.fromarray(np.random.default_rng(0).integers(0, 256, (side, side, 3), np.uint8))}

    def sample(runs: int) -> Sequence[float]:
        measured = asyncio.run(benchmarker.benchmark_predict(inputs=inputs, iterations=runs, warmup=True))
        samples: Sequence[float] = measured.samples
        return samples

    return sample


def core_ml_benchmarker(network: nn.Module, side: int, folder: Path) -> Any:
    """coremltools' `MLModelBenchmarker` of a network, which loads the model when it first predicts."""
    from mobileone_mm.targets.coreml.convert import to_program
    from mobileone_mm.targets.coreml.library import coremltools
    from mobileone_mm.targets.coreml.options import CoreMLOptions

    ct = coremltools()
    from coremltools.models.ml_program.experimental.perf_utils import MLModelBenchmarker

    outputs = {'outputs': [ct.TensorType(name='logits', dtype=np.float32)]}
    own = Path(mkdtemp(dir=folder))
    return MLModelBenchmarker(to_program(Whole(network, side), outputs, CoreMLOptions(), own)[0])


def engines(folder: Path, coreml: bool) -> dict[str, Engine]:
    """What networks are timed in.

    Args:
        folder: for files that are needed meanwhile.
        coreml: Core ML too.

    Raises:
        UsageError: Core ML is asked for, and this is no Mac.
    """
    if coreml and sys.platform != 'darwin':
        raise UsageError(f'--coreml: Core ML runs on macOS 14.4 or newer only, this is {sys.platform}; leave it out')
    found: dict[str, Engine] = {ONNX_RUNTIME: in_onnx_runtime, TORCH: in_torch}
    return found | ({CORE_ML: partial(in_core_ml, folder=folder)} if coreml else {})


def timing_options(parser: argparse.ArgumentParser, files: Sequence[str]) -> None:
    """What all benchmarks of times are asked alike."""
    turn_options(parser)
    parser.add_argument('--out', type=Path, metavar='DIR', help=f'folder for {", ".join(files)}')
    parser.add_argument('--coreml', action='store_true', help='measure Core ML too (on a Mac)')


def turn_options(parser: argparse.ArgumentParser) -> None:
    """How often networks are timed."""
    parser.add_argument('--rounds', type=_count, default=ROUNDS, help=f'turns that each network gets ({ROUNDS})')
    parser.add_argument('--runs', type=_count, default=RUNS, help=f'in a turn, after one that does not count ({RUNS})')


def _count(word: str) -> int:
    number = int(word)
    if number < 1:
        raise argparse.ArgumentTypeError(f'{word} given, expected a whole number from 1')
    return number


def interleaved(samplers: Mapping[Key, Sampler], rounds: int, runs: int) -> dict[Key, Times]:
    """The times of all samplers, which take turns: in each round, each of them `runs` times."""
    spent: dict[Key, list[float]] = {key: [] for key in samplers}
    for _ in cli.progress(range(rounds), 'rounds'):
        for key, sample in samplers.items():
            spent[key] += sample(runs)
    return {key: Times(min(values), statistics.median(values)) for key, values in spent.items()}


def parameters(network: nn.Module) -> int:
    """How many parameters a network has, in the form that it is in."""
    return sum(parameter.numel() for parameter in network.parameters())


def macs(network: nn.Module, side: int = SIDE) -> int:
    """Multiply-accumulates of the convolutions and matrix products for a picture: what the paper calls FLOPs."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network.eval()(torch.zeros(1, 3, side, side))
    return int(counter.get_total_flops()) // 2


@dataclass(frozen=True)
class Watch:
    """Sees, on Linux, how much of the processors others take from now on."""

    wall: float
    own: float
    busy: float | None

    @classmethod
    def start(cls) -> 'Watch':
        """Begin to watch."""
        return cls(time.perf_counter(), time.process_time(), _busy())

    def others(self) -> float | None:
        """How many cores other processes kept busy, on average; None where the system does not say."""
        busy = _busy()
        if busy is None or self.busy is None:
            return None
        taken = busy - self.busy - (time.process_time() - self.own)
        return max(0.0, taken) / (time.perf_counter() - self.wall)


def setting(rounds: int, runs: int, others: float | None, side: int = SIDE) -> dict[str, str]:
    """What a measurement depends on, in words."""
    turns, do = '1 round' if rounds == 1 else f'{rounds} rounds', 'does' if runs == 1 else 'do'
    words = {
        'processor': f'{_processor()}, {os.cpu_count()} cores, {platform.system()} {platform.machine()}',
        'threads': str(THREADS),
        'input': f'1 x 3 x {side} x {side}, float32',
        'runs': f'{turns}, in each 1 that does not count and {runs} that {do}, models in turn',
        'times': 'ms: fastest (median)',
        'versions': ', '.join([f'Python {platform.python_version()}', *_versions(PACKAGES)]),
    }
    return words | ({} if others is None else {'other processes': f'{others:.2f} cores, on average'})


def watched(samplers: Mapping[Key, Sampler], rounds: int, runs: int) -> tuple[dict[Key, Times], dict[str, str]]:
    """The times that `interleaved` gives, and what they depend on, with what others took of the processors."""
    watch = Watch.start()
    times = interleaved(samplers, rounds, runs)
    return times, setting(rounds, runs, watch.others())


def _warmed_up(call: Callable[[], object], runs: int) -> Sequence[float]:
    call()
    return timed(call, runs)


def timed(call: Callable[[], object], runs: int) -> list[float]:
    """ms of so many calls."""
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        call()
        times.append(MILLISECONDS * (time.perf_counter() - start))
    return times


def _picture(side: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((1, 3, side, side), np.float32)


def _busy() -> float | None:
    """Seconds that the processors have worked since the system started."""
    try:
        ticks = [int(word) for word in PROC_STAT.read_text().splitlines()[0].split()[1:9]]
    except OSError:
        return None
    return (sum(ticks) - sum(ticks[column] for column in WAITING)) / os.sysconf('SC_CLK_TCK')


def _processor() -> str:
    if sys.platform == 'darwin':
        command = ['sysctl', '-n', 'machdep.cpu.brand_string']
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    try:
        lines = Path('/proc/cpuinfo').read_text().splitlines()
    except OSError:
        lines = []
    return next((line.partition(': ')[2] for line in lines if line.startswith('model name')), platform.processor())


def _versions(packages: Iterable[str]) -> Iterable[str]:
    for package in packages:
        try:
            yield f'{package} {version(package)}'
        except PackageNotFoundError:
            continue
