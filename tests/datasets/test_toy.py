"""Sets of drawn shapes: reproducible, files that COCO readers accept, masks, class folders."""

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from seen_shapes import seen_boxes, seen_classes

from mobileone_mm.datasets import toy, toy_shapes
from mobileone_mm.datasets.class_folders import ClassFolderDataset
from mobileone_mm.errors import UsageError
from mobileone_mm.pictures.reading import read_picture


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
    assert [entry['name'] for entry in coco.loadCats(coco.getCatIds())] == list(toy_shapes.CLASSES)
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


@pytest.mark.parametrize('write', [toy.write_coco, toy.write_masks])
def test_a_folder_whose_name_is_no_text_is_drawn_into(write: Callable[..., Any], tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b'b\xe4r')
    try:
        folder.mkdir()
    except OSError:
        pytest.skip('this file system takes names in UTF-8 only')
    write(folder, toy.ToyOptions(images=1, val=1))
    assert read_picture(folder / 'images/train/000001.png').shape == (160, 160, 3)


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


def test_class_folders_are_read_back_each_picture_with_its_class(tmp_path: Path) -> None:
    options = toy.ToyOptions(images=8, val=3, size=48)
    assert toy.write_class_folders(tmp_path / 'set', options) == {'train': 8, 'val': 3}
    for split, labels in (('train', [0, 0, 0, 1, 1, 1, 2, 2]), ('val', [0, 1, 2])):
        data = ClassFolderDataset(
            data_root=str(tmp_path / 'set'),
            data_prefix={'img_path': split},
            metainfo={'classes': ('circle', 'square', 'triangle')},
            pipeline=[],
            test_mode=split == 'val',  # where a single picture of a class will do
        )
        assert [data.get_data_info(index)['gt_label'] for index in range(len(data))] == labels
    chance = np.random.default_rng([0, 1, 2])  # the third of the validation pictures
    drawn = toy_shapes.draw_alone(chance, 2, 48)
    pixels = cv2.imread(str(tmp_path / 'set/val/triangle/000003.jpg'), cv2.IMREAD_COLOR_RGB)
    assert pixels is not None
    assert np.abs(pixels.astype(float) - drawn).mean() < 5  # a JPEG's


@pytest.mark.parametrize('bad', [{'images': 2}, {'val': 2}])
def test_a_class_without_a_picture_is_refused(bad: dict[str, int], tmp_path: Path) -> None:
    (name,) = bad
    with pytest.raises(UsageError, match=f'^`{name}`: 2 given, expected 3 or more, one of each class$'):
        toy.write_class_folders(tmp_path / 'set', toy.ToyOptions(**{'images': 3, 'val': 3, **bad}))
    assert list(tmp_path.iterdir()) == []


WRITERS = {'boxes': toy.write_coco, 'masks': toy.write_masks, 'class folders': toy.write_class_folders}
INSIDE = {  # as the smallest set has none
    'boxes': 'annotations/more.json',
    'masks': 'masks/train/000004.png',
    'class folders': 'train/circle/000004.jpg',
}


@pytest.mark.parametrize('kind', WRITERS)
@pytest.mark.parametrize('older', WRITERS)
def test_an_older_set_is_replaced_whatever_it_is_of(kind: str, older: str, tmp_path: Path) -> None:
    WRITERS[older](tmp_path / 'set', toy.ToyOptions(images=5, val=4, size=32))
    for name in ('set', 'alone'):
        WRITERS[kind](tmp_path / name, toy.ToyOptions(images=3, val=3, size=32))
    assert files(tmp_path / 'set') == files(tmp_path / 'alone')


@pytest.mark.parametrize('kind', WRITERS)
def test_a_folder_that_holds_anything_else_is_kept(kind: str, tmp_path: Path) -> None:
    small, write = toy.ToyOptions(images=3, val=3, size=32), WRITERS[kind]
    write(tmp_path / 'set with more', small)
    write(tmp_path / 'unmarked', small)
    (tmp_path / 'unmarked/.mobileone_mm').unlink()
    for name in (
        'mine/annotations/train.json',
        'mine/images/train/000001.png',
        'set with more/notes.txt',
        f'set with more/{INSIDE[kind]}',
        'set with more/images/train/more.png',
        'set with more/images/train/000004.png',
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
