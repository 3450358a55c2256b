"""What was found in many pictures, from the surest on: precision and recall as the threshold falls. NumPy only.

Letters: M things found, C classes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Curve = tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]  # recall, which rises, and precision


@dataclass(frozen=True)
class Ranked:
    """What was found, in any number of pictures.

    Attributes:
        labels: (M,) int64, index of the class.
        scores: (M,) float64, 0..1.
        right: (M,) whether it is there.
    """

    labels: npt.NDArray[np.int64]
    scores: npt.NDArray[np.float64]
    right: npt.NDArray[np.bool_]


def joined(parts: Sequence[Ranked]) -> Ranked:
    """All of several pictures, one or more."""
    return Ranked(
        np.concatenate([part.labels for part in parts]),
        np.concatenate([part.scores for part in parts]),
        np.concatenate([part.right for part in parts]),
    )


def curve(ranked: Ranked, label: int, annotated: int) -> Curve:
    """Recall and precision of a class, of which there are so many (one or more), as the threshold falls.

    Precision is the best one at this recall or a higher one, as VOC (since 2010) and COCO have it.
    """
    of_class = ranked.labels == label
    order = np.argsort(-ranked.scores[of_class], kind='stable')
    right = ranked.right[of_class][order].cumsum()
    precision = right / np.arange(1, len(right) + 1)
    return right / annotated, np.maximum.accumulate(precision[::-1])[::-1]


def f1_scores(
    ranked: Ranked, label: int, annotated: int, thresholds: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """F1 of a class, of which there are so many (one or more), if only scores from a threshold (T,) on count."""
    of_class = ranked.labels == label
    order = np.argsort(ranked.scores[of_class])
    first = np.searchsorted(ranked.scores[of_class][order], thresholds)
    found = len(order) - first
    wrong = np.append(0, np.cumsum(~ranked.right[of_class][order]))
    right = found - (wrong[-1] - wrong[first])
    scores: npt.NDArray[np.float64] = 2 * right / (found + annotated)
    return scores


def average_precisions(ranked: Ranked, annotated: Sequence[int]) -> npt.NDArray[np.float64]:
    """The area below the curve of each class, by the numbers of those annotated; NaN where there is none."""
    found = np.full(len(annotated), np.nan)
    for label, count in enumerate(annotated):
        if count:
            recall, precision = curve(ranked, label, count)
            found[label] = (np.diff(recall, prepend=0.0) * precision).sum()
    return found
