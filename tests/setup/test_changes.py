"""Which flips a set gets, and whether pictures are shrunk."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mobileone_mm.setup.boxes import Boxes
from mobileone_mm.setup.changes import EVERY, HORIZONTAL, Changes, choose_changes
from mobileone_mm.setup.maps import choose_maps

SIDE = 320


def pictures(folder: Path, top: int = 128, bottom: int = 128, count: int = 20) -> list[str]:
    """Pictures of which the upper half has one grey level, and the lower another, with noise."""
    generator = np.random.default_rng(0)
    paths = []
    for index in range(count):
        rows = np.repeat([top, bottom], 20)[:, None, None]
        Image.fromarray((rows + generator.integers(-9, 10, (40, 40, 3))).astype(np.uint8)).save(
            folder / f'{top}_{index}.png'
        )
        paths.append(str(folder / f'{top}_{index}.png'))
    return paths


def boxes(count: int = 200, tall: float = 1.0, low: float = 0.5, spread: float = 1.1, names: tuple[str, ...] = ('a',)):
    """Boxes round a side of 60 px: so many times as high as wide, with this mean centre, up to so much larger."""
    generator = np.random.default_rng(0)
    sides = 60 * np.exp(generator.uniform(-0.5, 0.5, count) * 1.25 * np.log(spread))
    wh = np.stack([sides / np.sqrt(tall), sides * np.sqrt(tall)], axis=1)
    centres = np.stack([generator.uniform(60, SIDE - 60, count), SIDE * generator.normal(low, 0.02, count)], axis=1)
    labels, sizes = np.arange(count) % len(names), np.full((count, 2), SIDE, float)
    return Boxes(np.hstack([centres - wh / 2, centres + wh / 2]), labels, sizes, names, count, sizes)


def chosen(some: Boxes, paths: list[str]) -> Changes:
    return choose_changes(some, choose_maps(some, SIDE).chosen, SIDE, paths)


def test_nothing_with_an_upside_is_flipped_in_every_direction(tmp_path: Path) -> None:
    found = chosen(boxes(), pictures(tmp_path))
    assert found.flips == EVERY
    assert found.upside.tall == pytest.approx(1.0)
    assert found.upside.low == pytest.approx(0.5, abs=0.01)
    assert found.upside.slope == pytest.approx(0.0, abs=0.01)


@pytest.mark.parametrize(
    ('some', 'halves'),
    [
        (boxes(tall=2.5), (128, 128)),  # people
        (boxes(tall=0.5), (128, 128)),  # cars
        (boxes(low=0.7), (128, 128)),  # things on the ground
        (boxes(), (200, 100)),  # the sky
        (boxes(count=30), (128, 128)),  # too few to tell
    ],
)
def test_what_has_an_upside_is_flipped_from_left_to_right(some: Boxes, halves: tuple[int, int], tmp_path: Path) -> None:
    assert chosen(some, pictures(tmp_path, *halves)).flips == HORIZONTAL


def test_few_pictures_tell_nothing(tmp_path: Path) -> None:
    assert chosen(boxes(), pictures(tmp_path, count=19)).flips == HORIZONTAL


@pytest.mark.parametrize(
    ('names', 'sided'),
    [
        (('turn left', 'stop'), ('turn left',)),
        (('hand_right', 'Left-hand'), ('hand_right', 'Left-hand')),
        (('bright', 'copyright', 'leftover'), ()),
    ],
)
def test_classes_with_sides_are_not_flipped(names: tuple[str, ...], sided: tuple[str, ...], tmp_path: Path) -> None:
    found = chosen(boxes(names=names), pictures(tmp_path))
    assert found.sided == sided
    assert found.flips == (() if sided else EVERY)


def test_shrinking_where_sizes_vary_and_small_ones_are_reached(tmp_path: Path) -> None:
    paths = pictures(tmp_path)
    assert not chosen(boxes(spread=1.3), paths).expand  # cells under a microscope
    varied = chosen(boxes(spread=4.0), paths)
    assert varied.expand
    assert varied.spread > 2
    tiny = boxes(spread=4.0)
    small = replace(tiny, xyxy=tiny.xyxy * 0.12)
    assert not chosen(small, paths).expand  # at half their size, nothing would reach them


def test_a_picture_that_cannot_be_read_is_passed_over(tmp_path: Path) -> None:
    paths = pictures(tmp_path)
    (tmp_path / 'broken.png').write_bytes(b'no picture')
    assert chosen(boxes(), [*paths, str(tmp_path / 'broken.png'), str(tmp_path / 'gone.png')]).flips == EVERY
