"""mmdet's MinIoURandomCrop on boxes alone, all tries at once: the same draws, and the same crop."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

TRIES = 50  # mmdet's, before it draws another limit
MOST_OBLONG = 2.0  # a side by the other one
WHOLE = 1  # the limit by which mmdet means: no crop
EPS = np.float32(1e-6)  # mmdet's, of a union

Patch = tuple[int, int, int, int]
Boxes = NDArray[np.float32]


def draw_patch(crop: Any, boxes: Boxes, width: int, height: int) -> Patch | None:
    """Draw a crop of a picture from numpy's global generator, as mmdet does; None for the whole picture.

    mmdet tries crops one by one, up to 50 for a limit of the IoU with each box, and computes the IoUs in torch, one try
    at a time. Here all that it may try are drawn and looked at together; then the generator is put where mmdet would
    have left it.

    Args:
        crop: mmdet's MinIoURandomCrop.
        boxes: (N, 4), in px of the picture.
        width: of the picture, in px.
        height: of the picture, in px.
    """
    while True:
        limit = crop._random_mode()
        if limit == WHOLE:
            return None
        state = np.random.get_state()
        sizes, corners, used = _tries(np.random.random_sample((2 * TRIES, 2)), crop.min_crop_size, width, height)
        patches = np.concatenate([corners.astype(int), (corners + sizes).astype(int)], axis=1)
        good = np.flatnonzero(_sound(patches, boxes, limit))
        np.random.set_state(state)
        np.random.random_sample(2 * int(used[good[0]] if len(good) else used[-1]))
        if len(good):
            left, top, right, bottom = patches[good[0]].tolist()
            return left, top, right, bottom


def _tries(
    pairs: NDArray[np.float64], least: float, width: int, height: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """The tries that pairs of draws stand for: a size, and a corner if the size is not too oblong.

    Returns:
        Sizes (T, 2) in px, corners (T, 2) in px, and (T + 1,) how many pairs are used up after each try, and in all.
    """
    whole = np.array([width, height], np.float64)
    sizes = least * whole + (whole - least * whole) * pairs
    ratios = sizes[:, 1] / sizes[:, 0]
    fits = ~((ratios < 1 / MOST_OBLONG) | (ratios > MOST_OBLONG))
    starts, place = [], 0
    for _ in range(TRIES):
        if fits[place]:
            starts.append(place)
            place += 1
        place += 1
    first = np.array(starts, np.int64)
    sizes = sizes[first]
    # mmdet draws a corner by uniform(width - size), which numpy takes for: between that and 1.
    corners = (whole - sizes) + (1.0 - (whole - sizes)) * pairs[first + 1]
    return sizes, corners, np.append(first + 2, place)


def _sound(patches: NDArray[np.int64], boxes: Boxes, limit: float) -> NDArray[np.bool_]:
    """Which of the patches (T, 4) mmdet takes: those that all boxes overlap, and that hold a box's centre."""
    taken = (patches[:, 2] != patches[:, 0]) & (patches[:, 3] != patches[:, 1])
    if len(boxes):
        taken &= np.asarray(_ious(patches.astype(np.float32), boxes).min(axis=1) >= limit, np.bool_)
        taken[taken] = centred(boxes, patches[taken]).any(axis=1)
    found: NDArray[np.bool_] = taken
    return found


def centred(boxes: Boxes, patches: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(T, N): whether a patch holds the centre of a box."""
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    inside = (centres > patches[:, None, :2]) & (centres < patches[:, None, 2:])
    found: NDArray[np.bool_] = np.all(inside, axis=-1)
    return found


def _ious(patches: Boxes, boxes: Boxes) -> Boxes:
    """(T, N), in float32 step by step as mmdet's bbox_overlaps, so that no try is taken or left by rounding."""
    sides = np.minimum(patches[:, None, 2:], boxes[:, 2:]) - np.maximum(patches[:, None, :2], boxes[:, :2])
    sides = sides.clip(min=0)
    overlap = sides[..., 0] * sides[..., 1]
    union = _areas(patches)[:, None] + _areas(boxes) - overlap
    found: Boxes = overlap / np.maximum(union, EPS)
    return found


def _areas(boxes: Boxes) -> Boxes:
    found: Boxes = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    return found
