"""A detector's data: boxes."""

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np

from mobileone_mm.inspection.content import BOXES, Content, spreads
from mobileone_mm.inspection.kind import SIDE, Infos, Kind, Palette
from mobileone_mm.pictures.drawing import draw_boxes, supervision
from mobileone_mm.pictures.reading import Picture
from mobileone_mm.pictures.sheet import fitted


def _content(dataset: Any, _sets: Sequence[Any], infos: Infos) -> Content:
    classes = tuple(dataset.metainfo['classes'])
    counts, images_with, ignored, sizes = [0] * len(classes), [0] * len(classes), 0, []
    for info in infos:
        used = [one for one in info.get('instances', ()) if not one.get('ignore_flag')]
        ignored += len(info.get('instances', ())) - len(used)
        for one in used:
            counts[one['bbox_label']] += 1
            left, top, right, bottom = one['bbox']
            sizes.append((right - left, bottom - top))
        for label in {one['bbox_label'] for one in used}:
            images_with[label] += 1
    shapes = [(info['width'], info['height']) for info in infos if 'width' in info]
    paths = frozenset(info['img_path'] for info in infos)
    found = tuple(counts), tuple(images_with), ignored, spreads(sizes), paths
    return Content(BOXES, len(infos), spreads(shapes), classes, *found, palette=())


def _drawn(picture: Picture, sample: Any, names: Sequence[str], _palette: Palette) -> Picture:
    canvas = fitted(picture, SIDE)
    boxes = sample.gt_instances.bboxes
    xyxy = np.asarray(getattr(boxes, 'tensor', boxes), np.float64).reshape(-1, 4)
    labels = sample.gt_instances.labels.numpy()
    zoom = canvas.shape[1] / picture.shape[1]
    return draw_boxes(canvas, xyxy * zoom, labels, [names[label] for label in labels], [False] * len(labels))


KIND = Kind(_content, _drawn, 'boxes', least=logging.WARNING, require=supervision)
