"""Detections drawn on their picture, alone or beside another detector's with what differs marked."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from mobileone_mm.pictures.drawing import Bgr, draw_boxes
from mobileone_mm.tasks.detection.agreement import Agreement, Mask
from mobileone_mm.tasks.detection.detections import Detections


def drawn(image_bgr: Bgr, found: Detections, classes: Sequence[str]) -> Bgr:
    """A copy of the picture (H, W, 3) with every box, its class and score."""
    return _drawn(image_bgr, found, classes, np.zeros(len(found.scores), dtype=bool), [''] * len(found.scores))


def drawn_pair(
    image_bgr: Bgr, left: Detections, right: Detections, classes: Sequence[str], compared: Agreement
) -> tuple[Bgr, Bgr]:
    """Two copies of the picture (H, W, 3): a box that differs has a red frame, and its label says by how much."""
    rows, columns = compared.partners.T
    difference = np.full(len(right.scores), np.nan)
    difference[columns] = compared.score_differences
    alone = np.ones(len(left.scores), dtype=bool)
    alone[rows] = False
    left_notes = [' only here' if lonely else '' for lonely in alone]
    right_notes = [
        '' if not differs else ' only here' if np.isnan(value) else f' ({value:+.2f})'
        for value, differs in zip(difference, compared.right_differs, strict=True)
    ]
    return (
        _drawn(image_bgr, left, classes, compared.left_differs, left_notes),
        _drawn(image_bgr, right, classes, compared.right_differs, right_notes),
    )


def in_pixels(found: Detections, size: tuple[int, int]) -> npt.NDArray[np.float64]:
    """Corners (M, 4) in px of a picture of `size` (width, height)."""
    return found.boxes * (*size, *size)


def _drawn(image_bgr: Bgr, found: Detections, classes: Sequence[str], marked: Mask, notes: Sequence[str]) -> Bgr:
    texts = [
        f'{classes[label]} {score:.2f}{note}'
        for label, score, note in zip(found.labels, found.scores, notes, strict=True)
    ]
    height, width = image_bgr.shape[:2]
    return draw_boxes(image_bgr, in_pixels(found, (width, height)), found.labels, texts, marked)
