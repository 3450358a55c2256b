"""What a folder is taken for, and what is said of one that cannot be used."""

from collections.abc import Callable
from pathlib import Path

import pytest
from own_folders import write_coco, write_masks, write_voc
from small_classes import write

from mobileone_mm.errors import DataError, UsageError
from mobileone_mm.setup.folder import EXPECTED, look
from mobileone_mm.setup.layouts import CLASSES, COCO, MASKS, VOC


def roboflow(root: Path) -> None:
    """As Roboflow exports COCO: a category that no box is of comes first, named as the project."""
    files = [f'{part}/_annotations.coco.json' for part in ('train', 'valid')]
    write_coco(root, files, ('train', 'valid'), categories=('animals', 'cat', 'dog'))


def split_masks(root: Path) -> None:
    write_masks(root, 'images/train', 'annotations/train')
    write_masks(root, 'images/val', 'annotations/val')


def masks_in_parts(root: Path) -> None:
    write_masks(root, 'train/pictures', 'train/labels')
    write_masks(root, 'valid/pictures', 'valid/labels')


@pytest.mark.parametrize(
    ('make', 'template', 'lines', 'classes'),
    [
        (
            write_coco,
            COCO,
            {
                'train_file': 'annotations/instances_train.json',
                'train_images': 'train/',
                'val_file': 'annotations/instances_val.json',
                'val_images': 'val/',
            },
            ('cat', 'dog'),
        ),
        (
            roboflow,
            COCO,
            {
                'train_file': 'train/_annotations.coco.json',
                'train_images': 'train/',
                'val_file': 'valid/_annotations.coco.json',
                'val_images': 'valid/',
            },
            ('cat', 'dog'),
        ),
        (
            write_voc,
            VOC,
            {'train_list': 'ImageSets/Main/train.txt', 'val_list': 'ImageSets/Main/val.txt'},
            ('cat', 'dog'),
        ),
        (
            lambda root: write_masks(root, 'JPEGImages', 'SegmentationClass'),
            MASKS,
            {'images': 'JPEGImages', 'masks': 'SegmentationClass'},
            (),
        ),
        (
            split_masks,
            MASKS,
            {
                'images': 'images/train',
                'masks': 'annotations/train',
                'val_images': 'images/val',
                'val_masks': 'annotations/val',
            },
            (),
        ),
        (
            masks_in_parts,
            MASKS,
            {
                'images': 'train/pictures',
                'masks': 'train/labels',
                'val_images': 'valid/pictures',
                'val_masks': 'valid/labels',
            },
            (),
        ),
        (
            lambda root: write(root, 'rose/1.png', 'daisy/1.png'),
            CLASSES,
            {'train_folder': '', 'val_folder': None},
            ('daisy', 'rose'),
        ),
        (
            lambda root: write(root, 'train/rose/1.png', 'train/daisy/2.png', 'val/rose/3.png', 'val/daisy/4.png'),
            CLASSES,
            {'train_folder': 'train', 'val_folder': 'val'},
            ('daisy', 'rose'),
        ),
    ],
    ids=['COCO', 'Roboflow', 'VOC', 'masks', 'split masks', 'masks in parts', 'classes', 'split classes'],
)
def test_layouts(
    make: Callable[[Path], object], template: str, lines: dict[str, str], classes: tuple[str, ...], tmp_path: Path
) -> None:
    make(tmp_path)
    (tmp_path / 'README.txt').write_text('about this set')
    (tmp_path / '.cache').mkdir()
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob('*')}
    found = look(tmp_path)
    assert (found.template, found.lines, found.classes) == (template, lines, classes)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob('*')} == before


def test_a_category_without_a_box_is_left_out_and_said(tmp_path: Path) -> None:
    roboflow(tmp_path)
    assert look(tmp_path).notes == ('left out, as no box is of them: animals',)


def test_boxes_that_have_masks_too_are_boxes(tmp_path: Path) -> None:
    write_coco(tmp_path, folders=('images/train', 'images/val'))
    for part in ('train', 'val'):
        write_masks(tmp_path, f'images/{part}', f'semantic/{part}')
    found = look(tmp_path)
    assert found.template == COCO
    assert found.notes == ('semantic/train may hold masks: to train on those, give `images` and `masks` instead',)


