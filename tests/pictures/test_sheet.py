"""Sheets of pictures with a legend: what is where."""

import numpy as np
import pytest

from mobileone_mm.pictures.sheet import GAP, LINE, captioned, fitted, sheet_of

RED, BLUE = (255, 0, 0), (0, 0, 255)


def plain(height: int, width: int, level: int = 100) -> np.ndarray:
    return np.full((height, width, 3), level, np.uint8)


@pytest.mark.parametrize(('shape', 'expected'), [((10, 20), (40, 80)), ((400, 100), (80, 20)), ((1, 500), (1, 80))])
def test_the_longer_side_has_the_length_that_was_asked_for(shape: tuple[int, int], expected: tuple[int, int]) -> None:
    assert fitted(plain(*shape), 80).shape[:2] == expected


def test_a_sheet_has_its_pictures_in_rows_and_the_colours_below() -> None:
    pictures = [plain(40, 60, level) for level in (10, 20, 30)]
    sheet = sheet_of(pictures, 2, 'header', [('red', RED), ('blue', BLUE)])
    top, left = GAP + LINE, GAP
    for index, level in enumerate((10, 20, 30)):
        y, x = top + index // 2 * (40 + GAP), left + index % 2 * (60 + GAP)
        assert (sheet[y : y + 40, x : x + 60] == level).all()
    assert (sheet[top + 40 + GAP :, left + 60 + GAP : left + 120 + GAP][:40] == 255).all()  # no fourth
    below = sheet[top + 2 * (40 + GAP) :]
    for colour in (RED, BLUE):
        assert (below == colour).all(axis=-1).any()


def test_a_long_legend_goes_on_in_the_next_line() -> None:
    names = [(f'a class of number {index}', RED) for index in range(6)]
    one, many = (sheet_of([plain(40, 300)], 2, '', legend) for legend in (names[:1], names))
    assert one.shape[1] == many.shape[1]
    assert many.shape[0] - one.shape[0] == 5 * LINE  # each fills one


def test_a_caption_stands_below_the_picture_and_no_further_than_it() -> None:
    sheet = captioned(plain(40, 60), 'cat')
    assert sheet.shape == (40 + LINE, 60, 3)
    assert (sheet[:40] == 100).all()
    assert sheet[40:, :30].min() < 100
    assert (sheet[40:, 35:] == 255).all()
    long = captioned(plain(40, 60), 'a name that does not fit below it')
    assert long.shape == sheet.shape
    assert long[40:, 35:50].min() < 100
    assert captioned(plain(40, 1), 'cat').shape == (40 + LINE, 1, 3)
