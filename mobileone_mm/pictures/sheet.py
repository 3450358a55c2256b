"""Many pictures on one sheet, with a legend."""

from collections.abc import Sequence

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from mobileone_mm.pictures.drawing import font_path
from mobileone_mm.pictures.reading import Picture

GAP = 12  # px between pictures and around them
TEXT = 15  # px
LINE = 24  # px that a line of text takes

Colour = Sequence[int]


def fitted(picture: Picture, side: int) -> Picture:
    """The picture with its longer side at `side` px, its pixels not smoothed where it grows."""
    zoom = side / max(picture.shape[:2])
    width, height = (max(1, round(zoom * length)) for length in (picture.shape[1], picture.shape[0]))
    way = cv2.INTER_NEAREST if zoom > 1 else cv2.INTER_AREA
    return np.asarray(cv2.resize(picture, (width, height), interpolation=way), dtype=np.uint8)


def captioned(picture: Picture, text: str) -> Picture:
    """The picture on white, a line of text below it, or as much of the text's beginning as fits."""
    height, width = picture.shape[:2]
    sheet = Image.new('RGB', (width, height + LINE), 'white')
    sheet.paste(Image.fromarray(picture))
    font = ImageFont.truetype(font_path(), TEXT)
    ends = (text, *(f'{text[:end]}…' for end in range(len(text) - 1, 0, -1)), '')
    fitting = next(line for line in ends if font.getlength(line) <= width)
    ImageDraw.Draw(sheet).text((0, height + LINE // 2), fitting, 'black', font, anchor='lm')
    return np.asarray(sheet).copy()


def sheet_of(pictures: Sequence[Picture], columns: int, header: str, legend: Sequence[tuple[str, Colour]]) -> Picture:
    """Pictures in rows on white, a line of text above them, and below them the colours of the classes.

    Args:
        pictures: (H, W, 3) each, at least one; the largest gives the size of a cell.
        columns: most of a row.
        header: the line above.
        legend: names with their RGB colours; empty for none.
    """
    columns = min(columns, len(pictures))
    height, width = (max(picture.shape[axis] for picture in pictures) + GAP for axis in (0, 1))
    rows = -(-len(pictures) // columns)
    across = GAP + columns * width
    font = ImageFont.truetype(font_path(), TEXT)
    places, bottom = _legend_places([name for name, _ in legend], font, across)
    top, foot = GAP + LINE, GAP + LINE + rows * height
    sheet = Image.new('RGB', (across, foot + bottom), 'white')
    draw = ImageDraw.Draw(sheet)
    draw.text((GAP, GAP), header, 'black', font)
    for index, picture in enumerate(pictures):
        place = (GAP + index % columns * width, top + index // columns * height)
        sheet.paste(Image.fromarray(picture), place)
    for (name, colour), (x, y) in zip(legend, places, strict=True):
        red, green, blue = (int(level) for level in colour)
        draw.rectangle((x, foot + y, x + TEXT, foot + y + TEXT), (red, green, blue), 'black')
        draw.text((x + LINE, foot + y - 1), name, 'black', font)
    return np.asarray(sheet).copy()


def _legend_places(
    names: Sequence[str], font: ImageFont.FreeTypeFont, across: int
) -> tuple[list[tuple[int, int]], int]:
    """Where the entry of each name begins, left to right in lines, and the height of all lines."""
    places, x, y = [], GAP, 0
    for name in names:
        length = LINE + int(font.getlength(name)) + LINE
        if x > GAP and x + length > across:
            x, y = GAP, y + LINE
        places.append((x, y))
        x += length
    return places, y + LINE if names else 0
