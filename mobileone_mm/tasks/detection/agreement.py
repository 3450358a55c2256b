"""How far two detectors agree on a picture: which boxes are the same one, and what differs. NumPy only.

Letters: L boxes on the left, R on the right, P pairs.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from mobileone_mm.tasks.detection.detections import Detections, Rules

PARTNER_IOU = 0.5  # two boxes of one label that overlap as much or more are taken for the same one
SCORE_TOLERANCE = 0.05  # score; partners that differ by more do not agree

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Agreement:
    """Two detectors' boxes of one picture, brought together.

    Attributes:
        partners: (P, 2) int64, row on the left and row on the right, the largest overlap first; no row stands twice.
        score_differences: (P,) right minus left.
        box_differences: (P,) largest distance between two partners' sides, in px of the picture.
        left_differs: (L,) boxes without a partner, or with a score that is off by more than `SCORE_TOLERANCE`.
        right_differs: (R,) the same on the right.
    """

    partners: npt.NDArray[np.int64]
    score_differences: npt.NDArray[np.float64]
    box_differences: npt.NDArray[np.float64]
    left_differs: Mask
    right_differs: Mask

    @property
    def differing(self) -> int:
        """How many boxes differ, on both sides."""
        return int(self.left_differs.sum() + self.right_differs.sum())


@dataclass(frozen=True)
class Total:
    """Agreements of several pictures as one.

    Attributes:
        left: boxes on the left.
        right: boxes on the right.
        agreeing: pairs of them that agree.
        score: largest difference in score between partners; None without any.
        pixels: largest distance between partners' sides, in px; None without any.
    """

    left: int
    right: int
    agreeing: int
    score: float | None
    pixels: float | None

    @property
    def complete(self) -> bool:
        """Whether every box agrees with one on the other side."""
        return self.left == self.right == self.agreeing

    @property
    def hint(self) -> str:
        """What explains most differences, in a sentence; empty where nothing needs to be explained."""
        if self.complete or not self.pixels:
            return ''
        return (
            'Where two boxes of one class overlap and have nearly one score, rounding decides which of them stays: '
            'such a pair is pixels apart, though each of their raw boxes is within the limits above.'
        )

    def said(self, left: str, right: str) -> str:
        """One sentence without its full stop; the sides go by these names."""
        if self.left == self.right == 0:
            return 'no boxes on either side'
        if self.complete:
            counted = 'the one box agrees' if self.left == 1 else f'all {self.left} boxes agree'
        else:
            counted = f'boxes: {left} {self.left}, {right} {self.right}, in agreement {self.agreeing}'
        if self.score is None or self.pixels is None:
            return counted
        return f'{counted}; largest difference {self.score:.2g} in score, {self.pixels:.2g} px'


def found_by_both(
    left: Callable[[Rules], Detections], right: Callable[[Rules], Detections], rules: Rules
) -> tuple[Detections, Detections]:
    """What two detectors find in one picture under the same rules, to be compared.

    A box a little below the score threshold is kept if its partner is above: a threshold between two scores that hardly
    differ is no difference.
    """
    threshold = rules.score_threshold
    # Half of it at least: suppression takes the square of the number of boxes.
    wider = replace(rules, score_threshold=max(threshold - SCORE_TOLERANCE, threshold / 2))
    one, other = left(wider), right(wider)
    rows, columns = _partners(one, other).T
    above, above_other = one.scores >= threshold, other.scores >= threshold
    kept, kept_other = above.copy(), above_other.copy()
    kept[rows] |= above_other[columns]
    kept_other[columns] |= above[rows]
    return of_rows(one, kept), of_rows(other, kept_other)


def of_rows(found: Detections, kept: Mask) -> Detections:
    """Some of the boxes."""
    return Detections(found.boxes[kept], found.scores[kept], found.labels[kept])


def agreement(left: Detections, right: Detections, size: tuple[int, int]) -> Agreement:
    """Bring together what two detectors with the same classes found in one picture of `size` (width, height) px."""
    partners = _partners(left, right)
    rows, columns = partners.T
    scores = right.scores[columns] - left.scores[rows]
    boxes = np.abs((right.boxes[columns] - left.boxes[rows]) * (*size, *size)).max(axis=1, initial=0.0)
    agrees = np.abs(scores) <= SCORE_TOLERANCE
    return Agreement(
        partners, scores, boxes, _without(len(left.scores), rows[agrees]), _without(len(right.scores), columns[agrees])
    )


def most_telling(left: Detections, right: Detections, compared: Agreement, most: int) -> tuple[Detections, Detections]:
    """No more than `most` boxes of each side: those that differ, then the surest; partners stay together."""
    rows, columns = compared.partners.T
    things: list[tuple[int | None, int | None]] = [(int(row), int(column)) for row, column in compared.partners]
    things += [(row, None) for row in range(len(left.scores)) if row not in rows]
    things += [(None, column) for column in range(len(right.scores)) if column not in columns]

    def rank(thing: tuple[int | None, int | None]) -> tuple[bool, float]:
        row, column = thing
        sides = (left.scores, compared.left_differs, row), (right.scores, compared.right_differs, column)
        given = [(scores[index], differs[index]) for scores, differs, index in sides if index is not None]
        return not any(differs for _, differs in given), -max(score for score, _ in given)

    chosen = sorted(things, key=rank)[:most]
    kept, kept_other = np.zeros(len(left.scores), bool), np.zeros(len(right.scores), bool)
    kept[[row for row, _ in chosen if row is not None]] = True
    kept_other[[column for _, column in chosen if column is not None]] = True
    return of_rows(left, kept), of_rows(right, kept_other)


def total(agreements: Sequence[Agreement]) -> Total:
    """Counts and largest differences of all pictures."""
    scores = [abs(float(difference)) for one in agreements for difference in one.score_differences]
    pixels = [float(difference) for one in agreements for difference in one.box_differences]
    return Total(
        left=sum(len(one.left_differs) for one in agreements),
        right=sum(len(one.right_differs) for one in agreements),
        agreeing=sum(int((~one.left_differs).sum()) for one in agreements),
        score=max(scores, default=None),
        pixels=max(pixels, default=None),
    )


def _partners(left: Detections, right: Detections) -> npt.NDArray[np.int64]:
    """Pairs (P, 2) by overlap, the largest first, ties by row; each row once."""
    overlaps = np.where(left.labels[:, None] == right.labels, ious(left.boxes, right.boxes), 0.0)
    pairs: list[tuple[int, int]] = []
    while overlaps.max(initial=0.0) >= PARTNER_IOU:
        row, column = divmod(int(overlaps.argmax()), overlaps.shape[1])
        pairs.append((row, column))
        overlaps[row], overlaps[:, column] = 0.0, 0.0
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)


def ious(left: npt.NDArray[np.float64], right: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Intersection over union (L, R) of corner boxes (L, 4) and (R, 4); 0 where both are without area."""
    low = np.maximum(left[:, None, :2], right[:, :2])
    high = np.minimum(left[:, None, 2:], right[:, 2:])
    shared = (high - low).clip(0).prod(axis=-1)
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(axis=-1) for boxes in (left, right)]
    union = areas[0][:, None] + areas[1] - shared
    found: npt.NDArray[np.float64] = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    return found


def _without(count: int, rows: npt.NDArray[np.int64]) -> Mask:
    mask = np.ones(count, dtype=bool)
    mask[rows] = False
    return mask
