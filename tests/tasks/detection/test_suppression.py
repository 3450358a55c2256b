"""Which rows stay, against a naive one in exact fractions: thousands of small sets, with ties of every kind."""

from fractions import Fraction

import numpy as np
import numpy.typing as npt
import pytest

from mobileone_mm.tasks.detection.suppression import rows_to_keep
from random_boxes import CONFIDENCE_THRESHOLDS, IOU_THRESHOLDS, SIDE_BY_SIDE, random_boxes

Array = npt.NDArray[np.float32]
SETS = 1000  # of boxes, for each number of classes
MOST_BOXES = 12


def overlap(one: list[Fraction], other: list[Fraction]) -> Fraction:
    sides = []
    for axis in (0, 1):
        low = max(box[axis] - box[axis + 2] / 2 for box in (one, other))
        high = min(box[axis] + box[axis + 2] / 2 for box in (one, other))
        sides.append(max(high - low, Fraction(0)))
    shared = sides[0] * sides[1]
    union = one[2] * one[3] + other[2] * other[3] - shared
    return shared / union if union else Fraction(0)


def naive(confidence: Array, coordinates: Array, iou: float, least: float, per_class: bool = True) -> list[int]:
    """Every box against every box that is already kept."""
    boxes = [[Fraction(float(number)) for number in box] for box in coordinates]
    best = [max(float(score) for score in row) for row in confidence]
    labels = [list(row).index(max(row)) if per_class else 0 for row in confidence]
    kept: list[int] = []
    for row in sorted(range(len(boxes)), key=lambda row: (-best[row], row)):
        rivals = [boxes[other] for other in kept if labels[other] == labels[row]]
        if best[row] >= least and all(overlap(boxes[row], rival) <= Fraction(iou) for rival in rivals):
            kept.append(row)
    return kept


@pytest.mark.parametrize('classes', [1, 3, 20, 34, 80])
def test_against_a_naive_one(classes: int) -> None:
    generator = np.random.default_rng(classes)
    suppressed = 0
    for index in range(SETS):
        confidence, coordinates = random_boxes(generator, classes, int(generator.integers(0, MOST_BOXES)))
        iou, least = generator.choice(IOU_THRESHOLDS), generator.choice(CONFIDENCE_THRESHOLDS)
        per_class = index % 10 != 0
        found = rows_to_keep(confidence, coordinates, iou, least, per_class)
        assert found.tolist() == naive(confidence, coordinates, iou, least, per_class)
        suppressed += len(confidence) - len(found)
    assert suppressed > SETS / 10


@pytest.mark.parametrize(
    ('confidence', 'coordinates', 'iou', 'least', 'rows'),
    [
        pytest.param(np.empty((0, 3)), np.empty((0, 4)), 0.5, 0.5, [], id='no boxes'),
        pytest.param([[0.4], [0.1]], SIDE_BY_SIDE, 0.5, 0.5, [], id='all below the threshold'),
        pytest.param([[0.5]], [[0.5] * 4], 0.5, 0.5, [0], id='at the confidence threshold: stays'),
        pytest.param([[0.25], [0.5]], [[0.5] * 4] * 2, 0.5, 0.0, [1], id='the same box: the better one stays'),
        pytest.param([[0.5], [0.5]], [[0.5] * 4] * 2, 0.5, 0.0, [0], id='of equals, the first stays'),
        pytest.param([[0.5], [0.5]], [[0.5] * 4] * 2, 1.0, 0.0, [0, 1], id='a threshold of 1 suppresses nothing'),
        pytest.param([[0.5, 0], [0, 0.75]], [[0.5] * 4] * 2, 0.0, 0.0, [1, 0], id='labels do not meet; best first'),
        pytest.param([[0.5, 0.5], [0.5, 0]], [[0.5] * 4] * 2, 0.5, 0.0, [0], id='of equal classes, the first labels'),
        pytest.param([[0.5], [0.25]], [[0.5, 0.5, 0.5, 0.5], [0.5, 0.5, 0.5, 0.25]], 0.5, 0, [0, 1], id='at IoU 0.5'),
        pytest.param([[0.5], [0.25]], SIDE_BY_SIDE, 0.33, 0, [0], id='above IoU 0.33'),
        pytest.param([[0.5], [0.5]], [[0.5, 0.5, 0, 0]] * 2, 0.0, 0.0, [0, 1], id='no area, no overlap'),
        pytest.param([[np.nan], [0.5]], [[0.5] * 4] * 2, 0.5, 0.0, [1], id='what is no number goes'),
    ],
)
def test_by_hand(confidence: object, coordinates: object, iou: float, least: float, rows: list[int]) -> None:
    arrays = np.asarray(confidence, np.float32), np.asarray(coordinates, np.float32)
    assert rows_to_keep(*arrays, iou, least).tolist() == rows


def test_what_is_gone_suppresses_no_other() -> None:
    # In a row, each overlaps its neighbour by 1/3; the second goes, so the third stays.
    coordinates = np.array([[x, 0.5, 0.5, 0.5] for x in (0.25, 0.5, 0.75)], np.float32)
    assert rows_to_keep(np.array([[0.75], [0.5], [0.25]], np.float32), coordinates, 0.25, 0.0).tolist() == [0, 2]
