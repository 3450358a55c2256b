"""Masks from files to labels, as mmseg loads them; and from colours."""

import functools
from typing import Any

import cv2
import numpy as np
from mmseg.datasets.transforms import LoadAnnotations
from numpy.typing import NDArray
from PIL import Image

from mobileone_mm.datasets.mask_rules import IGNORED, labels_of_ids
from mobileone_mm.datasets.picture_facts import packed
from mobileone_mm.errors import DataError
from mobileone_mm.registry import TRANSFORMS


@TRANSFORMS.register_module()
class LoadMask(LoadAnnotations):  # type: ignore[misc]  # mmseg is untyped
    """mmseg's LoadAnnotations, which also reads masks of a `MaskDataset` that has a `colour_map`.

    Gives `gt_seg_map` (H, W) uint8, 255 for what has no class. A picture that comes without a mask passes through:
    mmseg's `inference_model` takes its own transform out of a pipeline, and no other.

    Raises:
        DataError: a mask has a colour that the map does not have.
    """

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Load the mask of a picture that has one."""
        loaded: dict[str, Any] = super().transform(results) if 'seg_map_path' in results else results
        return loaded

    def _load_seg_map(self, results: dict[str, Any]) -> None:
        colours = results.get('colour_map')
        if colours is None:
            loaded = {**results, 'label_map': None}  # mmseg goes through the mask once for each id in it
            super()._load_seg_map(loaded)
            label_map = results.get('label_map') or {}
            results['gt_seg_map'] = _relabelled(loaded['gt_seg_map'], tuple(label_map.items()))
            return
        path = results['seg_map_path']
        with Image.open(path) as mask:
            labels = labels_of_colours(np.asarray(mask.convert('RGB')), tuple(map(tuple, colours)))
        if labels.max(initial=0) >= len(colours):
            raise DataError(f'{path}: has a colour that colour_map does not have; list all of them: mobileone check')
        labels[labels >= results['classes']] = IGNORED
        results['gt_seg_map'] = labels.astype(np.uint8)
        results['seg_fields'].append('gt_seg_map')


def labels_of_colours(rgb: NDArray[np.uint8], colours: tuple[tuple[int, ...], ...]) -> NDArray[np.int64]:
    """The place of each pixel's colour among `colours`, their number for any other: (H, W, 3) to (H, W)."""
    ordered, places = _ordered(colours)
    pixels = packed(rgb)
    near = np.searchsorted(ordered, pixels).clip(max=len(ordered) - 1)
    return np.where(ordered[near] == pixels, places[near], len(colours))


def _relabelled(ids: NDArray[np.uint8], label_map: tuple[tuple[int, int], ...]) -> NDArray[np.uint8]:
    return cv2.LUT(ids, _labels(label_map)).astype(np.uint8, copy=False) if label_map else ids


@functools.cache
def _labels(label_map: tuple[tuple[int, int], ...]) -> NDArray[np.uint8]:
    return labels_of_ids(False, dict(label_map)).astype(np.uint8)


@functools.cache
def _ordered(colours: tuple[tuple[int, ...], ...]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    numbers = packed(np.array(colours))
    places = np.argsort(numbers)
    return numbers[places], places
