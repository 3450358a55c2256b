"""What is on a drawn picture of several shapes, by its colours alone."""

import cv2
import numpy as np
from numpy.typing import NDArray

from mobileone_mm.datasets import toy_shapes

COLOURED = 70  # grey levels between a pixel's largest and smallest channel: ground stays below, shapes above


def seen_classes(image_rgb: NDArray[np.uint8]) -> NDArray[np.int64]:
    """The class of each pixel: 0 ground, then the shapes."""
    hue = cv2.cvtColor(image_rgb, cv2.COLOR_RGB2HSV_FULL)[..., 0].astype(int)  # 0..255
    away = np.stack([np.abs((hue - middle * 255 + 128) % 255 - 128) for middle in toy_shapes.HUES.values()])
    coloured = np.ptp(image_rgb.astype(int), axis=2) > COLOURED
    return np.where(coloured, 1 + away.argmin(axis=0), 0)


def seen_boxes(image_rgb: NDArray[np.uint8]) -> dict[int, list[int]]:
    """A box for each class: right where no class is drawn twice."""
    seen = seen_classes(image_rgb)
    boxes = {}
    for label in range(len(toy_shapes.CLASSES)):
        ys, xs = np.nonzero(seen == label + 1)
        if len(xs):
            boxes[label] = [xs.min(), ys.min(), xs.max() - xs.min() + 1, ys.max() - ys.min() + 1]
    return boxes
