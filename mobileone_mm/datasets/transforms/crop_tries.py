"""mmdet's MinIoURandomCrop on boxes alone: the same draws and the same crop, at a fraction of the cost."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

TRIES = 50  # mmdet's, before it draws another limit
MOST_OBLONG = 2.0  # a side by the other one
WHOLE = 1  # the limit by which mmdet means: no crop
EPS = np.float32(1e-6)  # mmdet's, of a union
ROUNDING = 1e-3  # of an area: far more than float32 does to it

Patch = tuple[int, int, int, int]
Boxes = NDArray[np.float32]


def draw_patch(crop: Any, boxes: Boxes, width: int, height: int) -> Patch | None:
    """Draw a crop of a picture from numpy's global generator, as mmdet does; None for the whole picture.

    mmdet tries crops one by one, up to 50 for a limit of the IoU with each box, and computes the IoUs of each in torch.
    Most tries fail, and a few numbers tell: no IoU is above the ratio of the areas, nor above zero where crop and box
    do not overlap. IoUs are computed for the tries that are left.

    Args:
        crop: mmdet's MinIoURandomCrop.
        boxes: (N, 4), in px of the picture.
        width: of the picture, in px.
        height: of the picture, in px.
    """
    draw = np.random.random_sample
    narrowest, flattest = crop.min_crop_size * width, crop.min_crop_size * height
    wider, higher = width - narrowest, height - flattest
    smallest, largest, right, bottom, left, top = _bounds(boxes)
    while True:
        limit = crop._random_mode()
        if limit == WHOLE:
            return None
        close = limit > 0 and len(boxes) > 0
        least, most = largest * limit * (1 - ROUNDING), smallest / limit * (1 + ROUNDING) if close else np.inf
        for _ in range(TRIES):
            wide, high = narrowest + wider * draw(), flattest + higher * draw()
            if not 1 / MOST_OBLONG <= high / wide <= MOST_OBLONG:
                continue
            # mmdet draws a corner by uniform(width - size), which numpy takes for: between that and 1.
            x, y = width - wide, height - high
            x, y = x + (1.0 - x) * draw(), y + (1.0 - y) * draw()
            patch = x1, y1, x2, y2 = int(x), int(y), int(x + wide), int(y + high)
            possible = not close or (
                least <= (x2 - x1) * (y2 - y1) <= most and x1 < right and y1 < bottom and x2 > left and y2 > top
            )
            if possible and x1 != x2 and y1 != y2 and _taken(patch, boxes, limit):
                return patch


def _bounds(boxes: Boxes) -> list[float]:
    """The smallest and the largest area, and the edges that a crop which overlaps all boxes lies before, and after."""
    if not len(boxes):
        return [0.0] * 6
    areas = _areas(boxes)
    right, left = boxes[:, 2:].min(axis=0), boxes[:, :2].max(axis=0)
    return [float(areas.min()), float(areas.max()), *right.tolist(), *left.tolist()]


def _taken(patch: Patch, boxes: Boxes, limit: float) -> bool:
    """Whether mmdet takes a patch: one that all boxes overlap enough, and that holds a box's centre."""
    if not len(boxes):
        return True
    return bool((limit == 0 or _ious(patch, boxes).min() >= limit) and centred(boxes, patch).any())


def centred(boxes: Boxes, patch: Patch) -> NDArray[np.bool_]:
    """(N,): whether a patch holds the centre of a box."""
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    inside = (centres > patch[:2]) & (centres < patch[2:])
    found: NDArray[np.bool_] = np.all(inside, axis=1)
    return found


def _ious(patch: Patch, boxes: Boxes) -> Boxes:
    """(N,), in float32 step by step as mmdet's bbox_overlaps, so that no try is taken or left by rounding."""
    one = np.array([patch], np.float32)
    sides = np.minimum(one[:, 2:], boxes[:, 2:]) - np.maximum(one[:, :2], boxes[:, :2])
    sides = sides.clip(min=0)
    overlap = sides[:, 0] * sides[:, 1]
    found: Boxes = overlap / np.maximum(_areas(one) + _areas(boxes) - overlap, EPS)
    return found


def _areas(boxes: Boxes) -> Boxes:
    found: Boxes = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    return found
