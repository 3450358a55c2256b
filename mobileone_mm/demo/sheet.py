"""A sheet of pictures in pairs: what is there beside what was found."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from mobileone_mm.pictures.drawing import SEAM
from mobileone_mm.pictures.reading import Picture, write_picture

PANEL = 320  # px, side of one enlarged picture: labels of small boxes stay legible
COUNT = 12  # pairs: the first ones of a set, not chosen by how well they went
GAP = 16  # px between pairs
COLUMNS = 3
HEADER = 44  # px above the first row


def write_sheet(out: Path, pairs: Sequence[tuple[Picture, Picture]], header: str) -> None:
    """Write a PNG with pairs of pictures in rows.

    Args:
        out: the PNG.
        pairs: two pictures (H, W, 3) of one size each, at least one pair.
        header: what is left and what is right, above every column.
    """
    seamed = [np.hstack([left, np.full((len(left), SEAM, 3), 255, np.uint8), right]) for left, right in pairs]
    write_picture(out, _tile(seamed, header))


def _tile(pairs: Sequence[Picture], header: str) -> Picture:
    """Pairs in rows of `COLUMNS` on white, the header above every column."""
    height, width = (max(pair.shape[axis] for pair in pairs) + GAP for axis in (0, 1))
    columns = min(COLUMNS, len(pairs))
    sheet = np.full((HEADER + -(-len(pairs) // columns) * height, GAP + columns * width, 3), 255, np.uint8)
    for index, pair in enumerate(pairs):
        top, left = HEADER + index // columns * height, GAP + index % columns * width
        sheet[top : top + pair.shape[0], left : left + pair.shape[1]] = pair
    for column in range(columns):
        place = (GAP + column * width, HEADER - 14)
        cv2.putText(sheet, header, place, cv2.FONT_HERSHEY_SIMPLEX, 0.7, (0, 0, 0), 1, cv2.LINE_AA)
    return sheet
