"""How much a training of own data does at a time and in all, and how large the network sees its pictures."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mobileone_mm.errors import counted

# Steps that a set of a few hundred pictures takes to be learned; measured on such sets: benchmarks/bccd.md,
# segmentation.md and classification.md.
STEPS = {'detection': 500, 'segmentation': 750, 'classification': 750}
LARGEST_BATCH = {'detection': 16, 'segmentation': 8, 'classification': 16}
LEAST_BATCH = 2  # of one picture, batch normalisation has nothing to average on a map of one cell
LEAST_EPOCHS, MOST_EPOCHS = 20, 200
ROUND = 5  # epochs
VALIDATIONS = 12  # in a training
DIVISOR = 32  # px: the stride of the last stage
LARGEST_SIDE = 512  # px, of a segmenter's input
ALIKE = 0.1  # of the middle one: shapes of pictures within it are one shape
MOST_ALIKE = 0.8  # share of the pictures that makes it the shape of the set


@dataclass(frozen=True)
class Amounts:
    """Batch and epochs of a training.

    Attributes:
        batch: pictures of a step.
        epochs: of the training.
        steps: of an epoch.
    """

    batch: int
    epochs: int
    steps: int

    def lines(self) -> list[str]:
        """Of a config."""
        total = self.epochs * self.steps
        return [
            f'batch_size = {self.batch}',
            f'max_epochs = {self.epochs}  # of {counted(self.steps, "step")} each, {total:,} steps in all',
        ]

    def __str__(self) -> str:
        return f'{self.epochs} epochs of {counted(self.steps, "step")}, with a batch of {self.batch}'


def amounts_for(task: str, pictures: int) -> Amounts:
    """Batch and epochs for a set of so many training pictures.

    Args:
        task: 'detection', 'segmentation' or 'classification'.
        pictures: that are trained on.
    """
    batch = LARGEST_BATCH[task]
    while batch > LEAST_BATCH and pictures < 4 * batch:
        batch //= 2
    steps = max(1, pictures // batch)
    epochs = ROUND * round(STEPS[task] / steps / ROUND)
    return Amounts(batch, min(max(epochs, LEAST_EPOCHS), MOST_EPOCHS), steps)


def segmenter_size(sizes: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """Width and height in px of a segmenter's input: of the pictures' own shape where they have one, else a square.

    Args:
        sizes: (width, height) in px of pictures, one at least.
    """
    wh = np.array(sizes, np.float64)
    shapes = wh[:, 0] / wh[:, 1]
    middle = float(np.median(shapes))
    if (abs(shapes / middle - 1) <= ALIKE).mean() < MOST_ALIKE:
        side = _divisible(min(LARGEST_SIDE, float(np.median(wh.min(axis=1)))))
        return side, side
    width, height = np.median(wh, axis=0)
    zoom = min(1.0, LARGEST_SIDE / max(width, height))
    return _divisible(width * zoom), _divisible(height * zoom)


def _divisible(side: float) -> int:
    return max(DIVISOR, DIVISOR * int(side // DIVISOR))
