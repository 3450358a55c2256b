"""k-means over boxes, and what anchors reach, against every other choice on sets that are small enough to try all."""

from itertools import product

import numpy as np
import pytest
import torch
from mmdet.models.task_modules.prior_generators import SSDAnchorGenerator, YOLOAnchorGenerator
from torchvision.ops import box_iou

from mobileone_mm.setup.anchors import (
    SIDE_PER_STRIDE,
    Anchors,
    anchors_of,
    best_ious,
    k_means,
    reached,
    shape_ious,
)

SIDE = 64  # px of the input
STRIDES, CELLS = (8, 16, 32), (8, 4, 2)


def random_boxes(count: int, seed: int = 0) -> np.ndarray:
    """Boxes of which some reach out of the picture, as cropped ones do not but annotations may."""
    generator = np.random.default_rng(seed)
    centres, sizes = generator.uniform(0, SIDE, (count, 2)), np.exp(generator.uniform(1, 4, (count, 2)))
    return np.hstack([centres - sizes / 2, centres + sizes / 2])


def brute_force(boxes: np.ndarray, generator: YOLOAnchorGenerator | SSDAnchorGenerator) -> np.ndarray:
    """The best IoU of each box with all anchors on all maps, as mmdet lays them out."""
    priors = torch.cat(generator.grid_priors([(count, count) for count in CELLS], device='cpu'))
    return box_iou(torch.from_numpy(boxes), priors.double()).max(dim=1).values.numpy()


def test_best_ious_are_those_of_all_anchors_together() -> None:
    shapes = tuple(((2 * s, s), (s, 2 * s)) for s in (10, 20, 40))
    anchors = Anchors(STRIDES, CELLS, shapes)
    boxes = random_boxes(500)
    steps, cells = [(float(s), float(s)) for s in STRIDES], [(count, count) for count in CELLS]
    found = best_ious(boxes, anchors.boxes(), steps, cells)
    expected = brute_force(boxes, YOLOAnchorGenerator(list(STRIDES), [list(one) for one in shapes]))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)  # mmdet's are float32
    ssd = SSDAnchorGenerator(list(STRIDES), [[2, 3]] * 3, [10, 20, 30], [20, 30, 60], scale_major=False)
    of_ssd = best_ious(boxes, [one.double().numpy() for one in ssd.base_anchors], steps, cells)
    np.testing.assert_allclose(of_ssd, brute_force(boxes, ssd), rtol=0, atol=1e-6)
    assert best_ious(boxes[:0], anchors.boxes(), steps, cells).shape == (0,)


def test_shares_are_of_each_label_at_the_threshold() -> None:
    anchors = Anchors((8,), (8,), (((8, 8),),))
    boxes = np.array([[0, 0, 8, 8], [4, 0, 12, 8], [0, 0, 8, 4], [0, 0, 40, 40]], float)  # IoU 1, 1/3, 1/2 and 1/25
    labels = np.array([2, 2, 5, 5])
    assert reached(boxes, labels, anchors, 0.5).tolist() == [0.5, 0.5]
    assert reached(boxes, labels, anchors, 0.3).tolist() == [1.0, 0.5]
    assert reached(boxes, labels, anchors, 0.51).tolist() == [0.5, 0.0]


@pytest.mark.parametrize('offset', [(x, y) for x in (0, 2.5, 4) for y in (0, 1, 4)])
def test_a_square_that_fits_its_grid_is_reached_wherever_it_lies(offset: tuple[float, float]) -> None:
    side = SIDE_PER_STRIDE * 8
    corner = np.array([20.0, 20.0]) + offset
    box = np.array([[*corner, *(corner + side)]])
    half = side / 2
    anchor = [np.array([[4 - half, 4 - half, 4 + half, 4 + half]])]
    (found,) = best_ious(box, anchor, [(8.0, 8.0)], [(8, 8)])
    assert found >= 0.5 - 1e-3
    (smaller,) = best_ious(np.array([[0, 0, 8.0, 8.0]]) + 4, [np.array([[0, 0, 8.0, 8.0]])], [(8.0, 8.0)], [(8, 8)])
    assert smaller < 0.5  # one that does not, half a stride off


def test_shape_ious_by_hand() -> None:
    found = shape_ious(np.array([[2.0, 2], [4, 1]]), np.array([[2.0, 2], [1, 4], [8, 1]]))
    np.testing.assert_allclose(found, [[1, 2 / 6, 2 / 10], [2 / 6, 1 / 7, 4 / 8]])


def test_k_means_finds_the_best_of_all_partitions() -> None:
    generator = np.random.default_rng(3)
    groups = np.array([[10, 20], [30, 12], [40, 60]], float)
    wh = np.vstack([group * generator.uniform(0.9, 1.1, (3, 2)) for group in groups])
    weights = np.array([1, 1, 4, 1, 2, 1, 1, 1, 1], float)
    best = 0.0
    for parts in product(range(3), repeat=len(wh)):
        if len(set(parts)) == 3:
            mine = np.eye(3)[list(parts)] * weights[:, None]
            shapes = mine.T @ wh / mine.sum(axis=0)[:, None]
            best = max(best, float((shape_ious(wh, shapes).max(axis=1) * weights).sum()))
    found = k_means(wh, weights, 3)
    assert float((shape_ious(wh, found).max(axis=1) * weights).sum()) == pytest.approx(best, abs=1e-9)
    assert (np.diff(found.prod(axis=1)) > 0).all()
    np.testing.assert_array_equal(found, k_means(wh, weights, 3))  # the same again


def test_a_rare_class_has_its_own_anchors() -> None:
    """200 boxes of one size and 4 of another, on the same map: by number alone the few would have none."""
    generator = np.random.default_rng(0)
    many, few = (np.array(size) * generator.uniform(0.95, 1.05, (n, 2)) for size, n in (((20, 20), 200), ((8, 30), 4)))
    found = anchors_of(np.vstack([many, few]), np.array([0] * 200 + [1] * 4), (8,), (8,), 2)
    assert shape_ious(np.array([[8.0, 30.0]]), np.array(found.shapes[0], float)).max() > 0.8


def test_boxes_go_to_the_map_whose_grid_is_made_for_their_size() -> None:
    generator = np.random.default_rng(0)
    wh = np.vstack([generator.uniform(low, high, (50, 2)) for low, high in ((6, 30), (46, 60), (90, 110))])
    anchors = anchors_of(wh, np.zeros(150, int), (8, 16, 32, 64), (40, 20, 10, 5), 4)
    assert {len(one) for one in anchors.shapes} == {4}
    for shapes, (low, high) in zip(anchors.shapes, ((6, 30), (46, 60), (90, 110), (160, 321)), strict=True):
        assert all(low <= side <= high for shape in shapes for side in shape), shapes


@pytest.mark.parametrize('count', [2, 3, 4, 5, 6])
def test_a_map_without_boxes_has_usual_shapes(count: int) -> None:
    wh = np.full((30, 2), 10.0) * np.random.default_rng(0).uniform(0.8, 1.2, (30, 2))
    first, *others = anchors_of(wh, np.zeros(30, int), (8, 16, 32), (12, 6, 3), count).shapes
    assert all(side <= 12 for shape in first for side in shape)
    for shapes in others:
        assert len(set(shapes)) == count
        assert all(side <= 96 for shape in shapes for side in shape)  # no larger than the input
        assert set(shapes) == {(height, width) for width, height in shapes}  # as high ones as wide ones
