"""Time and memory of a training step: MobileOne by branches, by moments, mmpretrain's, and fused, which is the limit.

    python benchmarks/train_step.py --out FOLDER                            # S0, 16 pictures of 224 px, one thread
    python benchmarks/train_step.py --arch s1 --impls branches auto fused --rounds 3
    python benchmarks/train_step.py --arch s0 --k 8 --device cuda --amp float16 --batch 128
    python benchmarks/train_step.py --blocks --out FOLDER                   # block by block
    python benchmarks/train_step.py --sweep --out FOLDER                    # S0 with 1, 2, 4, 8 branches, S1 to S4

A step is forward, backward and SGD. Each network has a process of its own, so that each peak of memory is its own; the
processes take turns, a round each, while the others sleep. Weights and pictures are random, which changes no time. With
--out a table and all numbers (train_step.md, train_step.json), and with --sweep a plot of S0 (train_step.png).
mmpretrain's MobileOne needs: pip install mmpretrain.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from measured import results_kind, table, write_results
from mobileone_mm import cli
from mobileone_mm.errors import UsageError
from mobileone_mm.models.backbones.block import TRAIN_IMPLS, MobileOneBlock
from mobileone_mm.models.backbones.variants import ARCHITECTURES
from mobileone_mm.outputs import report_text, require_outputs
from timing import Watch, setting, timed
from trained_networks import FUSED, MMPRETRAIN, Task, Trainable, backbone, blocks, stepper
from training_cost_plot import cost_over_branches

WHAT = 'train_step'
FILES = ('train_step.md', 'train_step.json', 'train_step.png')
SWEEP = tuple(('s0', k) for k in (1, 2, 4, 8)) + tuple((arch, None) for arch in ('s1', 's2', 's3', 's4'))
IMPLS = (MMPRETRAIN, *TRAIN_IMPLS, FUSED)
BLOCK_IMPLS = ('branches', 'moments', 'auto')
REFERENCE = MMPRETRAIN
AMP = ('bfloat16', 'float16')
MEBIBYTE = 2**20
SEED = 0


@dataclass(frozen=True)
class Row:
    """What was found out about an implementation: ms of every step that counts, and MiB at the peak of its process."""

    impl: str
    steps: Sequence[float]
    peak: float

    @property
    def median(self) -> float:
        """ms."""
        return statistics.median(self.steps)


def peak_of_this_process(device: str) -> float:
    """MiB: of the GPU's memory that torch took, or of this process."""
    if device == 'cuda':
        return torch.cuda.max_memory_allocated() / MEBIBYTE
    unit = 1 if sys.platform == 'darwin' else 1024  # bytes there, KiB on Linux
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / MEBIBYTE


def work(impl: str, task: Task) -> int:
    """What a process of its own does: for each number on stdin so many steps, and at the end its peak."""
    torch.set_num_threads(task.threads)
    torch.manual_seed(SEED)
    step = stepper(backbone(impl, task), (task.batch, 3, task.side, task.side), task)
    step()  # does not count: it allocates, and may compile
    for line in sys.stdin:
        print(json.dumps(timed(step, int(line))), flush=True)
    print(json.dumps([peak_of_this_process(task.device), time.process_time()]), flush=True)
    return 0


