"""Drawn shapes: reproducible, boxes and masks of what is visible, files that COCO readers accept."""

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from mobileone_mm.datasets import toy
from mobileone_mm.errors import UsageError
from mobileone_mm.pictures.reading import read_picture

SIDE = 96
COLOURED = 70  # grey levels between a pixel's largest and smallest channel: ground stays below, shapes above


def scenes(count: int, side: int = SIDE) -> list[toy.Scene]:
    return [toy.draw_scene(np.random.default_rng([3, index]), side) for index in range(count)]


def seen_boxes(image_rgb: NDArray[np.uint8]) -> dict[int, list[int]]:
    """Boxes found by colour alone, one for each class: right where no class is drawn twice."""
    hsv = cv2.cvtColor(image_rgb, cv2.COLOR_RGB2HSV_FULL).astype(int)  # hue 0..255
    coloured = np.ptp(image_rgb.astype(int), axis=2) > COLOURED
    away = np.stack([np.abs((hsv[..., 0] - hue * 255 + 128) % 255 - 128) for hue in toy.HUES.values()])
    boxes = {}
    for label in range(len(toy.CLASSES)):
        ys, xs = np.nonzero(coloured & (away.argmin(axis=0) == label))
        if len(xs):
            boxes[label] = [
                xs.min(),
                ys.min(),
                xs.max() - xs.min() + 1,
                ys.max() - ys.min() + 1,
            ]
    return boxes


def test_boxes_are_tight_to_the_pixels_that_are_seen() -> None:
    compared = 0
    for scene in scenes(60):
        if len(set(scene.labels)) < len(scene.labels):
            continue
        compared += len(scene.labels)
        assert seen_boxes(scene.image_rgb) == dict(zip(scene.labels, toy.visible_boxes(scene).tolist(), strict=True))
    assert compared > 25


def test_shapes_overlap_but_none_is_mostly_hidden() -> None:
    alone, together = [], 0
    for scene in scenes(80):
        boxes = toy.visible_boxes(scene)
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
    assert {label for scene in drawn for label in scene.labels} == set(range(len(toy.CLASSES)))
    assert {len(scene.labels) for scene in drawn} == set(range(toy.MOST_SHAPES + 1))


@pytest.mark.parametrize('name', toy.CLASSES)
@pytest.mark.parametrize('angle', [0.0, 0.3, 2.0])
def test_a_shape_fills_the_longer_side_of_its_square(name: str, angle: float) -> None:
    side = 60
    ys, xs = np.nonzero(toy.shape_mask(name, side, angle))
    longer = max(np.ptp(xs), np.ptp(ys)) + 1
    assert side - 3 <= longer <= side  # a corner between two pixel centres is not drawn


def test_area_of_a_circle_and_of_an_upright_square() -> None:
    assert toy.shape_mask('square', 50, np.pi / 4).sum() == 50 * 50
    assert toy.shape_mask('circle', 200, 0.0).sum() == pytest.approx(np.pi * 100**2, rel=2e-3)


def files(folder: Path) -> Mapping[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob('*') if path.is_file()}


def test_same_options_same_bytes_other_seed_other_pictures(tmp_path: Path) -> None:
    options = toy.ToyOptions(images=4, val=2, size=48, seed=1)
    toy.write_coco(tmp_path / 'a', options)
    toy.write_coco(tmp_path / 'b', options)
    toy.write_coco(tmp_path / 'c', toy.ToyOptions(images=4, val=2, size=48, seed=2))
    first, again, other = (files(tmp_path / name) for name in 'abc')
    assert first == again
    assert first.keys() == other.keys()
    assert all(first[name] != other[name] for name in first if name != '.mobileone_mm')


def test_a_picture_does_not_depend_on_how_many_are_drawn_and_splits_differ(
    tmp_path: Path,
) -> None:
    toy.write_coco(tmp_path / 'few', toy.ToyOptions(images=2, val=2, size=48))
    toy.write_coco(tmp_path / 'more', toy.ToyOptions(images=5, val=2, size=48))
    few, more = files(tmp_path / 'few'), files(tmp_path / 'more')
    assert all(more[name] == content for name, content in few.items() if name.endswith('.png'))
    assert few['images/train/000001.png'] != few['images/val/000001.png']


def test_coco_reads_the_set_back(tmp_path: Path) -> None:
    from pycocotools.coco import COCO

    counts = toy.write_coco(tmp_path / 'set', toy.ToyOptions(images=12, val=3, size=64))
    coco = COCO(str(tmp_path / 'set' / 'annotations' / 'train.json'))
    assert [entry['name'] for entry in coco.loadCats(coco.getCatIds())] == list(toy.CLASSES)
    assert len(coco.getImgIds()) == 12
    assert len(coco.getAnnIds()) == counts['train'] > 12
    for image in coco.loadImgs(coco.getImgIds()):
        pixels = cv2.imread(
            str(tmp_path / 'set' / 'images' / 'train' / image['file_name']),
            cv2.IMREAD_COLOR_RGB,
        )
        assert pixels is not None
        assert pixels.shape == (image['height'], image['width'], 3) == (64, 64, 3)
        found = {entry['category_id'] - 1: entry['bbox'] for entry in coco.loadAnns(coco.getAnnIds(image['id']))}
        if len(found) == len(coco.getAnnIds(image['id'])):
            assert seen_boxes(pixels.astype(np.uint8)) == found  # colours kept their order through the file


