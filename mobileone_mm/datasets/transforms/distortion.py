"""The hosts' PhotoMetricDistortion with their own draws: 8-bit tables where a table will do, and few passes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mobileone_mm.datasets.transforms.moves import Results
from mobileone_mm.datasets.transforms.view import Pixels, Recolour

Colours = NDArray[np.float32]
LEVELS = np.arange(256)
TURN = 360.0  # degrees of hue
STRIP = 32  # rows at a time: what is computed with stays in the processor's cache


@dataclass(frozen=True)
class Change:
    """What mmdet has drawn for a picture.

    Attributes:
        brightness: added, in levels of 255.
        before, after: what colours are multiplied by before and after they are looked at in HSV.
        saturation: what the saturation is multiplied by; None, and it stays.
        hue: by how many degrees hues turn; None, and they stay.
    """

    brightness: float
    before: float
    after: float
    saturation: float | None
    hue: float | None


def of_boxes(step: Any, results: Results) -> Results:
    """mmdet's: float32 (H, W, 3), not clipped, from 8 bits a channel.

    Its values are those of mmdet but for rounding in float32. They lie in memory channel by channel, as PackDetInputs
    wants them.
    """
    drawn = step._random_flags()
    contrast_first, (brighter, contrast, saturate, turn, swap) = drawn[0] == 1, map(bool, drawn[1:6])
    delta, alpha, saturation, hue, order = drawn[6:]
    alpha = alpha if contrast else 1.0
    before = alpha if contrast_first or alpha > 0 else 1.0  # HSV keeps its hue and saturation if all is brighter
    change = Change(
        delta if brighter else 0.0,
        before,
        alpha if before == 1.0 else 1.0,
        saturation if saturate else None,
        hue if turn else None,
    )
    picture: Pixels = results['img']
    planes = np.empty((3, *picture.shape[:2]), np.float32)
    through_hsv = turn or before <= 0 or (saturate and not 0 <= saturation <= 1)
    (_turned if through_hsv else _blended)(
        picture, change, [planes[place] for place in np.argsort(order if swap else range(3))]
    )
    results['img'] = planes.transpose(1, 2, 0)
    return results


def _turned(picture: Pixels, change: Change, planes: Sequence[Colours]) -> None:
    """Fill the planes of blue, green and red by way of HSV."""
    for top in range(0, len(picture), STRIP):
        strip = _through_hsv(picture[top : top + STRIP], change)
        cv2.split(strip, [plane[top : top + STRIP] for plane in planes])


def _blended(picture: Pixels, change: Change, planes: Sequence[Colours]) -> None:
    """The same where hues stay, and saturations do not grow: each channel moves towards the largest one."""
    channels = cv2.split(picture)
    value = cv2.max(cv2.max(channels[0], channels[1]), channels[2])
    by = 1.0 if change.saturation is None else change.saturation
    weight, shift = change.before, change.before * change.brightness
    for channel, plane in zip(channels, planes, strict=True):
        cv2.addWeighted(channel, weight * by, value, weight * (1 - by), shift, plane, cv2.CV_32F)
    if change.brightness < 0:  # of a pixel below zero OpenCV makes something else
        below = np.flatnonzero(value <= -change.brightness)
        if not len(below):
            return
        found = _through_hsv(picture.reshape(-1, 1, 3)[below], change).reshape(-1, 3)
        for number, plane in enumerate(planes):
            plane.reshape(-1)[below] = found[:, number]


def _through_hsv(picture: Pixels, change: Change) -> Colours:
    """mmdet's way, of any picture (H, W, 3)."""
    shift = change.before * change.brightness
    colours = cv2.addWeighted(picture, change.before, picture, 0.0, shift, dtype=cv2.CV_32F)
    hsv = np.asarray(cv2.cvtColor(colours, cv2.COLOR_BGR2HSV), np.float32)
    if change.saturation is not None:
        hsv[..., 1] *= np.float32(change.saturation)
        if change.saturation > 1:
            np.minimum(hsv[..., 1], 1, out=hsv[..., 1])
    if change.hue is not None:  # OpenCV takes hues of more than a turn, but none below zero
        hsv[..., 0] += np.float32(change.hue if change.hue >= 0 else change.hue + TURN)
    found: Colours = np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR), np.float32)
    return found if change.after == 1.0 else found * np.float32(change.after)


def of_masks(step: Any) -> Recolour:
    """mmseg's, drawn: what changes colours of 8 bits a channel, but for rounding as mmseg does.

    mmseg changes saturation and hue one after the other, and rounds to 8 bits in between.
    """
    levels = LEVELS.astype(np.uint8)
    first = step.brightness(levels)
    contrast_first = np.random.randint(2) == 1
    if contrast_first:
        first = step.contrast(first)
    saturate = bool(np.random.randint(2))
    saturation = np.random.uniform(step.saturation_lower, step.saturation_upper) if saturate else 1.0
    hue = np.random.randint(-step.hue_delta, step.hue_delta) if np.random.randint(2) else 0
    last = levels if contrast_first else step.contrast(levels)
    more = step.convert(levels, alpha=saturation)

    def recolour(picture: Pixels) -> Pixels:
        picture = _looked_up(picture, first)
        if hue or saturation != 1:
            picture = _faded(picture, saturation) if not hue and 0 <= saturation < 1 else _in_hsv(picture, hue, more)
        return _looked_up(picture, last)

    return recolour


def _looked_up(picture: Pixels, table: Pixels) -> Pixels:
    unchanged = (table == LEVELS).all()
    return picture if unchanged else cv2.LUT(picture, table).astype(np.uint8, copy=False)


def _faded(picture: Pixels, saturation: float) -> Pixels:
    """The picture less saturated: each channel moves towards the largest one."""
    channels = cv2.split(picture)
    value = cv2.max(cv2.max(channels[0], channels[1]), channels[2])
    moved = [cv2.addWeighted(channel, saturation, value, 1 - saturation, 0) for channel in channels]
    return cv2.merge(moved).astype(np.uint8, copy=False)


def _in_hsv(picture: Pixels, hue: int, saturations: Pixels) -> Pixels:
    """The picture with its hues turned, in OpenCV's steps of two degrees, and its saturations looked up."""
    # A negative turn is a positive one where red and blue change places. OpenCV takes hues of more than a turn.
    there, back = (cv2.COLOR_BGR2HSV, cv2.COLOR_HSV2BGR) if hue >= 0 else (cv2.COLOR_RGB2HSV, cv2.COLOR_HSV2RGB)
    hsv = cv2.cvtColor(picture, there)
    if hue:
        cv2.add(hsv, np.array([abs(hue), 0.0, 0.0, 0.0]), hsv)  # four numbers: one a channel
    if (saturations != LEVELS).any():
        cv2.insertChannel(cv2.LUT(cv2.extractChannel(hsv, 1), saturations), hsv, 1)
    return cv2.cvtColor(hsv, back).astype(np.uint8, copy=False)


# By the host and the name of the class; both draw as the host does.
DISTORTIONS: Mapping[str, Callable[[Any, Results], Results]] = {'mmdet.PhotoMetricDistortion': of_boxes}
RECOLOURS: Mapping[str, Callable[[Any], Recolour]] = {'mmseg.PhotoMetricDistortion': of_masks}
