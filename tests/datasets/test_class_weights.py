"""Class weights from pixel counts: the documented formula, and its edges."""

import math

import pytest

from mobileone_mm.datasets.class_weights import class_weights
from mobileone_mm.errors import DataError


def test_a_class_of_a_quarter_of_the_pixels_weighs_twice_as_much() -> None:
    frequent, rare = class_weights([400, 100])
    assert rare == pytest.approx(2 * frequent)
    assert (frequent + rare) / 2 == pytest.approx(1)


def test_as_many_pixels_of_each_class_change_nothing() -> None:
    assert class_weights([7, 7, 7]) == pytest.approx([1, 1, 1])


@pytest.mark.parametrize('cap', [1.0, 3.0, 10.0])
def test_a_class_of_a_few_pixels_does_not_outweigh_the_rest(cap: float) -> None:
    weights = class_weights([10**9, 1, 10**6], cap=cap)
    assert max(weights) / min(weights) == pytest.approx(cap)
    assert sum(weights) / 3 == pytest.approx(1)


def test_a_class_without_pixels_gets_one_and_moves_no_other() -> None:
    with_it = class_weights([400, 0, 100])
    assert with_it[1] == 1
    assert [with_it[0], with_it[2]] == pytest.approx(class_weights([400, 100]))


def test_twice_the_pictures_change_nothing() -> None:
    assert class_weights([30, 500, 4]) == pytest.approx(class_weights([60, 1000, 8]))


@pytest.mark.parametrize('counts', [[], [0, 0], [3, -1], [3, math.nan]])
def test_counts_that_are_none_are_refused(counts: list[int]) -> None:
    with pytest.raises(DataError, match='expected the number of pixels of each class'):
        class_weights(counts)


def test_a_cap_below_one_is_refused() -> None:
    with pytest.raises(DataError, match=r'cap=0.5 given, expected a number from 1'):
        class_weights([1, 2], cap=0.5)
