"""Boxes and labels on pictures, drawn by supervision; class maps over them; two pictures side by side."""

from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import matplotlib
import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageColor, ImageDraw, ImageFont

from mobileone_mm.errors import MobileOneError
from mobileone_mm.pictures.colours import class_colour
from mobileone_mm.pictures.reading import Picture, channels_swapped

SEAM = 2  # px between the two of a pair
PALETTE = ('#ffb000', '#00d68f', '#4ea8ff', '#ff6b8b', '#b07cff', '#c9d200')  # light: black text reads on each
MARK = '#e00024'  # around boxes that differ; white text reads on it
HEADER = 44  # px above a pair, at least
COVER = 0.5  # of a picture under a class's colour
LEAST_ROOM = 0.7  # text heights from a class's name to its border; where there is less, it is not named
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
    line, text = THINNEST_LINE + max(picture.shape[:2]) // SIDE_PER_LINE, _text_height(picture)
    classes, marks = np.asarray(labels, dtype=int).reshape(-1), np.asarray(marked, dtype=bool).reshape(-1)
    detections = sv.Detections(xyxy=xyxy, class_id=classes)
    palette = sv.ColorPalette.from_hex([*PALETTE, MARK])
    inks = sv.ColorPalette([sv.Color.BLACK] * len(PALETTE) + [sv.Color.WHITE])
    colours = classes % len(PALETTE)
    annotate_marks = sv.BoxAnnotator(color=sv.Color.from_hex(MARK), thickness=4 * line)
    annotate_frames = sv.BoxAnnotator(color=palette, thickness=line)
    annotate_labels = sv.RichLabelAnnotator(
        palette, text_color=inks, font_path=_font_path(), font_size=text, text_padding=text // 4, smart_position=True
    )
    # supervision draws in BGR.
    canvas = annotate_marks.annotate(
        channels_swapped(picture), sv.Detections(xyxy=xyxy[marks], class_id=classes[marks])
    )
    canvas = annotate_frames.annotate(canvas, detections, custom_color_lookup=colours)
    canvas = annotate_labels.annotate(canvas, detections, list(texts), np.where(marks, len(PALETTE), colours))
    return channels_swapped(_uint8(canvas))


def draw_classes(
    picture: Picture, classes: NDArray[np.int32], names: Sequence[str], marked: NDArray[np.bool_] | None = None
) -> Picture:
    """A copy of the picture under the colours of its classes, each named where it has most room.

    Args:
        picture: (H, W, 3).
        classes: (H, W) index of the class; what has no name stays as it is.
        names: of the classes.
        marked: (H, W) true for pixels that are red instead.
    """
    canvas = picture.astype(np.float64)
    present = [index for index in np.unique(classes) if 0 <= index < len(names)]
    for index in present:
        here = classes == index
        canvas[here] += (np.array(class_colour(int(index))) - canvas[here]) * COVER
        inner = cv2.erode(here.astype(np.uint8), np.ones((3, 3), np.uint8), borderValue=1).astype(bool)
        canvas[here & ~inner] = class_colour(int(index))
    if marked is not None:
        canvas[marked] = ImageColor.getrgb(MARK)
    sheet = Image.fromarray(_uint8(canvas.round()))
    draw, text = ImageDraw.Draw(sheet), _text_height(picture)
    font = ImageFont.truetype(_font_path(), text)
    for index in present:
        # A border of zeros: beyond the picture there is no room.
        inside = cv2.copyMakeBorder((classes == index).astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
        room = cv2.distanceTransform(inside, cv2.DIST_L2, 3)[1:-1, 1:-1]
        if room.max() < text * LEAST_ROOM:
            continue
        row, column = np.unravel_index(int(room.argmax()), room.shape)
        box = draw.textbbox((int(column), int(row)), names[index], font, anchor='mm')
        draw.rectangle((box[0] - 3, box[1] - 2, box[2] + 3, box[3] + 2), fill='black')
        draw.text((int(column), int(row)), names[index], 'white', font, anchor='mm')
    return _uint8(np.asarray(sheet).copy())


def resized(picture: Picture, side: int) -> Picture:
    """The picture with its longer side at `side` px."""
    zoom = side / max(picture.shape[:2])
    way = cv2.INTER_CUBIC if zoom > 1 else cv2.INTER_AREA
    return _uint8(cv2.resize(picture, None, fx=zoom, fy=zoom, interpolation=way))


def beside(left: Picture, right: Picture, headers: tuple[str, str]) -> Picture:
    """Two pictures of one size side by side on white, a line of text above each."""
    height, width = left.shape[:2]
    text = _text_height(left)
    top = max(HEADER, 2 * text)
    canvas = Image.new('RGB', (2 * width + SEAM, top + height), 'white')
    draw, font = ImageDraw.Draw(canvas), ImageFont.truetype(_font_path(), text)
    for start, header in zip((0, width + SEAM), headers, strict=True):
        draw.text((start + text // 2, top // 2), _fitting(header, font, width - text), 'black', font, anchor='lm')
    sheet = _uint8(np.asarray(canvas).copy())
    sheet[top:, :width], sheet[top:, width + SEAM :] = left, right
    return sheet


def _text_height(picture: Picture) -> int:
    return SMALLEST_TEXT + int(max(picture.shape[:2])) // SIDE_PER_TEXT


def _fitting(text: str, font: ImageFont.FreeTypeFont, width: int) -> str:
    """The text, or as much of its end as fits into `width` px: of a path, the end tells more."""
    for start in range(len(text)):
        shown = text if start == 0 else f'…{text[start:]}'
        if font.getlength(shown) <= width:
            return shown
    return ''


def _font_path() -> str:
    # Pillow's own font knows ASCII only; this one, Latin, Greek and Cyrillic too.
    return str(Path(matplotlib.get_data_path()) / 'fonts/ttf/DejaVuSans.ttf')


def _uint8(image: NDArray[Any]) -> Picture:
    """OpenCV returns what it was given, but its types do not say so."""
    return image.astype(np.uint8, copy=False)
