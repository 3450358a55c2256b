"""The demo of detection."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mobileone_mm.demo.demo import DATA, FOUND, Demo
from mobileone_mm.demo.sheet import COUNT, PANEL, write_sheet
from mobileone_mm.demo.steps import FOLDER
from mobileone_mm.pictures.drawing import draw_boxes, resized
from mobileone_mm.pictures.reading import Picture, read_picture

MIN_SCORE = 0.5  # of a box that is drawn

CocoBoxes = Sequence[Mapping[str, Any]]  # annotations or results: bbox, category_id, results also score


def box_pairs(
    annotations: Path, predictions: Path, images: Path, count: int = COUNT, min_score: float = MIN_SCORE
) -> list[tuple[Picture, Picture]]:
    """The set's first `count` pictures with their boxes, and with those that were found.

    Args:
        annotations: COCO instances file of the pictures.
        predictions: COCO results file: what mmdet's CocoMetric writes with `outfile_prefix`.
        images: folder of the pictures.
        count: how many pairs.
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
        pairs.append((left, right))
    return pairs


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


def _draw(out: Path, folder: Path) -> None:
    pairs = box_pairs(_annotations(folder), folder / f'{FOUND}.bbox.json', folder / DATA / 'images/val')
    write_sheet(out, pairs, f'left: truth   right: found, score {MIN_SCORE:g} or more')


def _annotations(folder: Path) -> Path:
    return folder / DATA / 'annotations/val.json'


def _truth(folder: Path) -> str:
    return f'{len(json.loads(_annotations(folder).read_text())["annotations"])} boxes'


def _agreed(total: Mapping[str, Any]) -> str:
    return f'{total["agreeing"]} of {total["left"]} boxes of the package agree with the model'


DETECTION = Demo(
    noun='detector',
    model='a small SSD',
    config='demo_ssd',
    drawing='--images 400 --val 60',
    testing=f' --cfg-options test_evaluator.outfile_prefix={FOLDER}/{FOUND}',
    pictures=f'{FOLDER}/{DATA}/images/val',
    metrics={'mAP50': 'coco/bbox_mAP_50', 'mAP': 'coco/bbox_mAP'},
    classes=('circle', 'square', 'triangle'),
    own=(),
    truth=_truth,
    agreed=_agreed,
    interest=lambda entry: len(entry['detections']),
    shown='The validation picture with the most boxes; all of them are in [predictions](predictions). A box that '
    'differs would have a red frame. Where two boxes of one shape have nearly the same score, rounding decides '
    'which of them suppresses the other: that is where agreeing boxes are pixels apart.',
    draw=_draw,
)
