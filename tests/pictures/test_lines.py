"""Lines of text on a picture: where they are, and what is on red."""

import numpy as np
import pytest
from PIL import ImageColor

from mobileone_mm.pictures.drawing import MARK
from mobileone_mm.pictures.lines import SPACING, draw_lines, line_height
from mobileone_mm.pictures.reading import Picture

GREY = np.full((120, 240, 3), 90, np.uint8)
RED = ImageColor.getrgb(MARK)


def rows_of(picture: Picture, colour: tuple[int, ...]) -> set[int]:
    return set(np.nonzero((picture == colour).all(axis=2).any(axis=1))[0].tolist())


def test_each_line_has_its_place_and_the_picture_given_stays() -> None:
    drawn = draw_lines(GREY, ['cup', 'spoon'])
    text = line_height(GREY)
    for place in range(2):
        middle = int(text * (1 + SPACING * place))
        assert middle in rows_of(drawn, (0, 0, 0))
    assert (drawn[int(text * (2 + SPACING)) :] == 90).all()
    assert (GREY == 90).all()


def test_the_first_line_alone_is_marked() -> None:
    drawn, text = draw_lines(GREY, ['cup', 'spoon'], marked=True), line_height(GREY)
    red, black = rows_of(drawn, RED), rows_of(drawn, (0, 0, 0))
    assert text in red
    assert int(text * (1 + SPACING)) in black - red
    assert not rows_of(draw_lines(GREY, ['cup', 'spoon']), RED)


def test_no_lines_change_nothing() -> None:
    np.testing.assert_array_equal(draw_lines(GREY, []), GREY)


def test_lines_of_pictures_that_are_shown_in_one_width_look_alike() -> None:
    tall, wide = np.zeros((640, 480, 3), np.uint8), np.zeros((480, 960, 3), np.uint8)
    assert line_height(tall) / 480 == pytest.approx(line_height(wide) / 960, rel=0.05)
    assert line_height(GREY) >= 12  # and can be read on small ones
