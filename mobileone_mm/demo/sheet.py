"""A sheet of pictures from a COCO set: what is there beside what was found."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from mobileone_mm.pictures.drawing import SEAM, draw_boxes, resized
from mobileone_mm.pictures.reading import Picture, read_picture, write_picture

PANEL = 320  # px, side of one enlarged picture: labels of small boxes stay legible
GAP = 16  # px between pairs
COLUMNS = 3
HEADER = 44  # px above the first row

CocoBoxes = Sequence[Mapping[str, Any]]  # annotations or results: bbox, category_id, results also score


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
        image = read_picture(images / entry['file_name'])
        of_image = [[box for box in boxes if box['image_id'] == entry['id']] for boxes in (truth['annotations'], found)]
        left, right = (draw_coco(image, boxes, names) for boxes in of_image)
        pairs.append(np.hstack([left, np.full((len(left), SEAM, 3), 255, np.uint8), right]))
    write_picture(out, _tile(pairs, f'left: truth   right: found, score {min_score:g} or more'))


def draw_coco(picture: Picture, boxes: CocoBoxes, names: Mapping[int, str]) -> Picture:
    """A copy of the picture with labelled boxes, its longer side `PANEL`.

    Args:
        picture: (H, W, 3).
        boxes: COCO annotations or results; a score, where there is one, is written beside the name.
        names: of every category id.
    """
    canvas = resized(picture, PANEL)
    zoom = PANEL / max(picture.shape[:2])
    xywh = np.array([box['bbox'] for box in boxes], dtype=np.float64).reshape(-1, 4) * zoom
    order = list(names)
    labels = [order.index(box['category_id']) for box in boxes]
    texts = [names[box['category_id']] + (f' {box["score"]:.2f}' if 'score' in box else '') for box in boxes]
    return draw_boxes(canvas, np.hstack([xywh[:, :2], xywh[:, :2] + xywh[:, 2:]]), labels, texts, [False] * len(boxes))


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