def both(root: Path) -> None:
    write_coco(root)
    write_voc(root)


def without_boxes_to_validate_on(root: Path) -> None:
    write_coco(root)
    (root / 'annotations/instances_val.json').write_text('{}')


def without_pictures(root: Path) -> None:
    write_coco(root)
    for path in (root / 'val').iterdir():
        path.unlink()


def without_lists(root: Path) -> None:
    write_voc(root)
    (root / 'ImageSets/Main/train.txt').unlink()


def without_objects(root: Path) -> None:
    write_voc(root)
    for path in (root / 'Annotations').iterdir():
        path.write_text('<annotation/>')


def categories_twice(root: Path) -> None:
    write_coco(root)
    file = root / 'annotations/instances_train.json'
    file.write_text(file.read_text().replace('"dog"', '"cat"'))


def two_sets_of_masks(root: Path) -> None:
    write_masks(root, 'images', 'fine')
    write_masks(root, 'images', 'coarse')


@pytest.mark.parametrize(
    ('make', 'message'),
    [
        (
            both,
            r'COCO format \(annotations/instances_train\.json, annotations/instances_val\.json\) and in VOC format '
            r'\(Annotations/\*\.xml\), expected one set',
        ),
        (
            without_boxes_to_validate_on,
            r'but not an annotation file for validation \(a \.json of COCO format with .val. in',
        ),
        (without_pictures, r'but not the pictures that annotations/instances_val\.json names'),
        (
            categories_twice,
            r'instances_train\.json: its categories are no classes, expected a name for each',
        ),
        (without_lists, r'in VOC format, but not a list of the training pictures \(ImageSets/Main/train\.txt\)'),
        (without_objects, r'train\.txt: none of its pictures has an object in Annotations/'),
        (two_sets_of_masks, r'several sets of masks: images with coarse; images with fine; name one with `images` and'),
        (lambda root: write(root, 'images/1.png', 'labels/1.txt', 'data.yaml'), 'holds boxes in YOLO format, which is'),
        (lambda root: write(root, 'train/1.png', 'train/_annotations.createml.json'), 'holds boxes in CreateML format'),
        (lambda root: write(root, 'train/1.png', 'boxes.csv'), 'holds boxes in a CSV file, which is not read'),
        (
            lambda root: write(root, '1.png', '2.png'),
            r'holds 2 \.png, and no set that is known; expected boxes',
        ),
        (lambda root: write(root, 'rose/1.png', 'a.pdf'), r'holds 1 \.pdf, 1 \.png in rose/, and no set that is known'),
        (lambda root: (root / 'empty').mkdir(), 'holds no file, only the folders empty/'),
        (lambda root: None, 'holds no file; expected boxes'),
    ],
)
def test_what_cannot_be_used_is_one_message(make: Callable[[Path], object], message: str, tmp_path: Path) -> None:
    make(tmp_path)
    with pytest.raises(DataError, match=message) as caught:
        look(tmp_path)
    assert str(caught.value).startswith(str(tmp_path))
    assert '\n' not in str(caught.value)


def test_what_is_expected_is_said_of_a_folder_of_something_else(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        look(tmp_path)
    assert str(caught.value).endswith(EXPECTED)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match='nowhere: no such folder'):
        look(tmp_path / 'nowhere')
    (tmp_path / 'file').touch()
    with pytest.raises(UsageError, match='file: no such folder'):
        look(tmp_path / 'file')


@pytest.mark.parametrize('content', ['<!DOCTYPE a [<!ENTITY b "c">]><annotation>&b;</annotation>', '<annotation', ''])
def test_an_xml_file_that_is_none_is_left_to_the_data_set(content: str, tmp_path: Path) -> None:
    write_voc(tmp_path)
    (tmp_path / 'Annotations/0.xml').write_text(content)
    assert look(tmp_path).classes == ('cat', 'dog')