def seen_classes(image_rgb: NDArray[np.uint8]) -> NDArray[np.int64]:
    """The class of each pixel by its colour alone: 0 ground, then the shapes."""
    hue = cv2.cvtColor(image_rgb, cv2.COLOR_RGB2HSV_FULL)[..., 0].astype(int)
    away = np.stack([np.abs((hue - middle * 255 + 128) % 255 - 128) for middle in toy.HUES.values()])
    coloured = np.ptp(image_rgb.astype(int), axis=2) > COLOURED
    return np.where(coloured, 1 + away.argmin(axis=0), 0)


@pytest.mark.parametrize('write', [toy.write_coco, toy.write_masks])
def test_a_folder_whose_name_is_no_text_is_drawn_into(write: Callable[..., Any], tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b'b\xe4r')
    try:
        folder.mkdir()
    except OSError:
        pytest.skip('this file system takes names in UTF-8 only')
    write(folder, toy.ToyOptions(images=1, val=1))
    assert read_picture(folder / 'images/train/000001.png').shape == (160, 160, 3)


def test_a_mask_is_what_is_seen() -> None:
    assert toy.MASK_CLASSES == ('ground', 'circle', 'square', 'triangle')
    for scene in scenes(40):
        mask = toy.class_mask(scene)
        assert mask.dtype == np.uint8
        np.testing.assert_array_equal(mask, seen_classes(scene.image_rgb))


def test_a_set_with_masks_has_the_pictures_of_that_with_boxes_and_a_mask_of_each(tmp_path: Path) -> None:
    options = toy.ToyOptions(images=12, val=3, size=64, seed=2)
    boxes, shapes = toy.write_coco(tmp_path / 'boxes', options), toy.write_masks(tmp_path / 'masks', options)
    assert shapes == boxes
    with_boxes, with_masks = files(tmp_path / 'boxes'), files(tmp_path / 'masks')
    images = [name for name in with_boxes if name.startswith('images/')]
    masks = [name.replace('images/', 'masks/') for name in images]
    assert set(with_masks) == {'.mobileone_mm', 'info.json', *images, *masks}
    for image, mask in zip(images, masks, strict=True):
        assert with_masks[image] == with_boxes[image]
        pixels = cv2.imread(str(tmp_path / 'masks' / image), cv2.IMREAD_COLOR_RGB)
        ids = cv2.imread(str(tmp_path / 'masks' / mask), cv2.IMREAD_UNCHANGED)
        assert pixels is not None
        assert ids is not None
        np.testing.assert_array_equal(ids, seen_classes(pixels.astype(np.uint8)))


WRITERS = {'boxes': toy.write_coco, 'masks': toy.write_masks}
INSIDE = {'boxes': 'annotations/more.json', 'masks': 'masks/train/000002.png'}  # as a set of one picture has none


@pytest.mark.parametrize('kind', WRITERS)
@pytest.mark.parametrize('older', WRITERS)
def test_an_older_set_is_replaced_whatever_it_is_of(kind: str, older: str, tmp_path: Path) -> None:
    WRITERS[older](tmp_path / 'set', toy.ToyOptions(images=3, val=1, size=32))
    for name in ('set', 'alone'):
        WRITERS[kind](tmp_path / name, toy.ToyOptions(images=1, val=1, size=32))
    assert files(tmp_path / 'set') == files(tmp_path / 'alone')


@pytest.mark.parametrize('kind', WRITERS)
def test_a_folder_that_holds_anything_else_is_kept(kind: str, tmp_path: Path) -> None:
    small, write = toy.ToyOptions(images=1, val=1, size=32), WRITERS[kind]
    write(tmp_path / 'set with more', small)
    write(tmp_path / 'unmarked', small)
    (tmp_path / 'unmarked/.mobileone_mm').unlink()
    for name in (
        'mine/annotations/train.json',
        'mine/images/train/000001.png',
        'set with more/notes.txt',
        f'set with more/{INSIDE[kind]}',
        'set with more/images/train/more.png',
        'set with more/images/train/000002.png',
        'set with more/images/val/deeper/000001.png',
        'unmarked/images/train/000001.png',
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({'info': {'description': toy.DESCRIPTION}, 'images': []}))
        before = files(tmp_path)
        with pytest.raises(
            UsageError, match='this folder is not a set of drawn shapes written by mobileone_mm; move it'
        ):
            write(tmp_path / Path(name).parts[0], small)
        assert files(tmp_path) == before
        path.unlink()


@pytest.mark.parametrize('bad', [{'images': 0}, {'val': 0}, {'size': 31}, {'seed': -1}])
def test_bad_options_are_named(bad: dict[str, Any]) -> None:
    (name,) = bad
    with pytest.raises(UsageError, match=f'^`{name}`: .* given, expected .* or more'):
        toy.ToyOptions(**bad)
