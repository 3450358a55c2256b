"""What a data set holds: how much of each class, of which sizes, and what is wrong with it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

BOXES, PIXELS, IMAGES = 'boxes', 'pixels', 'images'  # what is counted


@dataclass(frozen=True)
class Spread:
    """The smallest, middle and largest of some numbers, in px."""

    least: float
    median: float
    most: float


@dataclass(frozen=True)
class Content:
    """What a data set holds.

    Attributes:
        unit: of what is counted, `BOXES`, `PIXELS` or `IMAGES`.
        images: number of images.
        image_size: spreads of width and height; None where nothing says them.
        classes: names, in the order of the labels.
        counts: boxes, pixels or images of each class.
        images_with: images with each class.
        ignored: boxes or pixels that no loss uses.
        box_size: spreads of the boxes' width and height, in px of the images; None without boxes.
        paths: of the images.
        palette: an RGB colour a class; empty where there is none.
        faults: what has to be mended, as a text; empty where there is nothing.
        notes: what a training survives and its user should know.
    """

    unit: str
    images: int
    image_size: tuple[Spread, Spread] | None
    classes: tuple[str, ...]
    counts: tuple[int, ...]
    images_with: tuple[int, ...]
    ignored: int
    box_size: tuple[Spread, Spread] | None
    paths: frozenset[str]
    palette: tuple[tuple[int, ...], ...]
    faults: str = ''
    notes: tuple[str, ...] = ()

    @property
    def annotated(self) -> bool:
        """Whether there is any box or mask; of test data there need not be."""
        return any(self.counts) or self.ignored > 0 or bool(self.faults)


def spreads(sizes: Sequence[tuple[float, float]]) -> tuple[Spread, Spread] | None:
    """The spreads of widths and of heights; None of nothing."""
    if not sizes:
        return None
    numbers = np.array(sizes, np.float64)
    width, height = (Spread(float(a.min()), float(np.median(a)), float(a.max())) for a in numbers.T)
    return width, height
