"""The hosts' PhotoMetricDistortion with their own draws: 8-bit tables where a table will do, and few passes."""

from collections.abc import Callable, Mapping
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mobileone_mm.datasets.transforms.moves import Results
from mobileone_mm.datasets.transforms.view import Pixels

Colours = NDArray[np.float32]
LEVELS = np.arange(256)
TURN = 360.0  # degrees of hue
STRIP = 32  # rows at a time: what is computed with stays in the processor's cache


def of_boxes(step: Any, results: Results) -> Results:
    """mmdet's: float32 (H, W, 3), not clipped, from 8 bits a channel.

    Its values are those of mmdet but for rounding in float32. They lie in memory channel by channel, as PackDetInputs
    wants them.
    """
    drawn = step._random_flags()
    contrast_first, (brighter, contrast, saturate, turn, swap) = drawn[0] == 1, map(bool, drawn[1:6])
    delta, alpha, saturation, hue, order = drawn[6:]
    delta = delta if brighter else 0.0
    alpha = alpha if contrast else 1.0
    # Where all channels are below zero, mmdet's way to HSV and back is not without effect: OpenCV has no such colours.
    through_hsv = saturate or turn or delta < 0
    table = ((LEVELS + delta) * (alpha if contrast_first or not through_hsv else 1.0)).astype(np.float32)
    picture: Pixels = results['img']
    planes = np.empty((3, *picture.shape[:2]), np.float32)
    for top in range(0, len(picture), STRIP):
        strip: Colours = np.asarray(cv2.LUT(picture[top : top + STRIP], table), np.float32)
        if through_hsv:
            hsv: Colours = np.asarray(cv2.cvtColor(strip, cv2.COLOR_BGR2HSV), np.float32)
            if saturate:
                hsv[..., 1] *= np.float32(saturation)
                if saturation > 1:
                    np.minimum(hsv[..., 1], 1, out=hsv[..., 1])
            if turn:  # OpenCV takes hues of more than a turn, but none below zero
                hsv[..., 0] += np.float32(hue if hue >= 0 else hue + TURN)
            strip = np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR), np.float32)
            if contrast and not contrast_first:
                strip *= np.float32(alpha)
        for plane, channel in zip(planes, order if swap else range(3), strict=True):
            cv2.extractChannel(strip, int(channel), plane[top : top + STRIP])
    results['img'] = planes.transpose(1, 2, 0)
    return results


def of_masks(step: Any, results: Results) -> Results:
    """mmseg's: 8 bits a channel, to the last bit."""
    picture: Pixels = results['img']
    levels = LEVELS.astype(np.uint8)
    table = step.brightness(levels)
    contrast_first = np.random.randint(2) == 1
    if contrast_first:
        table = step.contrast(table)
    picture = _looked_up(picture, table)
    if np.random.randint(2):
        factor = np.random.uniform(step.saturation_lower, step.saturation_upper)
        picture = _in_hsv(picture, 1, step.convert(levels, alpha=factor))
    if np.random.randint(2):
        turned = (LEVELS + np.random.randint(-step.hue_delta, step.hue_delta)) % 180  # OpenCV's hues of 8 bits
        picture = _in_hsv(picture, 0, turned.astype(np.uint8))
    if not contrast_first:
        picture = _looked_up(picture, step.contrast(levels))
    results['img'] = picture
    return results


def _looked_up(picture: Pixels, table: Pixels) -> Pixels:
    unchanged = (table == LEVELS).all()
    return picture if unchanged else cv2.LUT(picture, table).astype(np.uint8, copy=False)


def _in_hsv(picture: Pixels, channel: int, table: Pixels) -> Pixels:
    """The picture with one channel of its HSV looked up in a table (256,)."""
    tables = np.repeat(LEVELS.astype(np.uint8)[None, :, None], 3, axis=2)
    tables[0, :, channel] = table
    hsv = cv2.LUT(cv2.cvtColor(picture, cv2.COLOR_BGR2HSV), tables)
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR).astype(np.uint8, copy=False)


# By the host and the name of the class.
DISTORTIONS: Mapping[str, Callable[[Any, Results], Results]] = {
    'mmdet.PhotoMetricDistortion': of_boxes,
    'mmseg.PhotoMetricDistortion': of_masks,
}
