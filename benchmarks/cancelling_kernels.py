"""What float32 keeps of a block's output where its kernels cancel most of what they see: branches and moments.

    python benchmarks/cancelling_kernels.py

Relative errors against float64, of a pointwise block with kernels (1, -1) whose two channels share a signal, and of a
depthwise block with a Laplacian on smooth maps: docs/training-cost.md.
"""

import argparse
import copy
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from measured import table
from mobileone_mm import cli
from mobileone_mm.models.backbones.block import MobileOneBlock

SHARED = (10.0, 100.0, 1_000.0, 10_000.0)  # times what the kernel leaves
LAPLACIAN = ((0.0, 1.0, 0.0), (1.0, -4.0, 1.0), (0.0, 1.0, 0.0))
CHANNELS, SIDE, BLUR = 4, 64, 9  # px


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; returns the exit status."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args(argv)
    torch.manual_seed(0)
    lines = [
        [name, *(f'{error(block, x, impl):.1e}' for impl in ('branches', 'moments'))] for name, block, x in cases()
    ]
    cli.result(table(['relative error of the output', 'branches', 'moments'], lines))
    return 0


def cases() -> Iterator[tuple[str, MobileOneBlock, Tensor]]:
    """What is measured: a name, a block by branches in float64, and its input."""
    for size in SHARED:
        block = _block(torch.tensor([1.0, -1.0]).reshape(1, 2, 1, 1), 2, 2)
        shared, own = torch.randn(8, 1, 32, 32, dtype=torch.float64), torch.randn(8, 2, 32, 32, dtype=torch.float64)
        yield f'pointwise, a shared signal of {size:,.0f} times the rest', block, size * shared + own
    x = torch.randn(8, CHANNELS, SIDE + 2 * BLUR, SIDE + 2 * BLUR, dtype=torch.float64)
    for _ in range(3):
        x = functional.avg_pool2d(x, BLUR, 1, BLUR // 2)
    x = x[..., BLUR:-BLUR, BLUR:-BLUR]
    window = torch.hann_window(SIDE, periodic=False, dtype=torch.float64)  # no step at the edge
    yield (
        'depthwise, a Laplacian on smooth maps',
        _block(torch.tensor([[LAPLACIAN]]), CHANNELS, 4),
        (x / x.std() * window * window[:, None]),
    )


def error(block: MobileOneBlock, x: Tensor, impl: str) -> float:
    """Of the output in float32 against float64."""
    with torch.no_grad():
        expected = copy.deepcopy(block)(x)
        other = copy.deepcopy(block).float()
        other.train_impl = impl
        return float((other(x.float()).double() - expected).norm() / expected.norm())


def _block(kernel: Tensor, channels: int, k: int) -> MobileOneBlock:
    groups = channels // kernel.shape[1]
    block = MobileOneBlock(
        channels, channels, kernel.shape[-1], groups=groups, num_conv_branches=k, use_scale=False, act_cfg=None
    ).double()
    for branch in block.rbr_conv:
        branch.conv.weight.data.copy_(kernel)
    return block


if __name__ == '__main__':
    raise SystemExit(cli.run(main))
