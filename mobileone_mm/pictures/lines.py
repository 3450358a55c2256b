"""Lines of text on a picture."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from mobileone_mm.pictures.drawing import MARK, SMALLEST_TEXT, font_path
from mobileone_mm.pictures.reading import Picture

TEXT_PER_WIDTH = 0.036  # pages show all pictures in one width, whatever their shape
SPACING = 1.6  # text heights from one line to the next


def draw_lines(picture: Picture, lines: Sequence[str], marked: bool = False) -> Picture:
    """A copy of the picture (H, W, 3) with lines of text in its upper left corner, white on black.

    Args:
        picture: (H, W, 3).
        lines: from the upper edge on.
        marked: whether the first one is on red.
    """
    sheet, text = Image.fromarray(picture), line_height(picture)
    draw, font, pad = ImageDraw.Draw(sheet), ImageFont.truetype(font_path(), text), text // 4
    for place, line in enumerate(lines):
        start = text, int(text * (1 + SPACING * place))
        left, top, right, bottom = draw.textbbox(start, line, font, anchor='lm')
        draw.rectangle((left - pad, top - pad, right + pad, bottom + pad), MARK if marked and place == 0 else 'black')
        draw.text(start, line, 'white', font, anchor='lm')
    return np.asarray(sheet).copy()


def line_height(picture: Picture) -> int:
    """Px of a line's text."""
    return max(SMALLEST_TEXT, round(TEXT_PER_WIDTH * int(picture.shape[1])))
