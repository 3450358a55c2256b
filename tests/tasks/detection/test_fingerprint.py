"""A fingerprint of a detector's boxes tells other boxes from the same ones, and is told from anything else."""

import json
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mobileone_mm.artifact.card import Card
from mobileone_mm.artifact.inputs import Array
from mobileone_mm.artifact.ladder import Rung
from mobileone_mm.artifact.runner import Outputs
from mobileone_mm.exporter.report import Report
from mobileone_mm.tasks.detection.fingerprint import BLOCKS, TOP_ROWS, fingerprint, fingerprint_rungs, is_fingerprint

SIZE = (96, 64)
ROWS, CLASSES = 100, 3


def rows_of(confidence: Array, coordinates: Array) -> dict[str, Array]:
    return {'raw_confidence': confidence, 'raw_coordinates': coordinates}


def copied(boxes: Outputs) -> dict[str, Array]:
    return {name: values.copy() for name, values in boxes.items()}


@pytest.fixture
def boxes() -> dict[str, Array]:
    generator = np.random.default_rng(0)
    confidence = generator.dirichlet([0.3] * (CLASSES + 1), ROWS)[:, :CLASSES]
    return rows_of(confidence, generator.uniform(0.1, 0.9, (ROWS, 4)))


@pytest.fixture
def card(exported: Report) -> Card:
    """Of three classes and of `SIZE`."""
    assert (len(exported.info.classes), exported.info.input_size) == (CLASSES, SIZE)
    return exported.info


def rungs_of(card: Card, stored: Outputs, found: Outputs) -> list[Rung]:
    through_json = json.loads(json.dumps(fingerprint(stored)))
    assert is_fingerprint(through_json)
    return fingerprint_rungs(replace(card, probe=through_json), found, 'float16')


def test_the_same_boxes_in_a_padded_file(boxes: dict[str, Array], card: Card) -> None:
    padded = rows_of(np.pad(boxes['raw_confidence'], ((0, 0), (0, 77))), boxes['raw_coordinates'])
    score, box = rungs_of(card, boxes, padded)
    assert score.value == pytest.approx(0, abs=1e-6)
    assert box.value == pytest.approx(0, abs=1e-4)


def test_the_best_rows_are_kept_one_by_one(boxes: dict[str, Array], card: Card) -> None:
    rows = [int(row[0]) for row in fingerprint(boxes)['rows']]
    assert len(rows) == TOP_ROWS
    assert set(rows) == set(np.argsort(boxes['raw_confidence'].max(axis=1))[-TOP_ROWS:])
    for row in rows:
        off = copied(boxes)
        off['raw_confidence'][row, 0] += 0.1
        off['raw_coordinates'][row, 1] += 3 / SIZE[1]
        score, box = rungs_of(card, boxes, off)
        assert score.value == pytest.approx(0.1, abs=1e-6)
        assert box.value == pytest.approx(3, abs=1e-4)


def test_the_rest_shows_in_the_sums(boxes: dict[str, Array], card: Card) -> None:
    other = copied(boxes)
    rest = np.argsort(boxes['raw_confidence'].max(axis=1))[:-TOP_ROWS]
    other['raw_confidence'][rest] = other['raw_confidence'][rest][:, ::-1]
    other['raw_coordinates'][rest] = other['raw_coordinates'][rest][::-1]
    assert not any(rung.holds for rung in rungs_of(card, boxes, other))


def test_a_few_rows_far_off_show_in_the_sums(boxes: dict[str, Array], card: Card) -> None:
    many = rows_of(np.tile(boxes['raw_confidence'], (30, 1)), np.tile(boxes['raw_coordinates'], (30, 1)))
    other = rows_of(many['raw_confidence'], many['raw_coordinates'].copy())
    rest = [row for row in range(2900, 2924) if row not in {int(best[0]) for best in fingerprint(many)['rows']}]
    # In a mean of 187 rows, 0.5 px.
    other['raw_coordinates'][rest[:6]] = np.random.default_rng(1).uniform(0.1, 0.9, (6, 4))
    assert [rung.holds for rung in rungs_of(card, many, other)] == [True, False]


def test_padding_that_is_not_zero_does_not_hold(boxes: dict[str, Array], card: Card) -> None:
    padded = rows_of(np.pad(boxes['raw_confidence'], ((0, 0), (0, 77))), boxes['raw_coordinates'])
    padded['raw_confidence'][:, -1] = 0.9  # the label of every box
    score, box = rungs_of(card, boxes, padded)
    assert (score.value, box.holds) == (0.9, True)


@pytest.mark.parametrize('value', [math.nan, math.inf])
def test_what_is_no_number_does_not_hold(value: float, boxes: dict[str, Array], card: Card) -> None:
    broken = copied(boxes)
    broken['raw_confidence'][50, 1] = broken['raw_coordinates'][50, 1] = value
    assert not rungs_of(card, boxes, broken)[0].holds


def test_where_background_lies_says_nothing(boxes: dict[str, Array], card: Card) -> None:
    nothing = rows_of(boxes['raw_confidence'] / 100, boxes['raw_coordinates'])
    moved = rows_of(nothing['raw_confidence'], nothing['raw_coordinates'].copy())
    best = int(np.argmax(nothing['raw_confidence'].max(axis=1)))
    moved['raw_coordinates'][best] += 0.02  # 2 px, and two fifths of it in the sum of its block
    assert rungs_of(card, nothing, moved)[1].holds


def test_other_rows_or_classes_do_not_hold(boxes: dict[str, Array], card: Card) -> None:
    fewer = rows_of(boxes['raw_confidence'][:4], boxes['raw_coordinates'][:4])
    (rung,) = rungs_of(card, boxes, fewer)
    assert (rung.value, rung.holds) == (math.inf, False)
    two = rows_of(boxes['raw_confidence'][:, :2], boxes['raw_coordinates'])
    assert not rungs_of(replace(card, classes=card.classes[:2]), boxes, two)[0].holds


def test_fewer_rows_than_blocks(card: Card) -> None:
    few = rows_of(np.array([[0.5, 0.1, 0.2]]), np.array([[0.5, 0.5, 0.2, 0.2]]))
    stored = fingerprint(few)
    assert (len(stored['rows']), len(stored['sums'])) == (1, BLOCKS)
    assert all(rung.holds for rung in rungs_of(card, few, few))


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
