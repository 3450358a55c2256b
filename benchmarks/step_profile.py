"""Where the time of a training step goes, by torch's operators, and what symmetric products of matrices would save.

    python benchmarks/step_profile.py                    # S0 with 1 and 8 branches by 'auto', 16 pictures of 224 px
    python benchmarks/step_profile.py --k 1 --impl branches
    python benchmarks/step_profile.py --products         # w^T S w and its way back, with and without symmetry

The profiler takes time of its own: the sums are larger than the steps of train_step.py. With --products each line is a
pointwise block of S0: S is symmetric, and so is its gradient, the sum of g w w^T. BLAS can compute such a product in
half the operations (syrk), torch cannot on a CPU, so this asks what it would bring.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import nn
from torch.profiler import ProfilerActivity, profile

from measured import table
from mobileone_mm import cli
from mobileone_mm.models.backbones.block import TRAIN_IMPLS
from mobileone_mm.models.backbones.variants import ARCHITECTURES
from trained_networks import Task, backbone, blocks, stepper

STEPS = 3
SHARE = 1e3 * STEPS  # from us of all steps to ms of one
KINDS = {  # of operators
    'aten::mkldnn_convolution': 'convolutions',
    'aten::convolution_backward': 'gradients of convolutions',
    'aten::bmm': 'products of matrices',
    'aten::mm': 'products of matrices',
    'aten::native_batch_norm': 'norms',
    'aten::native_batch_norm_backward': 'norms',
    'aten::threshold_backward': 'gradients of ReLUs',
}
OTHERS = 'sums, copies and the like'


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; returns the exit status."""
    args = _parser().parse_args(argv)
    torch.set_num_threads(1)
    torch.manual_seed(0)
    task = Task(args.arch, None, args.batch, args.side, 'cpu', None, False, False, 1)
    if args.products:
        cli.result(table(['block', 'pixels', 'S w', 'sum of g w w^T', 'the same by syrk'], products(task, max(args.k))))
        return 0
    tasks = [replace(task, k=k) for k in args.k]
    found = {one.k: operators(backbone(args.impl, one), one) for one in tasks}
    kinds = [*dict.fromkeys(KINDS.values()), OTHERS]
    lines = [[kind, *(f'{spent.get(kind, 0):.0f}' for spent in found.values())] for kind in kinds]
    lines.append(['all', *(f'{sum(spent.values()):.0f}' for spent in found.values())])
    cli.result(table(['ms of a step', *(f'k = {k}' for k in found)], lines))
    return 0


def operators(network: nn.Module, task: Task) -> dict[str, float]:
    """ms of a step by kind of operator."""
    step = stepper(network, (task.batch, 3, task.side, task.side), task)
    step()  # does not count: it allocates
    with profile(activities=[ProfilerActivity.CPU]) as seen:
        for _ in range(STEPS):
            step()
    spent: dict[str, float] = {}
    for event in seen.key_averages():
        kind = KINDS.get(event.key, OTHERS)
        spent[kind] = spent.get(kind, 0.0) + event.self_cpu_time_total / SHARE
    return spent


def products(task: Task, k: int) -> list[list[object]]:
    """A line for each shape of pointwise block: its name, pixels of the batch, ms of three products."""
    from scipy.linalg.blas import ssyrk

    lines: list[list[object]] = []
    for name, (batch, channels, height, width), options in blocks(task):
        if options['kernel_size'] != 1:
            continue
        rows = torch.randn(k * options['out_channels'], channels)
        covariance, scaled = torch.randn(channels, channels), torch.rand(len(rows), 1) * rows
        rooted = np.asfortranarray(scaled.numpy().T)  # as BLAS keeps matrices, so that nothing is copied
        ways: list[Callable[[], object]] = [
            lambda rows=rows, covariance=covariance: rows @ covariance,
            lambda rows=rows, scaled=scaled: scaled.T @ rows,
            lambda rooted=rooted: ssyrk(1.0, rooted),
        ]
        lines.append([name, batch * height * width, *(f'{fastest(way):.2f}' for way in ways)])
    return lines


def fastest(way: Callable[[], object], runs: int = 10) -> float:
    """ms of the fastest of some runs."""
    spent = []
    for _ in range(runs):
        begun = time.perf_counter()
        way()
        spent.append(time.perf_counter() - begun)
    return 1e3 * min(spent)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--arch', choices=ARCHITECTURES, default='s0')
    parser.add_argument('--k', nargs='+', type=int, default=[1, 8], help='branches of each block but the stem (1 8)')
    parser.add_argument('--impl', choices=TRAIN_IMPLS, default='auto', help='what is trained (auto)')
    parser.add_argument('--products', action='store_true', help='products of matrices, for the largest --k')
    parser.add_argument('--batch', type=int, default=16, help='pictures in a step (16)')
    parser.add_argument('--side', type=int, default=224, help='of a picture, in px (224)')
    return parser


if __name__ == '__main__':
    raise SystemExit(cli.run(main))
