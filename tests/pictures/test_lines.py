"""Lines of text on a picture: where they are, and what is on red."""

import numpy as np
from PIL import ImageColor

from mobileone_mm.pictures.drawing import MARK, text_height
from mobileone_mm.pictures.lines import SPACING, draw_lines
from mobileone_mm.pictures.reading import Picture

GREY = np.full((120, 240, 3), 90, np.uint8)
RED = ImageColor.getrgb(MARK)


def rows_of(picture: Picture, colour: tuple[int, ...]) -> set[int]:
    return set(np.nonzero((picture == colour).all(axis=2).any(axis=1))[0].tolist())


def test_each_line_has_its_place_and_the_picture_given_stays() -> None:
    drawn = draw_lines(GREY, ['cup', 'spoon'])
    text = text_height(GREY)
    for place in range(2):
        middle = int(text * (1 + SPACING * place))
        assert middle in rows_of(drawn, (0, 0, 0))
    assert (drawn[int(text * (2 + SPACING)) :] == 90).all()
    assert (GREY == 90).all()


def test_the_first_line_alone_is_marked() -> None:
    drawn, text = draw_lines(GREY, ['cup', 'spoon'], marked=True), text_height(GREY)
    red, black = rows_of(drawn, RED), rows_of(drawn, (0, 0, 0))
    assert text in red
    assert int(text * (1 + SPACING)) in black - red
    assert not rows_of(draw_lines(GREY, ['cup', 'spoon']), RED)


def test_no_lines_change_nothing() -> None:
    np.testing.assert_array_equal(draw_lines(GREY, []), GREY)
