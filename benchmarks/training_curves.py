"""Losses of the same training by branches and by moments, step by step, in float32.

    python benchmarks/training_curves.py                          # S0 and S1, 50 steps on 4 pictures of 64 px
    python benchmarks/training_curves.py --archs s0 --steps 10

They are the same but for rounding, which a training amplifies. How much of it is rounding shows a third training, by
branches again, with pictures and weights in another layout (channels last): there, only the order of sums differs.
"""

import argparse
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from measured import table
from mobileone_mm import cli
from mobileone_mm.models.backbones.mobileone import MobileOne
from mobileone_mm.models.backbones.variants import ARCHITECTURES
from mobileone_mm.threads import one_thread

LEARNING_RATE = 1e-3
CLASSES, BATCH, SIDE, SEED = 4, 4, 64, 0
REFERENCE, SHUFFLED = 'branches', 'branches, channels last'
RUNS = (SHUFFLED, 'moments')
SHOWN = (1, 2, 5, 10, 20, 30, 40, 50)  # steps


class Classifier(nn.Module):
    """(N, 3, H, W) -> logits (N, CLASSES)."""

    def __init__(self, arch: str, impl: str) -> None:
        super().__init__()
        torch.manual_seed(SEED)
        self.backbone = MobileOne(arch, train_impl=impl)
        self.head = nn.Linear(self.backbone.stage4[-1].out_channels, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.backbone(x)[0].mean((2, 3)))
        return logits


def losses(arch: str, run: str, steps: int) -> list[float]:
    """Of each step of SGD on drawn pictures whose brightness tells their class."""
    layout = torch.channels_last if run == SHUFFLED else torch.contiguous_format
    model = Classifier(arch, 'branches' if run == SHUFFLED else run).to(memory_format=layout)
    generator = torch.Generator().manual_seed(SEED + 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=LEARNING_RATE, momentum=0.9)
    found = []
    for _ in cli.progress(range(steps), f'steps of {arch}, {run}'):
        labels = torch.randint(CLASSES, (BATCH,), generator=generator)
        x = torch.randn(BATCH, 3, SIDE, SIDE, generator=generator) + labels.reshape(-1, 1, 1, 1)
        loss = functional.cross_entropy(model(x.contiguous(memory_format=layout)), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        found.append(float(loss.detach()))
    return found


def table_of(expected: Sequence[float], found: dict[str, Sequence[float]]) -> str:
    """The reference's losses, and by how much those of the other runs differ."""
    lines = [
        [
            step,
            f'{expected[step - 1]:.4f}',
            *(f'{abs(run[step - 1] - expected[step - 1]):.1e}' for run in found.values()),
        ]
        for step in SHOWN
        if step <= len(expected)
    ]
    whole = [f'{sum(abs(a - b) for a, b in zip(run, expected, strict=True)) / len(run):.1e}' for run in found.values()]
    return table(['step', REFERENCE, *found], [*lines, ['mean', f'{sum(expected) / len(expected):.4f}', *whole]])


def main(argv: Sequence[str] | None = None) -> int:
    """Train, print; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--archs', nargs='+', choices=ARCHITECTURES, default=['s0', 's1'])
    parser.add_argument('--steps', type=int, default=50)
    args = parser.parse_args(argv)
    with one_thread():
        for arch in args.archs:
            expected = losses(arch, REFERENCE, args.steps)
            found = {run: losses(arch, run, args.steps) for run in RUNS}
            cli.result(f'MobileOne-{arch.upper()}: loss, and by how much that of other runs differs\n')
            cli.result(table_of(expected, found))
    return 0


if __name__ == '__main__':
    raise SystemExit(cli.run(main))
