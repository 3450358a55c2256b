"""The hosts' transforms that move pixels, as changes of a view: their own draws, boxes and masks, without a picture.

Each takes a transform as its host built it, the results so far, with a blank picture of their size, and the view of the
picture; changes what the transform would change in the results but for the picture, and gives the new view.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import cv2
import mmcv
import numpy as np
import torch
from numpy.typing import NDArray

from mobileone_mm.datasets.transforms.crop_tries import centred, draw_patch
from mobileone_mm.datasets.transforms.view import View

Results = dict[str, Any]
Move = Callable[[Any, Results, View], View]
MASK, BOXES = 'gt_seg_map', 'gt_bboxes'
WITH_BOXES = ('gt_bboxes_labels', 'gt_ignore_flags')  # a row each
RESIZED = ('_resize_seg', '_record_homography_matrix')  # what a host's Resize does beside picture and boxes
TRIES = 10  # of mmseg for a crop in which no class fills too much
IDS = 256  # that a mask may have
ONE_PIXEL = bytes(1)


def expand(step: Any, results: Results, view: View) -> View:
    """mmdet's Expand."""
    if step._random_prob() > step.prob:
        return view
    height, width = view.shape
    ratio = step._random_ratio()
    left, top = step._random_left_top(ratio, height, width)
    if BOXES in results:
        _place(results, _corners(results) + np.array([left, top] * 2, np.float32))
    blue, green, red = (int(np.uint8(value)) for value in step.mean)
    larger = view.cropped(-left, -top, int(width * ratio) - left, int(height * ratio) - top)
    results['img_shape'] = larger.shape
    return replace(larger, fill=(blue, green, red))


def crop_by_iou(step: Any, results: Results, view: View) -> View:
    """mmdet's MinIoURandomCrop."""
    boxes = _corners(results)
    patch = draw_patch(step, boxes, view.width, view.height)
    if patch is None:
        return view
    left, top, right, bottom = patch
    if len(boxes):
        kept = centred(boxes, patch)
        results.update({key: results[key][kept] for key in WITH_BOXES if key in results})
        boxes = boxes[kept] - np.array([left, top] * 2, np.float32)
        _place(results, _clipped(boxes, right - left, bottom - top) if step.bbox_clip_border else boxes)
    results['img_shape'] = (bottom - top, right - left)
    return view.cropped(*patch)


def _corners(results: Results) -> NDArray[np.float32]:
    """The boxes (N, 4), in px. In numpy: torch takes ten times as long for so few."""
    found: NDArray[np.float32] = results[BOXES].tensor.numpy()
    return found


def _place(results: Results, corners: NDArray[np.float32]) -> None:
    results[BOXES] = type(results[BOXES])(torch.from_numpy(corners), clone=False)


def _clipped(corners: NDArray[np.float32], width: int, height: int) -> NDArray[np.float32]:
    return corners.clip(0, np.array([width, height] * 2, np.float32))


def resize(step: Any, results: Results, view: View) -> View:
    """Resize, of any host."""
    old = view.width, view.height
    scale = step.scale or mmcv.image.geometric._scale_size(old, step.scale_factor)
    width, height = mmcv.rescale_size(old, scale) if step.keep_ratio else scale
    factors = width / old[0], height / old[1]
    results.update(scale=scale, scale_factor=factors, img_shape=(height, width), keep_ratio=step.keep_ratio)
    if BOXES in results:
        corners = _corners(results) * np.array(factors * 2, np.float32)
        _place(results, _clipped(corners, width, height) if step.clip_object_border else corners)
    for part in RESIZED:
        if hasattr(step, part):
            getattr(step, part)(results)
    return view.resized(width, height, _filter(step))


def resize_shortest_edge(step: Any, results: Results, view: View) -> View:
    """mmseg's ResizeShortestEdge."""
    step.resize.scale = step._get_output_shape(results['img'], step.scale)
    return resize(step.resize, results, view)


def resize_by_chance(step: Any, results: Results, view: View) -> View:
    """mmcv's RandomResize."""
    results['scale'] = step.resize.scale = step._random_scale()
    return move_of(step.resize)(step.resize, results, view)


