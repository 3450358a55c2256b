"""Boxes and labels on pictures, drawn by supervision; two pictures side by side."""

from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import matplotlib
import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageDraw, ImageFont

from mobileone_mm.errors import MobileOneError
from mobileone_mm.pictures import colours
from mobileone_mm.pictures.colours import hexadecimal
from mobileone_mm.pictures.reading import Picture, channels_swapped

SEAM = 2  # px between the two of a pair
PALETTE = ('#ffb000', '#00d68f', '#4ea8ff', '#ff6b8b', '#b07cff', '#c9d200')  # light: black text reads on each
MARK = hexadecimal(colours.MARK)  # around boxes that differ
HEADER = 44  # px above a pair, at least
THINNEST_LINE, SMALLEST_TEXT = 2, 12  # px; both grow slower than the picture, which is then looked at as a whole
SIDE_PER_LINE, SIDE_PER_TEXT = 400, 100  # px of the longer side for one px more


def supervision() -> ModuleType:
    """Import supervision late: who draws nothing needs none.

    Raises:
        MobileOneError: it cannot be imported.
    """
    try:
        import supervision
    except ImportError as error:
        install = "install it: pip install 'mobileone-mm[pictures]'"
        raise MobileOneError(f'supervision cannot be imported ({error}); {install}') from error
    module: ModuleType = supervision
    return module


def draw_boxes(
    picture: Picture, xyxy: NDArray[np.float64], labels: ArrayLike, texts: Sequence[str], marked: ArrayLike
) -> Picture:
    """A copy of the picture with framed and labelled boxes; frames and text grow with the picture.

    Args:
        picture: (H, W, 3).
        xyxy: (M, 4) left, top, right, bottom in px.
        labels: (M,) index of the class, which chooses the colour.
        texts: one a box.
        marked: (M,) true for boxes that get a red frame around theirs, and a red label.

    Raises:
        MobileOneError: supervision cannot be imported.
    """
    sv = supervision()
    line, text = THINNEST_LINE + max(picture.shape[:2]) // SIDE_PER_LINE, text_height(picture)
    classes, marks = np.asarray(labels, dtype=int).reshape(-1), np.asarray(marked, dtype=bool).reshape(-1)
    detections = sv.Detections(xyxy=xyxy, class_id=classes)
    palette = sv.ColorPalette.from_hex([*PALETTE, MARK])
    inks = sv.ColorPalette([sv.Color.BLACK] * len(PALETTE) + [sv.Color.WHITE])
    colours = classes % len(PALETTE)
    annotate_marks = sv.BoxAnnotator(color=sv.Color.from_hex(MARK), thickness=4 * line)
    annotate_frames = sv.BoxAnnotator(color=palette, thickness=line)
    annotate_labels = sv.RichLabelAnnotator(
        palette, text_color=inks, font_path=font_path(), font_size=text, text_padding=text // 4, smart_position=True
    )
    # supervision draws in BGR.
    canvas = annotate_marks.annotate(
        channels_swapped(picture), sv.Detections(xyxy=xyxy[marks], class_id=classes[marks])
    )
    canvas = annotate_frames.annotate(canvas, detections, custom_color_lookup=colours)
    canvas = annotate_labels.annotate(canvas, detections, list(texts), np.where(marks, len(PALETTE), colours))
    return channels_swapped(_uint8(canvas))


def resized(picture: Picture, side: int) -> Picture:
    """The picture with its longer side at `side` px."""
    zoom = side / max(picture.shape[:2])
    way = cv2.INTER_CUBIC if zoom > 1 else cv2.INTER_AREA
    return _uint8(cv2.resize(picture, None, fx=zoom, fy=zoom, interpolation=way))


def beside(left: Picture, right: Picture, headers: tuple[str, str]) -> Picture:
    """Two pictures of one size side by side on white, a line of text above each."""
    height, width = left.shape[:2]
    text = text_height(left)
    top = max(HEADER, 2 * text)
    canvas = Image.new('RGB', (2 * width + SEAM, top + height), 'white')
    draw, font = ImageDraw.Draw(canvas), ImageFont.truetype(font_path(), text)
    for start, header in zip((0, width + SEAM), headers, strict=True):
        draw.text((start + text // 2, top // 2), _fitting(header, font, width - text), 'black', font, anchor='lm')
    sheet = _uint8(np.asarray(canvas).copy())
    sheet[top:, :width], sheet[top:, width + SEAM :] = left, right
    return sheet


def text_height(picture: Picture) -> int:
    """Px of text on a picture: it grows slower than the picture, which is looked at as a whole."""
    return SMALLEST_TEXT + int(max(picture.shape[:2])) // SIDE_PER_TEXT


def _fitting(text: str, font: ImageFont.FreeTypeFont, width: int) -> str:
    """The text, or as much of its end as fits into `width` px: of a path, the end tells more."""
    for start in range(len(text)):
        shown = text if start == 0 else f'…{text[start:]}'
        if font.getlength(shown) <= width:
            return shown
    return ''


def font_path() -> str:
    """The font of all that is written into pictures."""
    # Pillow's own font knows ASCII only; this one, Latin, Greek and Cyrillic too.
    return str(Path(matplotlib.get_data_path()) / 'fonts/ttf/DejaVuSans.ttf')


def _uint8(image: NDArray[Any]) -> Picture:
    """OpenCV returns what it was given, but its types do not say so."""
    return image.astype(np.uint8, copy=False)
