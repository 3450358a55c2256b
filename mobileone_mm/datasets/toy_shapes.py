"""Drawn shapes: pictures of several that overlap, and pictures of one.

Letters: S the picture's side in pixels, K its number of shapes.
"""

import colorsys
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

HUES = {'circle': 0.02, 'square': 0.36, 'triangle': 0.62}  # of 1, far apart on the colour circle
CORNERS = {'square': 4, 'triangle': 3}
CLASSES = tuple(HUES)
MASK_CLASSES = ('ground', *CLASSES)  # by their ids in a mask
HUE_JITTER = 0.05  # of 1, either way
EXTENT = 0.15, 0.5  # longer side of a shape, of the picture's side: 24 to 80 px at 160
EXTENT_ALONE = 0.4, 0.9  # the same of a shape that has the picture to itself
UPRIGHT = {'circle': 0.0, 'square': np.pi / 4, 'triangle': -np.pi / 2}  # radians: the angles at which shapes stand
TILT = 0.3  # radians, either way, that a shape alone is turned from there
MOST_SHAPES = 4
EMPTY_SHARE = 0.05  # of the pictures show no shape, as in real sets
MOST_HIDDEN = 0.4  # of a shape's area may lie under shapes drawn later
PLACEMENTS = 20  # tries before a shape that finds no room is left out
GRAIN = 10.0  # standard deviation of the noise, grey levels

Range = tuple[float, float]


@dataclass(frozen=True)
class Scene:
    """One drawn picture.

    Attributes:
        image_rgb: (S, S, 3) uint8.
        owners: (S, S) uint8; 0 is ground, i is a visible pixel of shape i - 1.
        labels: K indices into `CLASSES`, in drawing order: later shapes lie on top.
    """

    image_rgb: NDArray[np.uint8]
    owners: NDArray[np.uint8]
    labels: tuple[int, ...]


def draw_scene(rng: np.random.Generator, side: int) -> Scene:
    """Draw up to `MOST_SHAPES` overlapping shapes on a noisy ground of `side` x `side` pixels."""
    image = _ground(rng, side)
    owners = np.zeros((side, side), np.uint8)
    areas: list[int] = []
    labels: list[int] = []
    wanted = 0 if rng.random() < EMPTY_SHARE else int(rng.integers(1, MOST_SHAPES + 1))
    for _ in range(wanted):
        label = int(rng.integers(len(CLASSES)))
        pixels = _place(rng, CLASSES[label], EXTENT, (0, 2 * np.pi), owners, areas)
        if pixels is None:
            continue
        labels.append(label)
        areas.append(int(pixels.sum()))
        owners[pixels] = len(labels)
        image[pixels] = _colour(rng, HUES[CLASSES[label]] + rng.uniform(-HUE_JITTER, HUE_JITTER))
    return Scene(_grainy(rng, image), owners, tuple(labels))


def draw_alone(rng: np.random.Generator, label: int, side: int) -> NDArray[np.uint8]:
    """Draw one shape, large and nearly upright, on a noisy ground: (S, S, 3) RGB.

    Its hue is any: with those of `HUES`, the mean colour of a picture would give its class away.

    Args:
        rng: what chance comes from.
        label: index into `CLASSES`.
        side: S.
    """
    image, name = _ground(rng, side), CLASSES[label]
    angles = UPRIGHT[name] - TILT, UPRIGHT[name] + TILT
    pixels = _place(rng, name, EXTENT_ALONE, angles, np.zeros((side, side), np.uint8), [])
    assert pixels is not None  # nothing is in its way
    image[pixels] = _colour(rng, rng.uniform())
    return _grainy(rng, image)


def visible_boxes(scene: Scene) -> NDArray[np.int64]:
    """The tight box of what is visible of each shape, hidden parts left out: (K, 4) x, y, width, height in pixels."""
    boxes = np.zeros((len(scene.labels), 4), np.int64)
    for index in range(len(scene.labels)):
        ys, xs = np.nonzero(scene.owners == index + 1)
        boxes[index] = xs.min(), ys.min(), np.ptp(xs) + 1, np.ptp(ys) + 1
    return boxes


def shape_mask(name: str, side: int, angle: float) -> NDArray[np.bool_]:
    """A shape turned by `angle` (radians), (side, side), centred, the longer side of its box filling the square."""
    axis = (np.arange(side) + 0.5) / side * 2 - 1
    x, y = np.meshgrid(axis, axis)
    if name == 'circle':
        return np.asarray(x * x + y * y <= 1)
    turns = angle + np.arange(CORNERS[name]) / CORNERS[name] * 2 * np.pi
    corners = np.stack([np.cos(turns), np.sin(turns)], axis=1)
    low, high = corners.min(axis=0), corners.max(axis=0)
    corners = (corners - (low + high) / 2) * 2 / (high - low).max()
    inside = np.ones((side, side), np.bool_)
    for (ax, ay), (bx, by) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        inside &= (bx - ax) * (y - ay) >= (by - ay) * (x - ax)
    return inside


def class_mask(scene: Scene) -> NDArray[np.uint8]:
    """The class of each pixel, an index into `MASK_CLASSES`: (S, S)."""
    ids = np.array([0, *(label + 1 for label in scene.labels)], np.uint8)
    return ids[scene.owners]


def _place(
    rng: np.random.Generator, name: str, extents: Range, angles: Range, owners: NDArray[np.uint8], areas: list[int]
) -> NDArray[np.bool_] | None:
    side = len(owners)
    for _ in range(PLACEMENTS):
        extent = round(side * rng.uniform(*extents))
        x, y = rng.integers(side - extent + 1, size=2)
        pixels = np.zeros(owners.shape, np.bool_)
        pixels[y : y + extent, x : x + extent] = shape_mask(name, extent, rng.uniform(*angles))
        visible = np.bincount(owners[~pixels], minlength=len(areas) + 1)[1:]
        if (visible >= (1 - MOST_HIDDEN) * np.array(areas)).all():
            return pixels
    return None


def _ground(rng: np.random.Generator, side: int) -> NDArray[np.float64]:
    return np.full((side, side, 3), rng.uniform(60, 200)) + rng.uniform(-10, 10, 3)


def _grainy(rng: np.random.Generator, image: NDArray[np.float64]) -> NDArray[np.uint8]:
    noise = rng.normal(0, GRAIN, (*image.shape[:2], 1))
    return np.asarray((image + noise).clip(0, 255), np.uint8)


def _colour(rng: np.random.Generator, hue: float) -> NDArray[np.float64]:
    return np.array(colorsys.hsv_to_rgb(hue % 1, rng.uniform(0.65, 1), rng.uniform(0.6, 1))) * 255
