"""Batch, epochs and input size by the size of a set."""

import pytest

from mobileone_mm.setup.amounts import Amounts, amounts_for, segmenter_size


@pytest.mark.parametrize(
    ('task', 'pictures', 'expected'),
    [
        ('detection', 140, Amounts(16, 60, 8)),  # BCCD
        ('segmentation', 92, Amounts(8, 70, 11)),  # CamVid
        ('classification', 400, Amounts(16, 30, 25)),  # flowers5
        ('detection', 5000, Amounts(16, 20, 312)),  # a large set sees each picture often enough
        ('detection', 40, Amounts(8, 100, 5)),
        ('detection', 9, Amounts(2, 125, 4)),
        ('detection', 3, Amounts(2, 200, 1)),
    ],
)
def test_amounts(task: str, pictures: int, expected: Amounts) -> None:
    found = amounts_for(task, pictures)
    assert found == expected
    assert found.batch <= max(2, pictures)  # one batch at least: the last, if it is not full, is dropped


@pytest.mark.parametrize(
    ('sizes', 'expected'),
    [
        ([(480, 360)], (480, 352)),  # in whole strides
        ([(1920, 1080)] * 9 + [(1280, 720)], (512, 288)),
        ([(640, 480), (480, 640)], (480, 480)),  # no shape of its own: a square
        ([(2000, 1000), (1000, 1000), (1000, 2000)], (512, 512)),
        ([(20, 20)], (32, 32)),
    ],
)
def test_a_segmenters_input_has_the_pictures_shape(sizes: list[tuple[int, int]], expected: tuple[int, int]) -> None:
    assert segmenter_size(sizes) == expected
