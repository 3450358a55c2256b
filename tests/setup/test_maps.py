"""Which maps a set gets."""

import numpy as np
import pytest

from mobileone_mm.models.backbones.variants import ARCHITECTURES
from mobileone_mm.setup.boxes import Boxes, Resize
from mobileone_mm.setup.maps import COARSE, FINE, choose_maps, strides_of

PICTURE = (640, 480)


def boxes(*groups: tuple[int, float], spread: float = 0.15, seed: int = 0) -> Boxes:
    """For each (number, side in px at 320): nearly square boxes of a class of their own, anywhere in pictures."""
    generator = np.random.default_rng(seed)
    at = []
    for count, side in groups:
        size = side * generator.uniform(1 - spread, 1 + spread, (count, 2))
        corner = generator.uniform(0, 320 - size)
        at.append(np.hstack([corner, corner + size]))
    zoom = np.tile(np.array(PICTURE) / 320, 2)
    labels = np.repeat(np.arange(len(groups)), [count for count, _ in groups])
    total = len(labels)
    names = tuple(f'class {index}' for index in range(len(groups)))
    sizes = np.full((total, 2), PICTURE, float)
    return Boxes(np.vstack(at) * zoom, labels, sizes, names, total, sizes)


def test_boxes_at_the_input_fill_it_as_they_fill_their_picture() -> None:
    one = Boxes(
        np.array([[64, 48, 320, 240.0]]), np.array([0]), np.array([PICTURE], float), ('a',), 1, np.zeros((0, 2))
    )
    assert one.at(Resize((320, 320))).tolist() == [[32, 32, 160, 160]]
    assert one.at(Resize((320, 320), keep_ratio=True)).tolist() == [[32, 24, 160, 120]]


@pytest.mark.parametrize(
    ('groups', 'stages'),
    [
        ([(300, 20)], FINE),  # small ones alone
        ([(1500, 60), (150, 20)], FINE),  # a class of small ones that is few of all, as in BCCD
        ([(300, 60)], COARSE),
        ([(300, 60), (5, 20)], COARSE),  # too few to tell
        ([(300, 150)], COARSE),
    ],
)
def test_a_finer_map_where_boxes_are_small(groups: list[tuple[int, float]], stages: tuple[int, ...]) -> None:
    choice = choose_maps(boxes(*groups), 320)
    assert choice.chosen.stages == stages
    assert choice.counts == tuple(count for count, _ in groups)
    for value, (count, _) in zip(choice.chosen.shares, groups, strict=True):
        assert value > 0.9 or count < 10


def test_a_class_without_boxes_has_no_share() -> None:
    some = boxes((30, 60))
    two = Boxes(some.xyxy, some.labels, some.sizes, ('a', 'b'), some.pictures, some.picture_sizes)
    first, second = choose_maps(two, 320).chosen.shares
    assert first > 0.9
    assert np.isnan(second)


def test_tiny_boxes_are_reached_less_and_that_is_said() -> None:
    chosen = choose_maps(boxes((300, 6)), 320).chosen
    assert chosen.stages == FINE
    assert chosen.share < 0.8


@pytest.mark.parametrize(
    ('side', 'stages', 'strides', 'cells'),
    [
        (320, COARSE, (16, 32, 64, 107, 160, 320), (20, 10, 5, 3, 2, 1)),  # as configs/_base_/ssdlite.py has them
        (320, FINE, (8, 16, 32, 64, 107), (40, 20, 10, 5, 3)),
        (416, FINE, (8, 16, 32, 59, 104), (52, 26, 13, 7, 4)),
        (96, FINE, (8, 16, 32, 48, 96), (12, 6, 3, 2, 1)),
    ],
)
def test_strides(side: int, stages: tuple[int, ...], strides: tuple[int, ...], cells: tuple[int, ...]) -> None:
    assert strides_of(side, stages) == (strides, cells)


@pytest.mark.parametrize(
    ('groups', 'side', 'strides'),
    [
        ([(300, 20)], 320, (8, 16, 32)),
        ([(300, 20), (30, 140)], 320, (8, 16, 32)),  # a map of stride 64 px is for boxes from 174 px on
        ([(990, 20), (3, 240)], 320, (8, 16, 32)),  # hardly any
        ([(300, 20), (30, 240)], 320, (8, 16, 32, 64)),
        ([(300, 20), (30, 310)], 320, (8, 16, 32, 64, 107)),
        ([(300, 10), (30, 140)], 640, (8, 16, 32, 64)),  # there they have twice the side
    ],
)
def test_beside_small_boxes_coarser_maps_for_large_ones(
    groups: list[tuple[int, float]], side: int, strides: tuple[int, ...]
) -> None:
    chosen = choose_maps(boxes(*groups, spread=0.02), side).chosen
    assert chosen.stages == FINE
    assert chosen.anchors.strides == strides
    assert chosen.shares[-1] > 0.9  # of the large ones


def test_channels_are_those_of_the_stages() -> None:
    fine, coarse = choose_maps(boxes((300, 20)), 320).chosen, choose_maps(boxes((300, 60)), 320).chosen
    assert fine.channels(ARCHITECTURES['s0']['width_factor']) == (128, 256, 1024)
    assert fine.channels(ARCHITECTURES['s2']['width_factor']) == (256, 640, 2048)
    both = choose_maps(boxes((300, 20), (30, 240)), 320).chosen
    assert both.channels(ARCHITECTURES['s0']['width_factor']) == (128, 256, 1024, 512)
    assert coarse.channels(ARCHITECTURES['s1']['width_factor']) == (512, 1280, 512, 256, 256, 128)  # as its config
