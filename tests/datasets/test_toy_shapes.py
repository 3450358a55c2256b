"""Drawn shapes: boxes and masks of what is visible, and a shape alone whose colour says nothing of its class."""

import numpy as np
import pytest
from numpy.typing import NDArray
from seen_shapes import seen_boxes, seen_classes

from mobileone_mm.datasets import toy_shapes

SIDE = 96


def scenes(count: int, side: int = SIDE) -> list[toy_shapes.Scene]:
    return [toy_shapes.draw_scene(np.random.default_rng([3, index]), side) for index in range(count)]


def test_boxes_are_tight_to_the_pixels_that_are_seen() -> None:
    compared = 0
    for scene in scenes(60):
        if len(set(scene.labels)) < len(scene.labels):
            continue
        compared += len(scene.labels)
        assert seen_boxes(scene.image_rgb) == dict(
            zip(scene.labels, toy_shapes.visible_boxes(scene).tolist(), strict=True)
        )
    assert compared > 25


def test_shapes_overlap_but_none_is_mostly_hidden() -> None:
    alone, together = [], 0
    for scene in scenes(80):
        boxes = toy_shapes.visible_boxes(scene)
        for index, (x, y, width, height) in enumerate(boxes.tolist()):
            visible = int((scene.owners == index + 1).sum())
            together += int((scene.owners[y : y + height, x : x + width] > index + 1).any())
            alone.append(visible / (width * height))
            assert 0 <= x <= SIDE - width
            assert 0 <= y <= SIDE - height
    assert together > 20
    assert min(alone) > 0.2  # a triangle fills at least 0.4 of its box, and 0.6 of it stays visible


def test_every_class_count_and_empty_pictures_occur() -> None:
    drawn = scenes(200, side=48)
    assert {label for scene in drawn for label in scene.labels} == set(range(len(toy_shapes.CLASSES)))
    assert {len(scene.labels) for scene in drawn} == set(range(toy_shapes.MOST_SHAPES + 1))


@pytest.mark.parametrize('name', toy_shapes.CLASSES)
@pytest.mark.parametrize('angle', [0.0, 0.3, 2.0])
def test_a_shape_fills_the_longer_side_of_its_square(name: str, angle: float) -> None:
    side = 60
    ys, xs = np.nonzero(toy_shapes.shape_mask(name, side, angle))
    longer = max(np.ptp(xs), np.ptp(ys)) + 1
    assert side - 3 <= longer <= side  # a corner between two pixel centres is not drawn


def test_area_of_a_circle_and_of_an_upright_square() -> None:
    assert toy_shapes.shape_mask('square', 50, np.pi / 4).sum() == 50 * 50
    assert toy_shapes.shape_mask('circle', 200, 0.0).sum() == pytest.approx(np.pi * 100**2, rel=2e-3)


def test_a_mask_is_what_is_seen() -> None:
    assert toy_shapes.MASK_CLASSES == ('ground', 'circle', 'square', 'triangle')
    for scene in scenes(40):
        mask = toy_shapes.class_mask(scene)
        assert mask.dtype == np.uint8
        np.testing.assert_array_equal(mask, seen_classes(scene.image_rgb))


def alone(split: int, count: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Pictures (count, 48, 48, 3) of one shape each, and their classes."""
    labels = np.arange(count) % len(toy_shapes.CLASSES)
    chances = [np.random.default_rng([split, index]) for index in range(count)]
    return np.stack([toy_shapes.draw_alone(rng, label, 48) for rng, label in zip(chances, labels, strict=True)]), labels


def nearest(known: NDArray[np.float64], labels: NDArray[np.int64], asked: NDArray[np.float64]) -> NDArray[np.int64]:
    """The class of the nearest of the known rows, for each row that is asked for."""
    away = ((asked[:, None] - known[None]) ** 2).sum(axis=2)
    return np.asarray(labels[away.argmin(axis=1)])


def test_the_colours_of_a_shape_alone_say_little_of_its_class() -> None:
    (images, labels), (others, truth) = alone(0, 600), alone(1, 300)
    means, asked = (pictures.mean(axis=(1, 2)) for pictures in (images, others))
    assert (nearest(means, labels, asked) == truth).mean() < 0.45  # a third is chance


def test_the_outline_of_a_shape_alone_is_that_of_its_class() -> None:
    images, labels = alone(0, 60)
    for image, label in zip(images, labels, strict=True):
        corners = np.stack([image[y, x] for y in (0, -1) for x in (0, -1)]).astype(float)
        apart = np.abs(image - np.median(corners, axis=0)).max(axis=2) > 50  # noise is 10
        ys, xs = np.nonzero(apart)
        height, width = np.ptp(ys) + 1, np.ptp(xs) + 1
        fills = apart.sum() / (height * width)
        low, high = {'circle': (0.6, 0.85), 'square': (0.6, 1.0), 'triangle': (0.35, 0.62)}[toy_shapes.CLASSES[label]]
        assert low <= fills <= high, toy_shapes.CLASSES[label]
        assert max(height, width) >= 0.35 * 48
