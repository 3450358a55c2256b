"""Two detectors' boxes of one picture, brought together: against a naive reference, and laws."""

from collections.abc import Callable
from itertools import product

import numpy as np
import pytest

from mobileone_mm.tasks.detection.agreement import PARTNER_IOU, SCORE_TOLERANCE, agreement, found_by_both, ious, total
from mobileone_mm.tasks.detection.detections import Detections, Rules

SIZE = (200, 100)  # width, height
BOX = (0.125, 0.25, 0.5, 0.75)


def found(*rows: tuple[tuple[float, ...], float, int]) -> Detections:
    boxes, scores, labels = zip(*rows, strict=True) if rows else ((), (), ())
    return Detections(
        np.array(boxes, dtype=np.float64).reshape(-1, 4),
        np.array(scores, dtype=float),
        np.array(labels, dtype=np.int64),
    )


def random_detections(generator: np.random.Generator) -> Detections:
    """A few boxes on a coarse grid, so that ties, equal boxes, empty ones and overlaps of exactly half all occur."""
    rows = []
    for _ in range(generator.integers(0, 7)):
        x1, x2 = np.sort(generator.integers(0, 5, 2)) / 4
        y1, y2 = np.sort(generator.integers(0, 3, 2)) / 2
        rows.append(((x1, y1, x2, y2), generator.integers(0, 11) / 10, int(generator.integers(0, 2))))
    return found(*rows)


def naive_iou(a: 'np.ndarray', b: 'np.ndarray') -> float:  # type: ignore[type-arg]
    """By counting the cells of the grid that `random_detections` draws on."""
    cells = set(product(range(4), range(2)))
    inside = [
        {(x, y) for x, y in cells if box[0] <= x / 4 and (x + 1) / 4 <= box[2] and box[1] <= y / 2 < box[3]}
        for box in (a, b)
    ]
    union = inside[0] | inside[1]
    return len(inside[0] & inside[1]) / len(union) if union else 0.0


def naive_pairs(left: Detections, right: Detections) -> list[tuple[int, int]]:
    """All candidates sorted once, then taken while both are free."""
    candidates = [
        (-naive_iou(left.boxes[i], right.boxes[j]), i, j)
        for i, j in product(range(len(left.scores)), range(len(right.scores)))
        if left.labels[i] == right.labels[j]
    ]
    pairs: list[tuple[int, int]] = []
    for overlap, i, j in sorted(candidates):
        if -overlap >= PARTNER_IOU and all(i != a and j != b for a, b in pairs):
            pairs.append((i, j))
    return pairs


def test_partners_and_what_differs_are_those_of_the_naive_reference() -> None:
    generator = np.random.default_rng(0)
    seen = 0
    for _ in range(1500):
        left, right = random_detections(generator), random_detections(generator)
        result = agreement(left, right, SIZE)
        pairs = naive_pairs(left, right)
        assert [tuple(pair) for pair in result.partners.tolist()] == pairs
        good = [(i, j) for i, j in pairs if abs(right.scores[j] - left.scores[i]) <= SCORE_TOLERANCE]
        for differs, rows in (
            (result.left_differs, {i for i, _ in good}),
            (result.right_differs, {j for _, j in good}),
        ):
            assert differs.tolist() == [row not in rows for row in range(len(differs))]
        for (i, j), score, pixels in zip(pairs, result.score_differences, result.box_differences, strict=True):
            assert score == right.scores[j] - left.scores[i]
            sides = zip(left.boxes[i], right.boxes[j], (*SIZE, *SIZE), strict=True)
            assert pixels == pytest.approx(max(abs(a - b) * side for a, b, side in sides))
        seen += len(pairs)
    assert seen > 300


def test_the_sides_can_be_exchanged() -> None:
    generator = np.random.default_rng(1)
    for _ in range(100):
        left, right = random_detections(generator), random_detections(generator)
        there, back = total([agreement(left, right, SIZE)]), total([agreement(right, left, SIZE)])
        assert (there.left, there.right, there.agreeing) == (back.right, back.left, back.agreeing)


