"""COCO sets with faults: boxes that are dropped and counted, and what is refused before the first step."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from mobileone_mm.datasets.coco import CocoDataset
from mobileone_mm.errors import DataError

WIDTH, HEIGHT = 40, 30
CLASSES = ('cat', 'dog')
NAN, INF = float('nan'), float('inf')


def write_image(path: Path, width: int = WIDTH, height: int = HEIGHT) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.zeros((height, width, 3), np.uint8))


def coco_box(box_id: int, bbox: Any, category: int = 7, image: int = 1, **extra: Any) -> dict[str, Any]:
    return {'id': box_id, 'image_id': image, 'category_id': category, 'bbox': bbox, 'area': 1, 'iscrowd': 0, **extra}


def coco_file(root: Path, annotations: list[dict[str, Any]], **replaced: Any) -> Path:
    names = ['1.jpg', '2.jpg']
    for name in names:
        write_image(root / 'images' / name)
    content = {
        'images': [
            {'id': index, 'file_name': name, 'width': WIDTH, 'height': HEIGHT} for index, name in enumerate(names, 1)
        ],
        'categories': [{'id': 7, 'name': 'cat'}, {'id': 9, 'name': 'dog'}],
        'annotations': annotations,
        **replaced,
    }
    (root / 'set.json').write_text(json.dumps(content))
    return root


def read_coco(root: Path, classes: Any = CLASSES, **options: Any) -> CocoDataset:
    options = {'filter_cfg': {'filter_empty_gt': True}, **options}
    return CocoDataset(
        data_root=str(root),
        ann_file='set.json',
        data_prefix={'img': 'images/'},
        metainfo={'classes': classes},
        **options,
    )


def test_a_set_to_test_on_may_have_no_annotations(tmp_path: Path, log: pytest.LogCaptureFixture) -> None:
    dataset = read_coco(coco_file(tmp_path, []), test_mode=True)
    assert len(dataset) == 2
    assert f'{tmp_path}/set.json: 2 images, no annotations' in [record.getMessage() for record in log.records]


def test_coco_drops_and_counts_unusable_boxes_once(tmp_path: Path, log: pytest.LogCaptureFixture) -> None:
    boxes = [
        coco_box(1, [2, 3, 10, 20], category=9, image=2),
        coco_box(2, [0, 0, 0, 10]),
        coco_box(3, [0, 0, 10, 0.5]),
        coco_box(4, [WIDTH, 0, 10, 10]),
        coco_box(5, [0, 0, NAN, 10]),
        coco_box(6, [0, 0, 10]),
        coco_box(7, ['0', '0', '10', '10']),
        coco_box(8, 5),
        coco_box(9, [0, 0, 10, 10**400]),
        coco_box(10, [0, 0, 10, True]),
        coco_box(11, [1, 1, 99999, 99999]),
        coco_box(12, [2, 3, 1e308, 20]),
    ]
    dataset = read_coco(coco_file(tmp_path, boxes))
    assert [dataset.get_data_info(0)[key] for key in ('img_id', 'instances')] == [
        2,
        [{'ignore_flag': 0, 'bbox': [2, 3, 12, 23], 'bbox_label': 1}],
    ]
    assert {type(side) for side in dataset.get_data_info(0)['instances'][0]['bbox']} == {float}
    assert len(dataset) == 1
    lines = [record.getMessage() for record in log.records]
    assert len([line for line in lines if 'dropped' in line]) == 1
    assert (
        '1 boxes; dropped 11: 2 ending more than an image away, 6 not four finite numbers, 2 of zero size, 1 outside '
        'the image (in 1.jpg)'
    ) in next(line for line in lines if 'dropped' in line)
    assert any('1 images without boxes left out' in line for line in lines)


def test_coco_reads_sound_boxes_as_mmdet_does(tmp_path: Path) -> None:
    from mmdet.datasets import CocoDataset as MMDetCocoDataset

    polygon = [[0, 0, 9, 0, 9, 9]]
    boxes = [
        coco_box(1, [2, 3, 10, 20], segmentation=polygon),
        coco_box(2, [-3, 1, 8, 8], category=9, iscrowd=1),
        coco_box(3, [1, 1, 4.5, 4.5], category=9, image=2, ignore=True),
    ]
    root = coco_file(tmp_path, boxes)
    ours = read_coco(root, filter_cfg=None)
    theirs = MMDetCocoDataset(
        data_root=str(root), ann_file='set.json', data_prefix={'img': 'images/'}, metainfo={'classes': CLASSES}
    )
    assert [ours.get_data_info(i) for i in range(2)] == [theirs.get_data_info(i) for i in range(2)]


@pytest.mark.parametrize('area', [0, -5, 'x', None, NAN])
def test_coco_keeps_boxes_whose_area_is_no_positive_number(tmp_path: Path, area: Any) -> None:
    plain = {'id': 2, 'image_id': 1, 'category_id': 7, 'bbox': [0, 0, 9, 9]}
    dataset = read_coco(coco_file(tmp_path, [coco_box(1, [0, 0, 9, 9], area=area), plain]))
    assert len(dataset.get_data_info(0)['instances']) == 2


BAD_COCO = [
    # changes to the file, options of the data set, message
    ({}, {'classes': 'cat'}, r"for one class write: \('cat',\)"),
    ({}, {'classes': ('cat', 'cat')}, 'none twice'),
    (
        {},
        {'classes': ('cat', 'Dog')},
        r"has no category Dog; its categories: cat, dog \(did you mean 'dog' for 'Dog'\?\)",
    ),
    ({}, {'classes': ('dog', 'cat')}, r"another order.*write classes=\('cat', 'dog'\)"),
    (
        {},
        {'classes': ('dog',)},
        r"that the config does not have: 'cat' \(1 box, in 1\.jpg\).*drop_other_classes=True",
    ),
    ({}, {'classes': (1, 2)}, r'classes=\(1, 2\) given, expected a tuple of names; write them as texts'),
    ({}, {'classes': 5}, 'classes=5 given, expected a tuple of names'),
    ({}, {'classes': None}, 'classes=None given, expected a tuple of names'),
    ({'annotations': [coco_box(1, [0, 0, 9, 9], category=8)]}, {}, 'category_id 8 in 1 annotations.*7 = cat, 9 = dog'),
    *[
        (
            {'annotations': [coco_box(1, [0, 0, 9, 9]), coco_box(2, [0, 0, 9, 9], image=image)]},
            {},
            rf'set\.json: {message}',
        )
        for image, message in [
            (99, r'image_id 99 in 1 annotations, expected one that .* lists \(1 = 1\.jpg, 2 = 2\.jpg\); list what'),
            ('1', "image_id '1' in 1 annotations, expected"),
            (None, 'annotations: image_id: None given in 1 of 2 entries, expected a number; mend'),
            ([1], r'annotations: image_id: \[1\] given in 1 of 2'),
        ]
    ],
    (
        {'categories': [{'id': 7, 'name': 'cat'}, {'id': 9, 'name': 'dog'}, {'id': 8, 'name': 'cat'}]},
        {},
        'a class stands under two ids: 7 = cat, 9 = dog, 8 = cat; give',
    ),
    ({'annotations': []}, {}, '2 images listed, none of them usable; expected at least one image with a box'),
    ({'images': [], 'annotations': []}, {'test_mode': True}, '0 images listed, none of them usable'),
    ({'annotations': [coco_box(1, [0, 0, 9, 9]), coco_box(1, [0, 0, 8, 8])]}, {}, 'annotations: id 1 stands more than'),
    ({'images': [{'id': 1, 'file_name': '1.jpg'}]}, {}, 'lacks images: height, images: width'),
    (
        {'annotations': [{'id': 1, 'image_id': 1, 'category_id': 7, 'bbox': [0, 0, 9, 9]}]},
        {'test_mode': True},
        '1 annotations lack a usable area, iscrowd, which COCO evaluation needs',
    ),
    *[
        (
            {'annotations': [coco_box(1, [0, 0, 9, 9], **fault)]},
            {'test_mode': True},
            f'usable {next(iter(fault))}, which',
        )
        for fault in ({'area': 'x'}, {'area': -5}, {'iscrowd': None})
    ],
    ({'annotations': [coco_box(1, ['0', '0', '9', '9'])]}, {'test_mode': True}, 'usable bbox, which'),
    ({}, {'ann_file': 'no.json'}, r'no\.json: cannot be read .*set data_root and ann_file'),
    (
        {},
        {'data_prefix': {'img': 'pictures/'}},
        r'2 of 2 images are missing in .*pictures/: 1\.jpg, 2\.jpg; it holds no',
    ),
]


@pytest.mark.parametrize(('replaced', 'options', 'message'), BAD_COCO)
def test_coco_refuses(tmp_path: Path, replaced: dict[str, Any], options: dict[str, Any], message: str) -> None:
    root = coco_file(tmp_path, **{'annotations': [coco_box(1, [0, 0, 9, 9])], **replaced})
    options = {
        'ann_file': 'set.json',
        'data_prefix': {'img': 'images/'},
        'filter_cfg': {'filter_empty_gt': True},
        **options,
        'metainfo': {'classes': options.get('classes', CLASSES)},
    }
    options.pop('classes', None)
    with pytest.raises(DataError, match=message):
        CocoDataset(data_root=str(root), **options)


@pytest.mark.parametrize(
    ('content', 'given'),
    [('[]', r'\[\]'), ('5', '5'), ('null', 'None'), ('"images annotations categories"', "'images")],
)
def test_coco_refuses_json_that_is_no_object(tmp_path: Path, content: str, given: str) -> None:
    (coco_file(tmp_path, []) / 'set.json').write_text(content)
    with pytest.raises(DataError, match=rf'set\.json: holds {given}.*images, annotations, categories; set ann_file'):
        read_coco(tmp_path)


@pytest.mark.parametrize('content', ['[' * 200_000, '{"a":' * 200_000, '9' * 10_000, '{"images": [', '\udcff'])
def test_coco_refuses_json_that_cannot_be_read_in_a_line(tmp_path: Path, content: str) -> None:
    (coco_file(tmp_path, []) / 'set.json').write_bytes(content.encode('utf-8', 'surrogateescape'))
    with pytest.raises(DataError, match=r'set\.json: cannot be read \([^\n]*\); expected[^\n]*$'):
        read_coco(tmp_path)


def test_coco_says_which_entry_lacks_something(tmp_path: Path) -> None:
    whole, lacking = coco_box(1, [0, 0, 9, 9]), {'id': 2, 'image_id': 1, 'bbox': [0, 0, 9, 9]}
    with pytest.raises(DataError, match=r'lacks annotations: category_id; .* lacks something is annotations\[1\]'):
        read_coco(coco_file(tmp_path, [whole, lacking]))


def test_boxes_that_reach_out_are_counted(tmp_path: Path, log: pytest.LogCaptureFixture) -> None:
    read_coco(coco_file(tmp_path, [coco_box(1, [0, 0, WIDTH + 1, 9]), coco_box(2, [-9, 0, 20, 9])]))
    assert '2 boxes, 1 of them reaching out of their images\n' in log.text


BAD_ENTRIES = [
    # part of the file, key (None for the part itself), what stands there, message
    ('images', None, None, 'images: None given, expected a list of objects with id, file_name, width, height'),
    ('images', None, {'a': 1}, "images: {'a': 1} given, expected a list"),
    ('annotations', None, ['text'], "annotations: 'text' given, expected a list of objects"),
    ('images', 'file_name', None, 'images: file_name: None given in 1 of 2 entries, expected a text'),
    ('images', 'file_name', '', "images: file_name: '' given"),
    ('images', 'width', None, 'images: width: None given in 1 of 2 entries, expected a number of pixels above 0'),
    ('images', 'width', '120', "images: width: '120' given"),
    ('images', 'height', 0, 'images: height: 0 given'),
    ('images', 'height', INF, 'images: height: inf given'),
    ('images', 'id', [1], r'images: id: \[1\] given in 1 of 2 entries, expected a number'),
    ('annotations', 'category_id', [7], r'annotations: category_id: \[7\] given in 1 of 1 entries'),
    ('categories', 'name', None, 'categories: name: None given in 1 of 2 entries, expected a text'),
    ('annotations', 'iscrowd', 'no', r"iscrowd: 'no' given in 1 of 1 .* 0 or 1; mend the file, first annotations\[0\]"),
    ('annotations', 'iscrowd', NAN, 'iscrowd: nan given in 1 of 1'),
    ('annotations', 'ignore', 'false', "ignore: 'false' given in 1 of 1"),
    ('annotations', 'id', NAN, r'annotations: id: nan given .*first annotations\[0\]'),
    (
        'images',
        'id',
        10**400,
        r'images: id: 1000.*0000 given in 1 of 2 entries, .*first images\[0\]',
    ),
]


@pytest.mark.parametrize(('part', 'key', 'value', 'message'), BAD_ENTRIES)
def test_coco_refuses_entries_of_another_type(
    tmp_path: Path, part: str, key: str | None, value: Any, message: str
) -> None:
    file = coco_file(tmp_path, [coco_box(1, [0, 0, 9, 9])]) / 'set.json'
    content = json.loads(file.read_text())
    if key is None:
        content[part] = value
    else:
        content[part][0][key] = value
    file.write_text(json.dumps(content))
    with pytest.raises(DataError, match=message):
        read_coco(tmp_path)


def test_coco_refuses_one_missing_image_and_names_it(tmp_path: Path) -> None:
    root = coco_file(tmp_path, [coco_box(1, [0, 0, 9, 9])])
    (root / 'images/2.jpg').rename(root / 'images/2.JPG')
    with pytest.raises(
        DataError, match=r'1 of 2 images are missing in .*images/: 2\.jpg; it holds 2 files: 1\.jpg, 2\.JPG'
    ):
        read_coco(root)


def test_coco_other_classes_are_dropped_only_when_asked(tmp_path: Path, log: pytest.LogCaptureFixture) -> None:
    root = coco_file(tmp_path, [coco_box(1, [0, 0, 9, 9]), coco_box(2, [0, 0, 8, 8], category=9)])
    dataset = read_coco(root, classes=('dog',), drop_other_classes=True)
    assert [box['bbox_label'] for box in dataset.get_data_info(0)['instances']] == [0]
    assert "1 boxes; dropped 1: 1 of other class 'cat'\n" in log.text


def test_coco_palette_is_long_enough_for_any_number_of_classes(tmp_path: Path) -> None:
    many = tuple(f'class {index}' for index in range(90))
    categories = [{'id': index, 'name': name} for index, name in enumerate(many)]
    root = coco_file(tmp_path, [coco_box(1, [0, 0, 9, 9])], categories=categories)
    assert read_coco(root, classes=many).metainfo['palette'] == 'random'


def test_coco_small_has_cocos_classes_and_all_its_images(real_data: Path) -> None:
    dataset = CocoDataset(
        data_root=str(real_data / 'data/coco_small'),
        ann_file='annotations/instances_val2017.json',
        data_prefix={'img': 'images/val2017/'},
        test_mode=True,
    )
    content = json.loads((real_data / 'data/coco_small/annotations/instances_val2017.json').read_text())
    assert len(dataset) == len(content['images'])
    assert sum(len(dataset.get_data_info(i)['instances']) for i in range(len(dataset))) == len(content['annotations'])
