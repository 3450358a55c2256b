"""Anchors by k-means over the boxes of a set, and the share of boxes that some anchor reaches.

Letters: N boxes, K shapes of anchors, L maps. Lengths are in px of the network's input.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

RESTARTS = 8  # of k-means, from other boxes each; the best is kept
MOST_ROUNDS = 100  # of one k-means; a few thousand boxes take some twenty
# A square on a grid of this many times smaller a stride keeps an IoU of 0.5 with an anchor of its size wherever it
# lies: half a stride off in both directions leaves (a - s / 2)^2 of 2 a^2 - (a - s / 2)^2.
SIDE_PER_STRIDE = 2.725
LEAST_SIDE = 4.0  # px of an anchor


@dataclass(frozen=True)
class Anchors:
    """Where anchors stand and what they are like.

    Attributes:
        strides: of the maps, finest first.
        cells: of the maps, along either side.
        shapes: of each map, the (width, height) of its anchors; as many on one map as on another.
    """

    strides: tuple[int, ...]
    cells: tuple[int, ...]
    shapes: tuple[tuple[tuple[int, int], ...], ...]

    def boxes(self) -> list[Floats]:
        """(K, 4) of each map: the anchors x1, y1, x2, y2 of its first cell."""
        halves = [np.array(shapes, np.float64) / 2 for shapes in self.shapes]
        return [
            np.hstack([stride / 2 - half, stride / 2 + half]) for stride, half in zip(self.strides, halves, strict=True)
        ]


def best_ious(
    boxes: Floats, anchors: Sequence[Floats], strides: Sequence[tuple[float, float]], cells: Sequence[tuple[int, int]]
) -> Floats:
    """(N,) the IoU of each box with the anchor that fits it best.

    Of one shape it is the anchor whose centre is nearest along each axis: that one has the largest part in common.

    Args:
        boxes: (N, 4) x1, y1, x2, y2.
        anchors: of each map, (K, 4) its anchors at the first cell.
        strides: of each map, from cell to cell, along x and y.
        cells: of each map, how many there are along x and y.
    """
    best = np.zeros(len(boxes))
    centres, sizes = (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]
    for level, step, count in zip(anchors, strides, cells, strict=True):
        for anchor in level:
            first = (anchor[:2] + anchor[2:]) / 2
            cell = np.clip(np.round((centres - first) / step), 0, np.array(count) - 1)
            corners = np.tile(anchor, (len(boxes), 1)) + np.tile(cell * step, 2)
            common = np.minimum(boxes[:, 2:], corners[:, 2:]) - np.maximum(boxes[:, :2], corners[:, :2])
            shared = common.clip(0).prod(axis=1)
            union = sizes.prod(axis=1) + (anchor[2:] - anchor[:2]).prod() - shared
            best = np.maximum(best, shared / union)
    return best


def reached(boxes: Floats, labels: NDArray[np.int64], anchors: Anchors, threshold: float) -> Floats:
    """The share of the boxes of each label that occurs, smallest label first, with an anchor at an IoU."""
    steps = [(float(stride), float(stride)) for stride in anchors.strides]
    best = best_ious(boxes, anchors.boxes(), steps, [(count, count) for count in anchors.cells])
    return np.array([(best[labels == label] >= threshold).mean() for label in np.unique(labels)])


def shape_ious(wh: Floats, shapes: Floats) -> Floats:
    """(N, K) the IoU of boxes (N, 2) and shapes (K, 2) that share their centre."""
    shared = np.minimum(wh[:, None], shapes[None]).prod(axis=2)
    union = wh.prod(axis=1)[:, None] + shapes.prod(axis=1)[None] - shared
    found: Floats = shared / union
    return found


def k_means(wh: Floats, weights: Floats, count: int, seed: int = 0) -> Floats:
    """(count, 2) widths and heights that boxes fit best, by 1 - IoU at one centre; the smallest area first.

    Args:
        wh: (N, 2) widths and heights, N >= count.
        weights: (N,) how much each box counts.
        count: number of shapes.
        seed: of the boxes that each start begins with.
    """
    generator = np.random.default_rng(seed)
    chances = weights / weights.sum()
    best, best_score = wh[:count], -1.0
    for _ in range(RESTARTS):
        shapes = wh[generator.choice(len(wh), count, replace=False, p=chances)]
        nearest = np.full(len(wh), -1)
        for _ in range(MOST_ROUNDS):
            ious = shape_ious(wh, shapes)
            before, nearest = nearest, ious.argmax(axis=1)
            if np.array_equal(before, nearest):
                break
            mine = np.eye(count)[nearest] * weights[:, None]
            total = mine.sum(axis=0)
            shapes = np.where(total[:, None] > 0, mine.T @ wh / np.maximum(total, 1e-12)[:, None], shapes)
        score = float((shape_ious(wh, shapes).max(axis=1) * chances).sum())
        if score > best_score:
            best, best_score = shapes, score
    found: Floats = best[best.prod(axis=1).argsort()]
    return found


def sides_of(wh: Floats) -> Floats:
    """(N,) the sides of squares with the areas of boxes (N, 2)."""
    sides: Floats = np.sqrt(wh.prod(axis=1))
    return sides


def suited_from(stride: float) -> float:
    """The side in px from which on a box suits a map of this stride, and needs no finer one."""
    return SIDE_PER_STRIDE * stride


def anchors_of(
    wh: Floats, labels: NDArray[np.int64], strides: Sequence[int], cells: Sequence[int], count: int
) -> Anchors:
    """`count` anchors for each map, by k-means over the boxes of the sizes that its grid is made for.

    A class with a hundred times the boxes of another counts ten times as much. A map without boxes of its sizes gets
    the usual shapes: crops make boxes larger than the set has them.

    Args:
        wh: (N, 2) widths and heights of boxes.
        labels: (N,) of their classes.
        strides: of the maps, finest first.
        cells: of the maps, along either side.
        count: anchors of a cell.
    """
    sides = sides_of(wh)
    weights = 1 / np.sqrt(np.bincount(labels)[labels])
    bounds = [0.0, *map(suited_from, strides[1:]), np.inf]
    shapes = []
    for low, high, stride, number in zip(bounds, bounds[1:], strides, cells, strict=False):
        mine = (sides >= low) & (sides < high)
        usual = _usual_shapes(max(low, suited_from(stride)), min(high, stride * number), count)
        if len(np.unique(wh[mine].round(), axis=0)) < count:
            shapes.append(_whole(usual))
        else:
            shapes.append(_whole(k_means(wh[mine], weights[mine], count)))
    return Anchors(tuple(strides), tuple(cells), tuple(shapes))


def _usual_shapes(low: float, high: float, count: int) -> Floats:
    """Shapes between two sides where no box says which: squares, then twice as wide or as high as the other way."""
    low = min(low, high / 1.2)
    middle = np.sqrt(low * high)
    squares = [middle] if count % 2 else [low ** (2 / 3) * high ** (1 / 3), low ** (1 / 3) * high ** (2 / 3)]
    pairs = [(middle * np.sqrt(ratio), middle / np.sqrt(ratio)) for ratio in (2, 3, 1.5)][: (count - len(squares)) // 2]
    shapes = [*((side, side) for side in squares), *pairs, *((height, width) for width, height in pairs)]
    return np.minimum(np.array(shapes), high)


def _whole(shapes: Floats) -> tuple[tuple[int, int], ...]:
    rounded = np.maximum(shapes, LEAST_SIDE).round().astype(int)
    return tuple((int(width), int(height)) for width, height in rounded)
