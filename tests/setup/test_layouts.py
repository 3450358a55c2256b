"""Where a folder of somebody's own data holds its annotations and pictures, for the layouts that people have."""

import json
from pathlib import Path
from typing import Any

import pytest

from mobileone_mm.datasets.toy import write_coco
from mobileone_mm.datasets.toy_options import ToyOptions
from mobileone_mm.setup.layouts import coco_layout, is_voc, voc_layout


def coco(
    file: Path, pictures: Path, *names: str, categories: Any = ({'id': 1, 'name': 'cat'},), box: str = 'bbox'
) -> None:
    """An annotation file, and its pictures, which nobody reads."""
    images = [{'id': index, 'file_name': name} for index, name in enumerate(names)]
    for name in names:
        (pictures / name).parent.mkdir(parents=True, exist_ok=True)
        (pictures / name).touch()
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({'images': images, 'annotations': [{box: []}], 'categories': list(categories)}))


def test_the_set_that_toy_data_writes(tmp_path: Path) -> None:
    write_coco(tmp_path / 'own', ToyOptions(images=2, val=2, size=64))
    found = coco_layout(tmp_path / 'own')
    assert found.lines == {
        'train_file': 'annotations/train.json',
        'train_images': 'images/train/',
        'val_file': 'annotations/val.json',
        'val_images': 'images/val/',
    }
    assert found.classes == ('circle', 'square', 'triangle')
    assert not found.missing


@pytest.mark.parametrize(
    ('train', 'val'),
    [
        (('annotations/instances_train2017.json', 'train2017/'), ('annotations/instances_val2017.json', 'val2017/')),
        (('train/_annotations.coco.json', 'train/'), ('valid/_annotations.coco.json', 'valid/')),
        (('train.json', ''), ('val.json', '')),
        (('train.json', 'images/'), ('validation.json', 'images/')),
    ],
    ids=['COCO', 'Roboflow', 'one folder', 'one folder of pictures'],
)
def test_layouts_that_people_have(train: tuple[str, str], val: tuple[str, str], tmp_path: Path) -> None:
    for file, pictures in (train, val):
        coco(tmp_path / file, tmp_path / pictures, 'a.jpg', 'b.jpg')
    coco(tmp_path / 'annotations' / 'captions_train2017.json', tmp_path / 'captioned', 'c.jpg', box='caption')
    (tmp_path / 'train.old.json').write_text('no JSON')
    found = coco_layout(tmp_path)
    assert found.lines == dict(
        zip(('train_file', 'train_images', 'val_file', 'val_images'), (*train, *val), strict=True)
    )
    assert (found.classes, found.missing) == (('cat',), ())


def test_links_to_folders_are_followed_but_not_round_and_round(tmp_path: Path) -> None:
    root, elsewhere = tmp_path / 'root', tmp_path / 'elsewhere'
    coco(elsewhere / 'train.json', elsewhere / 'train', 'a.jpg')
    root.mkdir()
    (root / 'linked').symlink_to(elsewhere)
    (elsewhere / 'back').symlink_to(root)
    found = coco_layout(root).lines
    assert (found['train_file'], found['train_images']) == ('linked/train.json', 'linked/train/')


def test_a_json_for_each_picture_is_no_annotation_file(tmp_path: Path) -> None:
    for index in range(100):
        coco(tmp_path / 'train' / f'{index:03}.json', tmp_path / 'train', f'{index}.jpg', box='shape')
    assert not coco_layout(tmp_path).lines


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    coco(tmp_path / 'train.json', tmp_path / 'images', 'a.jpg')
    (tmp_path / 'images' / 'a.jpg').unlink()
    found = coco_layout(tmp_path)
    assert found.lines == {'train_file': 'train.json', 'val_file': None, 'val_images': None}
    assert found.missing == ('the pictures that train.json names',)
    (tmp_path / 'val.json').write_text('no JSON')  # is meant for validation, and cannot be used
    found = coco_layout(tmp_path)
    assert found.lines == {'train_file': 'train.json'}
    assert found.missing[1:] == ("an annotation file for validation (a .json of COCO format with 'val' in its path)",)


@pytest.mark.parametrize('file', ['train.json', 'train/_annotations.coco.json', 'result.json', 'export/boxes.json'])
def test_without_a_file_for_validation_a_fifth_is_held_out(file: str, tmp_path: Path) -> None:
    folder = (tmp_path / file).parent
    coco(tmp_path / file, folder, 'a.jpg', 'b.jpg')
    (tmp_path / 'notes.json').write_text('{}')
    found = coco_layout(tmp_path)
    images = '' if folder == tmp_path else f'{folder.name}/'
    assert found.lines == {'train_file': file, 'train_images': images, 'val_file': None, 'val_images': None}
    assert (found.classes, found.missing) == (('cat',), ())
    assert found.notes[0].startswith(f'no annotation file for validation in {tmp_path}: a fifth of the pictures is')


def test_of_several_files_without_a_part_none_is_taken(tmp_path: Path) -> None:
    for name in ('a.json', 'b.json'):
        coco(tmp_path / name, tmp_path, 'a.jpg')
    assert coco_layout(tmp_path).lines == {}
    (tmp_path / 'b.json').rename(tmp_path / 'test.json')  # what is left of it may be held in a file elsewhere
    assert coco_layout(tmp_path).lines == {}


@pytest.mark.parametrize('names', [['cat', 'cat'], ['cat', ''], ['cat', 7]])
def test_categories_that_cannot_be_classes_are_left_to_the_user(names: list[Any], tmp_path: Path) -> None:
    coco(tmp_path / 'train.json', tmp_path, 'a.jpg', categories=[{'id': 1, 'name': name} for name in names])
    assert coco_layout(tmp_path).classes == ()


def test_voc(tmp_path: Path) -> None:
    assert not is_voc(tmp_path)
    assert voc_layout(tmp_path).missing == (
        'Annotations/',
        'JPEGImages/',
        'a list of the training pictures (ImageSets/Main/train.txt)',
        'a list of the validation pictures (ImageSets/Main/val.txt)',
    )
    for name in ('Annotations/1.xml', 'JPEGImages/1.jpg', 'ImageSets/train.txt', 'val.txt'):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert is_voc(tmp_path)
    found = voc_layout(tmp_path)
    assert (found.lines, found.missing) == ({'train_list': 'ImageSets/train.txt', 'val_list': 'val.txt'}, ())
    (tmp_path / 'val.txt').unlink()
    found = voc_layout(tmp_path)
    assert (found.lines, found.missing) == ({'train_list': 'ImageSets/train.txt', 'val_list': None}, ())
    assert found.notes[0].startswith(f'no list for validation in {tmp_path}: a fifth of the pictures is held out')