def resize_by_choice(step: Any, results: Results, view: View) -> View:
    """mmcv's RandomChoiceResize."""
    step.resize.scale, results['scale_idx'] = step._random_select()
    return move_of(step.resize)(step.resize, results, view)


def crop_by_classes(step: Any, results: Results, view: View) -> View:
    """mmseg's RandomCrop."""
    place = _crop_place(step, view)
    for _ in range(TRIES if step.cat_max_ratio < 1 else 0):
        if _is_varied(step.crop(results[MASK], place), step):
            break
        place = _crop_place(step, view)
    for key in results.get('seg_fields', ()):
        results[key] = step.crop(results[key], place)
    top, bottom, left, right = place
    part = view.cropped(left, top, min(right, view.width), min(bottom, view.height))
    results['img_shape'] = part.shape
    return part


def _crop_place(step: Any, view: View) -> tuple[int, int, int, int]:
    height, width = step.crop_size
    top = np.random.randint(0, max(view.height - height, 0) + 1)
    left = np.random.randint(0, max(view.width - width, 0) + 1)
    return top, top + height, left, left + width


def _is_varied(mask: NDArray[np.uint8], step: Any) -> bool:
    """Whether no class fills too much of a mask; counted, where mmseg sorts all pixels."""
    counts = cv2.calcHist([mask], [0], None, [IDS], [0, IDS]).ravel().astype(np.int64)
    counts = counts[np.arange(IDS) != step.ignore_index]  # which may be None, or no id that a mask has
    return bool(np.count_nonzero(counts) > 1 and counts.max() / counts.sum() < step.cat_max_ratio)


def crop_and_resize(step: Any, results: Results, view: View) -> View:
    """mmpretrain's RandomResizedCrop."""
    top, left, high, wide = step.rand_crop_params(results['img'])
    height, width = step.scale
    results['img_shape'] = (height, width, 3)
    return view.cropped(left, top, left + wide, top + high).resized(width, height, _filter(step))


def _filter(step: Any) -> str | None:
    """Pillow's filter where a transform resizes by Pillow."""
    return step.interpolation if step.backend == 'pillow' else None


def rotate(step: Any, results: Results, view: View) -> View:
    """mmseg's RandomRotate, of its default centre, size and padding."""
    turns, degrees = step.generate_degree()
    if not turns:
        return view
    for key in results.get('seg_fields', ()):
        results[key] = mmcv.imrotate(
            results[key], angle=degrees, border_value=step.seg_pad_val, interpolation='nearest'
        )
    return view.turned(degrees)


def flip(step: Any, results: Results, view: View) -> View:
    """RandomFlip, of any host."""
    step(results)
    direction = results['flip_direction']
    return view.flipped(direction) if direction else view


def blank(view: View) -> NDArray[np.uint8]:
    """A picture of the view's size that takes no memory: for transforms that look at the size of the picture."""
    return np.ndarray((*view.shape, 3), np.uint8, ONE_PIXEL, strides=(0, 0, 0))


# By the host and the name of the class.
MOVES: Mapping[str, Move] = {
    'mmdet.Expand': expand,
    'mmdet.MinIoURandomCrop': crop_by_iou,
    'mmdet.Resize': resize,
    'mmdet.RandomFlip': flip,
    'mmseg.Resize': resize,
    'mmseg.RandomFlip': flip,
    'mmcv.RandomFlip': flip,
    'mmcv.RandomResize': resize_by_chance,
    'mmcv.RandomChoiceResize': resize_by_choice,
    'mmseg.ResizeShortestEdge': resize_shortest_edge,
    'mmseg.RandomCrop': crop_by_classes,
    'mmpretrain.RandomResizedCrop': crop_and_resize,
}


def name_of(step: Any) -> str:
    """The host and the name of a transform's class: 'mmdet.Expand'."""
    return f'{type(step).__module__.partition(".")[0]}.{type(step).__name__}'


def move_of(step: Any) -> Move:
    """What a transform does to a view.

    Raises:
        KeyError: it is none of those that only move pixels.
    """
    return MOVES[name_of(step)]