class Worker:
    """A process that trains one implementation when it is told to."""

    def __init__(self, impl: str, task: Task) -> None:
        environment = os.environ | {'OMP_NUM_THREADS': str(task.threads)}
        command = [sys.executable, __file__, '--work', impl, json.dumps(asdict(task))]
        self.impl = impl
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        self.steps: list[float] = []

    def take_turn(self, runs: int) -> None:
        """Train for so many steps while nobody else does."""
        assert self.process.stdin is not None
        print(runs, file=self.process.stdin, flush=True)
        self.steps += self._answer()

    def end(self) -> tuple[Row, float]:
        """What was found, and the seconds of CPU that it took."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        peak, seconds = self._answer()
        self.process.wait()
        return Row(self.impl, self.steps, peak), seconds

    def _answer(self) -> list[float]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise UsageError(f'{self.impl}: its process ended with status {self.process.wait()}; what it said is above')
        found: list[float] = json.loads(line)
        return found


def measure(impls: Sequence[str], task: Task, rounds: int, runs: int) -> tuple[list[Row], dict[str, str]]:
    """The steps of all implementations, in turn, and under what circumstances they were measured."""
    watch = Watch.start()
    workers = [Worker(impl, task) for impl in impls]
    try:
        for worker in cli.progress(workers, 'networks made'):
            worker.take_turn(1)
            worker.steps.clear()  # all of them made and warmed up before the first turn that counts
        for _ in cli.progress(range(rounds), 'rounds'):
            for worker in workers:
                worker.take_turn(runs)
        others, elapsed = watch.others(), time.perf_counter() - watch.wall
        rows, seconds = zip(*(worker.end() for worker in workers), strict=True)
    finally:
        for worker in workers:
            worker.process.kill()
    return list(rows), settings(task, rounds, runs, None if others is None else others - sum(seconds) / elapsed)


def measure_blocks(task: Task, rounds: int, runs: int) -> tuple[list[list[object]], dict[str, str]]:
    """Each block of another shape by itself: a line of name, shapes, k, ms of `BLOCK_IMPLS` and fused, and ratios."""
    torch.set_num_threads(task.threads)
    torch.manual_seed(SEED)
    watch = Watch.start()
    lines: list[list[object]] = []
    for name, shape, options in cli.progress(blocks(task), 'blocks'):
        steps = {
            impl: stepper(MobileOneBlock(**options, train_impl=impl), shape, task, inner=shape[1] != 3)
            for impl in BLOCK_IMPLS
        }
        steps[FUSED] = stepper(Trainable(MobileOneBlock(**options, deploy=True)), shape, task, inner=shape[1] != 3)
        spent: dict[str, list[float]] = {impl: [] for impl in steps}
        for step in steps.values():
            step()
        for _ in range(rounds):
            for impl, step in steps.items():
                spent[impl] += timed(step, runs)
        medians = {impl: statistics.median(times) for impl, times in spent.items()}
        words = [f'{medians[impl]:.2f}' for impl in steps]
        size = ' x '.join(map(str, shape[1:]))
        ratios = [f'{medians[impl] / medians["branches"]:.2f}' for impl in BLOCK_IMPLS[1:]]
        lines.append([name, size, options['out_channels'], options['num_conv_branches'], *words, *ratios])
    return lines, settings(task, rounds, runs, watch.others())


Case = tuple[str, int | None, Sequence[Row]]


def sweep(impls: Sequence[str], task: Task, rounds: int, runs: int) -> tuple[list[Case], dict[str, str]]:
    """The networks of `SWEEP`, one after the other: arch, k or None for the published, and what was measured."""
    cases, words, busiest = [], {}, ''
    for arch, k in SWEEP:
        cli.say(name_of(arch, k))
        rows, words = measure(impls, replace(task, arch=arch, k=k), rounds, runs)
        cases.append((arch, k, rows))
        busiest = max(busiest, words.get('other processes', ''))
    return cases, words | {'network': 'as named', **({'other processes': f'up to {busiest}'} if busiest else {})}


def name_of(arch: str, k: int | None) -> str:
    """Of a network."""
    return f'MobileOne-{arch.upper()}' + ('' if k is None else f', k = {k}')


def table_of_sweep(cases: Sequence[Case]) -> str:
    """A line for each network: step and peak of each implementation, and ratios to mmpretrain's, or to the first."""
    impls = [row.impl for row in cases[0][2]]
    lines = []
    for arch, k, rows in cases:
        reference = _reference(rows)
        steps = [f'{row.median:.0f} ({row.median / reference.median:.2f})' for row in rows]
        peaks = [f'{row.peak:.0f} ({row.peak / reference.peak:.2f})' for row in rows]
        lines.append([name_of(arch, k), *steps, *peaks])
    return table(['', *(f'{impl}, ms' for impl in impls), *(f'{impl}, MiB' for impl in impls)], lines)


def plot_of_sweep(cases: Sequence[Case]) -> bytes:
    """S0 over k, as PNG."""
    panels: dict[str, dict[str, list[tuple[float, float]]]] = {'step, ms': {}, 'peak of the process, MiB': {}}
    for _, k, rows in (case for case in cases if case[1] is not None):
        assert k is not None
        for row in rows:
            for title, cost in zip(panels, (row.median, row.peak), strict=True):
                panels[title].setdefault(row.impl, []).append((k, cost))
    return cost_over_branches(panels)


def _reference(rows: Sequence[Row]) -> Row:
    return next((row for row in rows if row.impl == REFERENCE), rows[0])