@pytest.mark.parametrize(
    ('right', 'agrees', 'why'),
    [
        ((BOX, 0.9, 0), True, 'the same'),
        ((BOX, 0.9, 1), False, 'another label'),
        (((0.125, 0.25, 0.5, 0.5), 0.9, 0), True, 'an overlap of exactly a half'),
        (((0.125, 0.25, 0.5, 0.49), 0.9, 0), False, 'an overlap below a half'),
        ((BOX, 0.86, 0), True, 'a score that is off by less than the tolerance'),
        ((BOX, 0.84, 0), False, 'a score that is off by more'),
        ((BOX, 0.96, 0), False, 'a score that is higher by more'),
    ],
)
def test_one_box_against_one(right: tuple[tuple[float, ...], float, int], agrees: bool, why: str) -> None:
    result = agreement(found((BOX, 0.9, 0)), found(right), SIZE)
    assert (result.left_differs.tolist(), result.right_differs.tolist()) == ([not agrees], [not agrees]), why


def test_of_two_candidates_the_one_that_overlaps_more_is_the_partner() -> None:
    near, nearer = (0.125, 0.25, 0.5, 0.5625), (0.125, 0.25, 0.5, 0.625)
    result = agreement(found((BOX, 0.9, 0)), found((near, 0.9, 0), (nearer, 0.5, 0)), SIZE)
    assert result.partners.tolist() == [[0, 1]]
    assert result.right_differs.tolist() == [True, True]  # no partner; a partner with another score
    assert result.box_differences == pytest.approx([12.5])  # 0.125 of 100 px


def test_boxes_without_area_overlap_with_nothing() -> None:
    empty = np.array([[0.5, 0.5, 0.5, 0.5]])
    assert ious(empty, empty).tolist() == [[0.0]]
    assert ious(empty, np.zeros((0, 4))).shape == (1, 0)


@pytest.mark.parametrize(
    ('pictures', 'sentence'),
    [
        ([], 'no boxes on either side'),
        ([(found(), found())], 'no boxes on either side'),
        ([(found((BOX, 0.9, 0)), found((BOX, 0.9, 0)))], 'the one box agrees; largest difference 0 in score, 0 px'),
        (
            [(found((BOX, 0.9, 0)), found((BOX, 0.89, 0))), (found((BOX, 0.5, 1)), found((BOX, 0.53, 1)))],
            'all 2 boxes agree; largest difference 0.03 in score, 0 px',
        ),
        (
            [(found((BOX, 0.9, 0)), found((BOX, 0.8, 0))), (found((BOX, 0.5, 1)), found())],
            'boxes: a.pth 2, b.onnx 1, in agreement 0; largest difference 0.1 in score, 0 px',
        ),
        ([(found((BOX, 0.9, 0)), found())], 'boxes: a.pth 1, b.onnx 0, in agreement 0'),
    ],
)
def test_the_sentence(pictures: list[tuple[Detections, Detections]], sentence: str) -> None:
    assert total([agreement(*pair, SIZE) for pair in pictures]).said('a.pth', 'b.onnx') == sentence


def finder(*rows: tuple[tuple[float, ...], float, int]) -> Callable[[Rules], Detections]:
    return lambda rules: found(*(row for row in rows if row[1] >= rules.score_threshold))


@pytest.mark.parametrize(
    ('left', 'right', 'kept', 'why'),
    [
        (0.31, 0.32, (1, 1), 'both above'),
        (0.31, 0.29, (1, 1), 'one a little below, and its partner above'),
        (0.29, 0.31, (1, 1), 'the same the other way round'),
        (0.29, 0.29, (0, 0), 'both below'),
        (0.34, 0.24, (1, 0), 'one far below'),
    ],
)
def test_a_threshold_between_two_scores_is_no_difference(
    left: float, right: float, kept: tuple[int, int], why: str
) -> None:
    sides = found_by_both(finder((BOX, left, 0)), finder((BOX, right, 0)), Rules(0.3, 0.45, 100))
    assert tuple(len(side.scores) for side in sides) == kept, why
    assert all(side.boxes.shape == (count, 4) for side, count in zip(sides, kept, strict=True))


def test_a_box_below_the_threshold_is_kept_for_its_partner_only() -> None:
    other = (0.6, 0.5, 0.9, 0.9)
    left, right = found_by_both(
        finder((BOX, 0.31, 0), (other, 0.28, 0)), finder((BOX, 0.29, 0), (other, 0.27, 0)), Rules(0.3, 0.45, 100)
    )
    assert (left.scores.tolist(), right.scores.tolist()) == ([0.31], [0.29])
    left, right = found_by_both(finder((BOX, 0.31, 0)), finder((other, 0.29, 0)), Rules(0.3, 0.45, 100))
    assert (left.scores.tolist(), right.scores.tolist()) == ([0.31], [])
