"""A fingerprint of a detector's boxes tells other boxes from the same ones, and is told from anything else."""

import json
import math
from typing import Any

import numpy as np
import pytest

from mobileone_mm.artifact.ladder import FLOAT16_LIMITS, Boxes, Rung
from mobileone_mm.tasks.detection.fingerprint import BLOCKS, TOP_ROWS, fingerprint, fingerprint_rungs, is_fingerprint

SIZE = (96, 64)
ROWS, CLASSES = 100, 3


@pytest.fixture
def boxes() -> Boxes:
    generator = np.random.default_rng(0)
    confidence = generator.dirichlet([0.3] * (CLASSES + 1), ROWS)[:, :CLASSES]
    return Boxes(confidence, generator.uniform(0.1, 0.9, (ROWS, 4)))


def rungs_of(stored: Boxes, found: Boxes) -> list[Rung]:
    through_json = json.loads(json.dumps(fingerprint(stored)))
    assert is_fingerprint(through_json)
    return fingerprint_rungs(through_json, found, CLASSES, SIZE, FLOAT16_LIMITS)


def test_the_same_boxes_in_a_padded_file(boxes: Boxes) -> None:
    padded = Boxes(np.pad(boxes.confidence, ((0, 0), (0, 77))), boxes.coordinates)
    score, box = rungs_of(boxes, padded)
    assert score.value == pytest.approx(0, abs=1e-6)
    assert box.value == pytest.approx(0, abs=1e-4)


def test_the_best_rows_are_kept_one_by_one(boxes: Boxes) -> None:
    rows = [int(row[0]) for row in fingerprint(boxes)['rows']]
    assert len(rows) == TOP_ROWS
    assert set(rows) == set(np.argsort(boxes.confidence.max(axis=1))[-TOP_ROWS:])
    for row in rows:
        off = Boxes(boxes.confidence.copy(), boxes.coordinates.copy())
        off.confidence[row, 0] += 0.1
        off.coordinates[row, 1] += 3 / SIZE[1]
        score, box = rungs_of(boxes, off)
        assert score.value == pytest.approx(0.1, abs=1e-6)
        assert box.value == pytest.approx(3, abs=1e-4)


def test_the_rest_shows_in_the_sums(boxes: Boxes) -> None:
    other = Boxes(boxes.confidence.copy(), boxes.coordinates.copy())
    rest = np.argsort(boxes.confidence.max(axis=1))[:-TOP_ROWS]
    other.confidence[rest] = other.confidence[rest][:, ::-1]
    other.coordinates[rest] = other.coordinates[rest][::-1]
    assert not any(rung.holds for rung in rungs_of(boxes, other))


def test_a_few_rows_far_off_show_in_the_sums(boxes: Boxes) -> None:
    many = Boxes(np.tile(boxes.confidence, (30, 1)), np.tile(boxes.coordinates, (30, 1)))
    other = Boxes(many.confidence, many.coordinates.copy())
    rest = [row for row in range(2900, 2924) if row not in {int(best[0]) for best in fingerprint(many)['rows']}]
    other.coordinates[rest[:6]] = np.random.default_rng(1).uniform(0.1, 0.9, (6, 4))  # in a mean of 187 rows, 0.5 px
    assert [rung.holds for rung in rungs_of(many, other)] == [True, False]


def test_padding_that_is_not_zero_does_not_hold(boxes: Boxes) -> None:
    padded = Boxes(np.pad(boxes.confidence, ((0, 0), (0, 77))), boxes.coordinates)
    padded.confidence[:, -1] = 0.9  # the label of every box
    score, box = rungs_of(boxes, padded)
    assert (score.value, box.holds) == (0.9, True)


@pytest.mark.parametrize('value', [math.nan, math.inf])
def test_what_is_no_number_does_not_hold(value: float, boxes: Boxes) -> None:
    broken = Boxes(boxes.confidence.copy(), boxes.coordinates.copy())
    broken.confidence[50, 1] = broken.coordinates[50, 1] = value
    assert not rungs_of(boxes, broken)[0].holds


def test_where_background_lies_says_nothing(boxes: Boxes) -> None:
    nothing = Boxes(boxes.confidence / 100, boxes.coordinates)
    moved = Boxes(nothing.confidence, nothing.coordinates.copy())
    best = int(np.argmax(nothing.confidence.max(axis=1)))
    moved.coordinates[best] += 0.02  # 2 px, and two fifths of it in the sum of its block
    assert rungs_of(nothing, moved)[1].holds


def test_other_rows_or_classes_do_not_hold(boxes: Boxes) -> None:
    fewer = Boxes(boxes.confidence[:4], boxes.coordinates[:4])
    (rung,) = rungs_of(boxes, fewer)
    assert (rung.value, rung.holds) == (math.inf, False)
    two = Boxes(boxes.confidence[:, :2], boxes.coordinates)
    stored = json.loads(json.dumps(fingerprint(boxes)))
    assert not fingerprint_rungs(stored, two, 2, SIZE, FLOAT16_LIMITS)[0].holds


def test_fewer_rows_than_blocks() -> None:
    few = Boxes(np.array([[0.5, 0.1, 0.2]]), np.array([[0.5, 0.5, 0.2, 0.2]]))
    stored = fingerprint(few)
    assert (len(stored['rows']), len(stored['sums'])) == (1, BLOCKS)
    assert all(rung.holds for rung in rungs_of(few, few))


GOOD: Any = {'rows': [[0, 0.5, 0.5, 0.1, 0.1, 0.9]], 'sums': [[0.5, 0.5, 0.1, 0.1, 0.9]] * BLOCKS}


def test_the_good_form() -> None:
    assert is_fingerprint(GOOD)


@pytest.mark.parametrize(
    'bad',
    [
        None,
        [],
        {'rows': GOOD['rows']},
        {**GOOD, 'more': []},
        {**GOOD, 'rows': []},
        {**GOOD, 'rows': [0.5]},
        {**GOOD, 'rows': [[-1, 0.5, 0.5, 0.1, 0.1, 0.9]]},
        {**GOOD, 'rows': [[0.5, 0.5, 0.5, 0.1, 0.1, 0.9]]},
        {**GOOD, 'rows': [[0, 0.5, 0.5, 0.1, 0.1, True]]},
        {**GOOD, 'rows': [[0, 0.5, 0.5, 0.1, 0.1, 'a']]},
        {**GOOD, 'rows': [[0, 0.5, 0.5, 0.1, 0.1, math.nan]]},
        {**GOOD, 'rows': [[0, 0.5, 0.5, 0.1, 0.1, 10**400]]},
        {**GOOD, 'rows': [[0, 0.5, 0.5, 0.1, 0.1]]},
        {**GOOD, 'rows': [*GOOD['rows'], [1]]},
        {**GOOD, 'sums': GOOD['sums'][1:]},
    ],
)
def test_bad_forms(bad: Any) -> None:
    assert not is_fingerprint(bad)
