"""What a task has to bring so that its predictions can be judged by annotations, picture by picture."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mobileone_mm.pictures.reading import Picture
from mobileone_mm.tasks.ranked import Ranked

Counts = npt.NDArray[np.int64]  # (R, R) pairs of all pictures: by row what is annotated, by column what was found


@dataclass(frozen=True)
class Judged:
    """A prediction for one picture beside what is annotated there; what these are, the task alone knows.

    Attributes:
        truth: the annotations, as a prediction that is sure of everything.
        found: the prediction.
        missed: which of the annotated things, or pixels, were not found.
        wrong: which of the found ones are not annotated so.
        pairs: (P, 3) int64: a class that is annotated, one that was found, and how often the first was found as the
            second; behind the classes, where the task has it, comes a number for nothing.
        faults: how much is wrong; 0 where nothing is.
        said: the same in words.
        ranked: what was found, from the surest on, and whether it is right; None where a task has no such thing.
    """

    truth: Any
    found: Any
    missed: Any
    wrong: Any
    pairs: npt.NDArray[np.int64]
    faults: float
    said: str
    ranked: Ranked | None = None


@dataclass(frozen=True)
class Judging:
    """How predictions are judged.

    Attributes:
        judge: what the prediction in a host's data sample is worth by the annotations of its picture: from the data
            set's entry for it, the data sample and the number of classes; None where there are no annotations, or such
            as cannot be judged so.
        draw: copies of the picture with what is annotated and what was found, mistakes marked in red: each with a title
            and what is on it in words.
        unit: what is counted.
        nothing: what the last row and column of the counts are called; empty where there is none but for classes.
        score: what the score of a class alone is called.
        scores: the score of each class, 0..1, NaN for one that is nowhere: from the counts of all pictures, and all
            that was found in them.
        explained: when something counts as found, in a sentence.
        worst: which pictures are the worst, in words.
        require: refuses to begin where something is missing that draws.
        colours: RGB of so many classes as they are drawn; none where pictures name each thing.
        percent: whether pages show scores in points of 100, as the host's metrics do; else as fractions of 1.
    """

    judge: Callable[[Mapping[str, Any], Any, int], Judged | None]
    draw: Callable[[Picture, Judged, Sequence[str]], Sequence[tuple[str, Picture, str]]]
    unit: str
    nothing: str
    score: str
    scores: Callable[[Counts, Ranked | None], npt.NDArray[np.float64]]
    explained: str
    worst: str
    require: Callable[[], Any] = lambda: None
    colours: Callable[[int], Sequence[Sequence[int]]] = lambda _: ()
    percent: bool = False


def ratios(part: Counts, whole: Counts) -> npt.NDArray[np.float64]:
    """part / whole (R,), NaN where the whole is nothing."""
    found: npt.NDArray[np.float64] = np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0)
    return found


def pairs_of(counts: Counts) -> npt.NDArray[np.int64]:
    """The pairs (P, 3) of a picture's own counts (R, R)."""
    rows, columns = counts.nonzero()
    return np.stack([rows, columns, counts[rows, columns]], axis=1)
