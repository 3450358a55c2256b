"""How far two rankings of one picture agree."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from mobileone_mm.tasks.classification.ranking import Ranking
from mobileone_mm.tasks.largest_logit import Rules
from mobileone_mm.tasks.task import Size


@dataclass(frozen=True)
class Agreement:
    """Two rankings of one picture.

    Attributes:
        differing: 1 where the most probable class is another, else 0.
        apart: the largest difference of a probability.
    """

    differing: int
    apart: float


@dataclass(frozen=True)
class Total:
    """Agreements of several pictures as one.

    Attributes:
        pictures: how many.
        agreeing: those with the same most probable class.
        apart: the largest difference of a probability.
    """

    pictures: int
    agreeing: int
    apart: float

    @property
    def complete(self) -> bool:
        """Whether all agree."""
        return self.pictures == self.agreeing

    @property
    def hint(self) -> str:
        """What explains most differences, in a sentence; empty where nothing needs to be explained."""
        return '' if self.complete else 'Where two classes are nearly as probable, rounding decides between them.'

    def said(self, left: str, right: str) -> str:
        """One sentence without its full stop."""
        count = f'all {self.pictures}' if self.complete else f'{self.agreeing} of {self.pictures}'
        if self.pictures > 1:
            same = f'give {count} pictures the same class'
        else:
            same = 'give the picture the same class' if self.complete else 'give the picture different classes'
        return f'{left} and {right} {same}; their probabilities differ by at most {self.apart:.2g}'


def found_by_both(
    left: Callable[[Rules], Ranking], right: Callable[[Rules], Ranking], rules: Rules
) -> tuple[Ranking, Ranking]:
    """The rankings of two classifiers for one picture."""
    return left(rules), right(rules)


def agreement(left: Ranking, right: Ranking, _size: Size) -> Agreement:
    """Compare two rankings of a picture."""
    return Agreement(int(left.best != right.best), float(np.abs(left.probabilities - right.probabilities).max()))


def total(agreements: Sequence[Agreement]) -> Total:
    """Counts of all pictures."""
    agreeing = sum(not one.differing for one in agreements)
    return Total(len(agreements), agreeing, max((one.apart for one in agreements), default=0.0))
