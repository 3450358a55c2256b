"""Logits and class maps compared: what counts, what is a tie, and what is no number."""

from typing import Any

import numpy as np
import pytest

from mobileone_mm.artifact.ladder import Rung, first_failed
from mobileone_mm.artifact.room import widened
from mobileone_mm.errors import ParityError
from mobileone_mm.tasks.segmentation.graph import CLASS_MAP, LOGITS
from mobileone_mm.tasks.segmentation.maps import LIMITS, compare, most

SHAPE = (1, 3, 4, 5)
SIZE = (5, 4)


def outputs(logits: Any) -> dict[str, Any]:
    return {LOGITS: logits, CLASS_MAP: logits[0].argmax(axis=0).astype(np.int32)}


def logits() -> Any:
    """Class 0 everywhere, by 10; the range is 10."""
    made = np.zeros(SHAPE)
    made[:, 0] = 10
    return made


def compared(expected: Any, found: Any, step: str = 'float16') -> list[Rung]:
    return compare('x', [(outputs(logits()), outputs(logits())), (expected, found)], SIZE, step)


def test_the_same_is_the_same() -> None:
    assert [(rung.value, rung.unit, rung.psnr_db) for rung in compared(outputs(logits()), outputs(logits()))] == [
        (0, 'of range', None),
        (0, 'of pixels', None),
    ]


def test_the_worst_logit_counts_as_a_fraction_of_the_range() -> None:
    found = logits()
    found[0, 1, 2, 3] = -0.5
    score, pixels = compared(outputs(logits()), outputs(found))
    assert score.value == pytest.approx(0.05)
    assert not score.holds
    assert pixels.value == 0


def test_a_pixel_of_another_class_counts() -> None:
    found = logits()
    found[0, 1, 2, 3] = 11
    _, pixels = compared(outputs(logits()), outputs(found))
    assert pixels.value == 1 / 20
    assert not pixels.holds


@pytest.mark.parametrize(('margin', 'is_tie'), [(0.9, True), (1.1, False)])
def test_a_tie_is_counted_apart(margin: float, is_tie: bool) -> None:
    expected, found = logits(), logits()
    close = margin * 2 * LIMITS['float16'].tie * 10
    expected[0, 1, 2, 3] = 10 - close
    found[0, 1, 2, 3] = 10 + close
    _, pixels = compared(outputs(expected), outputs(found))
    assert pixels.value == (0 if is_tie else 1 / 20)
    said = '1 pixel changed class but is not counted: the logits of the two classes were within 0.002 of the range'
    assert pixels.note == (said if is_tie else '')


def test_a_class_that_there_is_not_is_no_tie() -> None:
    found = outputs(logits())
    found[CLASS_MAP] = found[CLASS_MAP] + 7
    _, pixels, _ = compared(outputs(logits()), found)
    assert pixels.value == 1


@pytest.mark.parametrize('value', [np.nan, np.inf])
def test_what_is_no_number_fails(value: float) -> None:
    found = logits()
    found[0, 1, 2, 3] = value
    assert not any(rung.holds for rung in compared(outputs(logits()), outputs(found)))


def test_other_shapes_are_refused() -> None:
    with pytest.raises(ParityError, match=r'logits of shape \(1, 2, 4, 5\) given, \(1, 3, 4, 5\) expected'):
        compared(outputs(logits()), outputs(logits()[:, :2]))


def test_a_map_coarser_than_the_picture_is_compared_place_by_place() -> None:
    found = logits()
    found[0, 1, 2, 3] = 11
    pairs = [outputs(logits()), outputs(found)]
    for one in pairs:
        one[CLASS_MAP] = one[CLASS_MAP].repeat(4, axis=0).repeat(4, axis=1)
    _, pixels = compare('x', [(pairs[0], pairs[1])], (20, 16), 'float16')
    assert pixels.value == 16 / 320


def test_squares_that_lie_elsewhere_are_no_ties() -> None:
    expected = logits()
    expected[0, 1, :, 3:] = 20  # the last two columns
    one = outputs(expected)
    one[CLASS_MAP] = one[CLASS_MAP].repeat(4, axis=0).repeat(4, axis=1)
    for step in (-2, 2):
        moved = {**one, CLASS_MAP: np.roll(one[CLASS_MAP], step, axis=1)}
        _, pixels, _ = compare('x', [(one, moved)], (20, 16), 'float16')
        assert pixels.value == 2 * 2 * 16 / 320  # two pixels at each of both edges, one of which is the picture's
        assert pixels.note == ''


def test_a_map_is_held_to_its_own_logits_however_much_rounding_moves_those() -> None:
    expected, turned = logits(), logits()
    expected[0, 1, :, 3:] = turned[0, 1, :, 3:] = 10.001
    expected[0, 2, 0, 0] = turned[0, 2, 0, 0] = 10  # a tie
    turned[0, 1, 3, 4] = 9.999
    tied, rounded, wrong = outputs(expected), outputs(turned), outputs(expected)
    tied[CLASS_MAP][0, 0] = 2
    wrong[CLASS_MAP][3, 4] = 0  # as in the rounded one, but its logits say otherwise
    noise = {'float32': {'of range': 0.01, 'of pixels': 0.03}}
    for found, expected_failure in ((tied, None), (rounded, None), (wrong, (1 / 20, 'of the map'))):
        rungs = widened(compare('x', [(outputs(expected), found)], SIZE, 'float32'), 'float32', noise, most(SIZE))
        failed = first_failed(rungs)
        assert (failed and (failed.value, failed.unit)) == expected_failure
