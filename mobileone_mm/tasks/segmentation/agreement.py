"""How far two class maps of one picture agree."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mobileone_mm.tasks.largest_logit import Rules
from mobileone_mm.tasks.segmentation.classes import IGNORED, ClassMap
from mobileone_mm.tasks.task import Size


@dataclass(frozen=True)
class Agreement:
    """Two class maps of one picture, at one size.

    Attributes:
        differs: (H, W) pixels of another class.
        shared: (C,) pixels that both give the class, by class.
        either: (C,) pixels that at least one of them gives it.
    """

    differs: npt.NDArray[np.bool_]
    shared: npt.NDArray[np.int64]
    either: npt.NDArray[np.int64]

    @property
    def differing(self) -> int:
        """How much differs: pixels."""
        return int(self.differs.sum())


@dataclass(frozen=True)
class Total:
    """Agreements of several pictures as one.

    Attributes:
        pixels: in all pictures.
        agreeing: pixels with the same class on both sides.
        ious: pixels with a class on both sides, as a fraction of those with it on any, by class; None for a class that
            is nowhere.
    """

    pixels: int
    agreeing: int
    ious: tuple[float | None, ...]

    @property
    def complete(self) -> bool:
        """Whether every pixel agrees."""
        return self.pixels == self.agreeing

    @property
    def hint(self) -> str:
        """What explains most differences, in a sentence; empty where nothing needs to be explained."""
        return '' if self.complete else 'Where two classes have nearly the same logit, rounding decides between them.'

    def said(self, _left: str, _right: str) -> str:
        """One sentence without its full stop."""
        if self.complete:
            return f'all {self.pixels:,} pixels agree'
        present = [iou for iou in self.ious if iou is not None]
        worst = f'; the class that agrees least has an IoU of {min(present):.4f}' if present else ''
        return f'{self.agreeing:,} of {self.pixels:,} pixels agree ({100 * self.agreeing / self.pixels:.3f} %){worst}'


def found_by_both(
    left: Callable[[Rules], ClassMap], right: Callable[[Rules], ClassMap], rules: Rules
) -> tuple[ClassMap, ClassMap]:
    """The class maps of two segmenters for one picture."""
    return left(rules), right(rules)


def agreement(left: ClassMap, right: ClassMap, size: Size) -> Agreement:
    """Compare two class maps of a picture of `size` (width, height)."""
    one, other = left.at(size), right.at(size)
    count = 1 + max(int(side[side != IGNORED].max(initial=0)) for side in (one, other))
    shared = np.bincount(one[one == other].ravel(), minlength=count)[:count]
    of_one, of_other = (np.bincount(side[side != IGNORED].ravel(), minlength=count) for side in (one, other))
    return Agreement(one != other, shared, of_one + of_other - shared)


def total(agreements: Sequence[Agreement]) -> Total:
    """Counts of all pictures."""
    count = max((len(one.shared) for one in agreements), default=0)
    shared, either = np.zeros(count), np.zeros(count)
    for one in agreements:
        shared[: len(one.shared)] += one.shared
        either[: len(one.either)] += one.either
    pixels = sum(one.differs.size for one in agreements)
    ious = tuple(float(one / all_) if all_ else None for one, all_ in zip(shared, either, strict=True))
    return Total(pixels, pixels - sum(one.differing for one in agreements), ious)
