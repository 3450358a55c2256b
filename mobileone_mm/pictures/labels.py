"""The class of each pixel painted over a picture."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageColor, ImageDraw, ImageFont

from mobileone_mm.pictures.drawing import MARK, font_path, text_height
from mobileone_mm.pictures.reading import Picture

STRENGTH = 0.6  # of the colour over a picture, of 1
STRIPES = 8  # px from one stripe to the next, over pixels that no class has
LEAST_ROOM = 0.8  # text heights from a class's name to its border; where there is less, it is not named
PAD = 3  # px around a name

Colour = Sequence[int]


def paint_labels(picture: Picture, labels: NDArray[np.integer], palette: Sequence[Colour]) -> Picture:
    """A copy of the picture with each class in its colour, and grey stripes where there is none.

    Args:
        picture: (H, W, 3).
        labels: (H, W); what is no index into the palette has no class.
        palette: an RGB colour a class.
    """
    table = np.array(palette, np.float64)
    known = (labels >= 0) & (labels < len(table))
    colours = table[np.where(known, labels, 0)]
    painted = np.where(known[..., None], (1 - STRENGTH) * picture + STRENGTH * colours, picture)
    y, x = np.indices(labels.shape)
    painted[~known & ((x + y) % STRIPES < STRIPES // 4)] = 128
    edge = np.zeros(labels.shape, bool)
    edge[:, 1:] |= labels[:, 1:] != labels[:, :-1]
    edge[1:] |= labels[1:] != labels[:-1]
    painted[edge] = 255
    return painted.round().clip(0, 255).astype(np.uint8)


def draw_marked(picture: Picture, marked: NDArray[np.bool_]) -> Picture:
    """A copy of the picture (H, W, 3) in grey, with the marked pixels (H, W) in red."""
    grey = cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB).astype(np.uint8)
    grey[marked] = ImageColor.getrgb(MARK)
    return grey


def draw_labels(
    picture: Picture,
    labels: NDArray[np.integer],
    palette: Sequence[Colour],
    names: Sequence[str],
    marked: NDArray[np.bool_] | None = None,
) -> Picture:
    """A painted copy of the picture, each class named where it has most room.

    Args:
        picture: (H, W, 3).
        labels: (H, W), as `paint_labels` takes them.
        palette: an RGB colour a class.
        names: of the classes.
        marked: (H, W) true for pixels that are red instead.
    """
    painted = paint_labels(picture, labels, palette)
    if marked is not None:
        painted[marked] = ImageColor.getrgb(MARK)
    sheet = Image.fromarray(painted)
    draw, text = ImageDraw.Draw(sheet), text_height(picture)
    font = ImageFont.truetype(font_path(), text)
    for label in (int(label) for label in np.unique(labels) if 0 <= label < len(names)):
        # A border of zeros: beyond the picture there is no room.
        inside = cv2.copyMakeBorder((labels == label).astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
        room = cv2.distanceTransform(inside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1]
        if room.max() < text * LEAST_ROOM:
            continue
        row, column = (int(place) for place in np.unravel_index(int(room.argmax()), room.shape))
        left, top, right, bottom = draw.textbbox((column, row), names[label], font, anchor='mm')
        # The whole name stays on the picture.
        x = max(PAD - left, min(0, sheet.width - 1 - PAD - right))
        y = max(PAD - top, min(0, sheet.height - 1 - PAD - bottom))
        draw.rectangle((left + x - PAD, top + y - PAD, right + x + PAD, bottom + y + PAD), fill='black')
        draw.text((column + x, row + y), names[label], 'white', font, anchor='mm')
    return np.asarray(sheet).copy()
