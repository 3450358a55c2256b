"""Sheets of pictures with what was drawn beside what was found. Boxes and labels are drawn by supervision."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import supervision as sv
from numpy.typing import NDArray

from mobileone_mm.atomic import replacing
from mobileone_mm.errors import DataError

PANEL = 320  # px, side of one enlarged picture on the sheet: labels of small boxes stay legible
SEAM = 2  # px between the two of a pair
GAP = 16  # px between pairs
HEADER = 44  # px above the first row
COLUMNS = 3
PALETTE = ('#ffb000', '#00d68f', '#4ea8ff', '#ff6b8b', '#b07cff', '#c9d200')  # light: black text reads on each

Boxes = Sequence[Mapping[str, Any]]  # COCO annotations or results: bbox, category_id, results also score


def write_sheet(
    out: Path, annotations: Path, predictions: Path, images: Path, count: int = 12, min_score: float = 0.5
) -> None:
    """Write a PNG with the set's first `count` pictures, ground truth left and predictions right of each pair.

    Args:
        out: the PNG.
        annotations: COCO instances file of the pictures.
        predictions: COCO results file: what mmdet's CocoMetric writes with `outfile_prefix`.
        images: folder of the pictures.
        count: how many pairs; the first ones of the file, not chosen by how well they went.
        min_score: predictions below are not drawn.

    Raises:
        DataError: a picture cannot be read.
    """
    truth = json.loads(annotations.read_text())
    found = [box for box in json.loads(predictions.read_text()) if box['score'] >= min_score]
    names = {category['id']: category['name'] for category in truth['categories']}
    pairs = []
    for entry in truth['images'][:count]:
        image = cv2.imread(str(images / entry['file_name']))
        if image is None:
            raise DataError(f'{images / entry["file_name"]}: cannot be read as a picture')
        of_image = [[box for box in boxes if box['image_id'] == entry['id']] for boxes in (truth['annotations'], found)]
        left, right = (draw_boxes(_uint8(image), boxes, names) for boxes in of_image)
        pairs.append(np.hstack([left, np.full((len(left), SEAM, 3), 255, np.uint8), right]))
    sheet = _tile(pairs, f'left: truth   right: found, score {min_score:g} or more')
    with replacing(out) as fresh:
        if not cv2.imwrite(str(fresh), sheet):
            raise OSError(f'{out}: cannot be written')


def draw_boxes(image_bgr: NDArray[np.uint8], boxes: Boxes, names: Mapping[int, str]) -> NDArray[np.uint8]:
    """A copy of the picture with labelled boxes, its longer side enlarged to `PANEL`.

    Args:
        image_bgr: (H, W, 3).
        boxes: COCO annotations or results; a score, where there is one, is written beside the name.
        names: of every category id.
    """
    zoom = PANEL / max(image_bgr.shape[:2])
    canvas = _uint8(cv2.resize(image_bgr, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_NEAREST))
    xywh = np.array([box['bbox'] for box in boxes], dtype=np.float64).reshape(-1, 4) * zoom
    order = list(names)
    detections = sv.Detections(
        xyxy=np.hstack([xywh[:, :2], xywh[:, :2] + xywh[:, 2:]]),
        class_id=np.array([order.index(box['category_id']) for box in boxes], dtype=int),
    )
    texts = [names[box['category_id']] + (f' {box["score"]:.2f}' if 'score' in box else '') for box in boxes]
    palette = sv.ColorPalette.from_hex(list(PALETTE))
    frames = sv.BoxAnnotator(color=palette, thickness=2)
    labels = sv.LabelAnnotator(
        color=palette, text_color=sv.Color.BLACK, text_scale=0.45, text_padding=3, smart_position=True
    )
    return labels.annotate(frames.annotate(canvas, detections), detections, texts)


def _tile(pairs: Sequence[NDArray[np.uint8]], header: str) -> NDArray[np.uint8]:
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


def _uint8(image: NDArray[Any]) -> NDArray[np.uint8]:
    """OpenCV returns what it was given, but its types do not say so."""
    return image.astype(np.uint8, copy=False)