def settings(task: Task, rounds: int, runs: int, others: float | None) -> dict[str, str]:
    """What the times depend on, in words."""
    layout = 'channels last' if task.channels_last else 'contiguous'
    return setting(rounds, runs, None if others is None else max(0.0, others), task.side) | {
        'network': name_of(task.arch, task.k),
        'threads': str(task.threads),
        'device': torch.cuda.get_device_name() if task.device == 'cuda' else 'CPU',
        'input': f'{task.batch} x 3 x {task.side} x {task.side}, {task.amp or "float32"}, {layout}',
        'compiled': 'torch.compile' if task.compiled else 'no',
        'runs': f'{rounds} rounds of {runs} steps in turn, after steps that do not count',
        'times': 'ms of forward, backward and SGD: median (fastest)',
    }


def table_of(rows: Sequence[Row]) -> str:
    """Median, fastest and peak of each implementation, and ratios to mmpretrain's, or to the first."""
    reference = _reference(rows)
    lines = [
        [
            row.impl,
            f'{row.median:.1f} ({min(row.steps):.1f})',
            f'{row.median / reference.median:.2f}',
            f'{row.peak:.0f}',
            f'{row.peak / reference.peak:.2f}',
        ]
        for row in rows
    ]
    return table(['', 'step, ms', 'ratio', 'peak, MiB', 'ratio'], lines)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, write; returns the exit status."""
    args = _parser().parse_args(argv)
    if args.work:
        impl, task = args.work
        return work(impl, Task(**json.loads(task)))
    if args.device == 'cuda' and not torch.cuda.is_available():
        raise UsageError('--device cuda: torch finds no GPU here; leave it out')
    task = Task(
        args.arch, args.k, args.batch, args.side, args.device, args.amp, args.channels_last, args.compile, args.threads
    )
    require_outputs([(args.out, results_kind(WHAT, FILES))], [])
    report: dict[str, Any]
    plot: dict[str, bytes] = {}
    if args.sweep:
        cases, words = sweep(args.impls, task, args.rounds, args.runs)
        names = ('arch', 'k', 'networks')
        report = {
            'sweep': [
                dict(zip(names, (arch, k, [asdict(row) for row in rows]), strict=True)) for arch, k, rows in cases
            ]
        }
        found, plot = table_of_sweep(cases), {FILES[2]: plot_of_sweep(cases)}
    elif args.blocks:
        lines, words = measure_blocks(task, args.rounds, args.runs)
        ratios = [f'{impl} / branches' for impl in BLOCK_IMPLS[1:]]
        head = ['block', 'input', 'out', 'k', *BLOCK_IMPLS, FUSED, *ratios]
        found, report = table(head, lines), {'blocks': [dict(zip(head, line, strict=True)) for line in lines]}
    else:
        rows, words = measure(args.impls, task, args.rounds, args.runs)
        found, report = table_of(rows), {'networks': [asdict(row) for row in rows]}
    text = f'{table(["setting", ""], words.items())}\n\n{found}'
    cli.result(text)
    if args.out:
        report = {'settings': words, **report}
        files = dict(zip(FILES[:2], (f'{text}\n'.encode(), report_text(report).encode()), strict=True))
        write_results(args.out, WHAT, files | plot)
        cli.say(f'written: {args.out}')
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--arch', choices=ARCHITECTURES, default='s0')
    parser.add_argument('--k', type=int, help='branches of each block but the stem (those of --arch)')
    parser.add_argument('--impls', nargs='+', choices=IMPLS, default=IMPLS, help='what is trained (all)')
    parser.add_argument('--blocks', action='store_true', help='time block by block instead of whole networks')
    parser.add_argument('--sweep', action='store_true', help='S0 with 1, 2, 4 and 8 branches, S1 to S4, and a plot')
    parser.add_argument('--batch', type=int, default=16, help='pictures in a step (16)')
    parser.add_argument('--side', type=int, default=224, help='of a picture, in px (224)')
    parser.add_argument('--device', choices=('cpu', 'cuda'), default='cpu')
    parser.add_argument('--amp', choices=AMP, help='train in mixed precision')
    parser.add_argument('--channels-last', action='store_true')
    parser.add_argument('--compile', action='store_true', help='the whole network, by torch.compile')
    parser.add_argument('--threads', type=int, default=1, help='of the CPU (1)')
    parser.add_argument('--rounds', type=int, default=5, help='turns that each network gets (5)')
    parser.add_argument('--runs', type=int, default=3, help='steps in a turn (3)')
    parser.add_argument('--out', type=Path, metavar='DIR', help=f'folder for {", ".join(FILES)}')
    parser.add_argument('--work', nargs=2, help=argparse.SUPPRESS)
    return parser


if __name__ == '__main__':
    raise SystemExit(cli.run(main))
