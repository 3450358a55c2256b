"""Sets with faults: boxes that are dropped and counted, and what is refused before the first step."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from mmengine.logging import MMLogger

from mobileone_mm.datasets.checks import box_fault
from mobileone_mm.datasets.coco import CocoDataset, VOCDataset
from mobileone_mm.errors import DataError

WIDTH, HEIGHT = 40, 30
CLASSES = ('cat', 'dog')
NAN, INF = float('nan'), float('inf')
# box x1, y1, x2, y2 and why it cannot be used, in an image of WIDTH x HEIGHT
BOXES = [
    ((0, 0, WIDTH, HEIGHT), None),
    ((5, 5, 6, 6), None),  # one pixel
    ((-5, -5, 3, 3), None),  # reaches in
    ((5, 5, 5, 20), 'of zero size'),
    ((5, 5, 20, 5), 'of zero size'),
    ((20, 5, 5, 20), 'of zero size'),  # corners swapped
    ((40, 0, 60, 20), 'outside the image'),  # touches the edge from outside
    ((0, -20, 20, 0), 'outside the image'),
    ((NAN, 0, 20, 20), 'not four finite numbers'),
    ((0, 0, INF, 20), 'not four finite numbers'),
    ((0, 0, 20), 'not four finite numbers'),
]


@pytest.mark.parametrize(('box', 'fault'), BOXES)
def test_box_fault(box: tuple[float, ...], fault: str | None) -> None:
    assert box_fault(box, WIDTH, HEIGHT) == fault


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """What mmengine logs, as a run sees it."""
    logger = MMLogger.get_instance('test_datasets', log_level='INFO')
    logger.addHandler(caplog.handler)
    yield caplog
    logger.removeHandler(caplog.handler)


def write_image(path: Path, width: int = WIDTH, height: int = HEIGHT) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.zeros((height, width, 3), np.uint8))


# --- COCO ---


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
    assert '1 boxes; dropped 9: 6 not four finite numbers, 2 of zero size, 1 outside the image (in 1.jpg)' in (
        next(line for line in lines if 'dropped' in line)
    )
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
    ({}, {'classes': ('dog',)}, r"classes that the config does not have: 'cat' \(1 boxes\).*drop_other_classes=True"),
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


# --- VOC ---


def voc_object(box: tuple[Any, ...], name: str = 'cat', more: str = '') -> str:
    sides = ''.join(
        f'<{side}>{value}</{side}>' for side, value in zip(('xmin', 'ymin', 'xmax', 'ymax'), box, strict=False)
    )
    return f'<object><name>{name}</name>{more}<bndbox>{sides}</bndbox></object>'


def voc_set(root: Path, objects: dict[str, str], size: str | None = None, ending: str = '.jpg') -> Path:
    """A set whose images carry the given `<object>`s, by stem."""
    size = size if size is not None else f'<size><width>{WIDTH}</width><height>{HEIGHT}</height></size>'
    (root / 'Annotations').mkdir(parents=True)
    (root / 'ImageSets/Main').mkdir(parents=True)
    (root / 'JPEGImages').mkdir()
    for stem, inside in objects.items():
        write_image(root / f'JPEGImages/{stem}{ending}')
        (root / f'Annotations/{stem}.xml').write_text(f'<annotation>{size}{inside}</annotation>')
    (root / 'ImageSets/Main/train.txt').write_text('\n'.join(objects))
    return root


def read_voc(root: Path, classes: Any = CLASSES, **options: Any) -> VOCDataset:
    options = {'filter_cfg': {'filter_empty_gt': True}, **options}
    return VOCDataset(
        data_root=str(root),
        ann_file='ImageSets/Main/train.txt',
        data_prefix={'sub_data_root': ''},
        metainfo={'classes': classes},
        **options,
    )


def test_voc_drops_and_counts_unusable_boxes_once(tmp_path: Path, log: pytest.LogCaptureFixture) -> None:
    faulty = [
        (5, 5, 5, 20),
        (5.2, 5, 5.8, 20),  # mmdet reads whole pixels: no width
        (WIDTH + 1, 1, WIDTH + 9, 9),
        ('nan', 1, 9, 9),
        ('inf', 1, 9, 9),
        ('left', 1, 9, 9),
        (1, 1, 9),
    ]
    inside = ''.join(voc_object(box) for box in faulty) + voc_object((2, 3, 12, 23), 'dog')
    dataset = read_voc(voc_set(tmp_path, {'a': inside, 'b': voc_object((5, 5, 5, 5))}))
    assert len(dataset) == 1
    assert dataset.get_data_info(0)['instances'] == [{'ignore_flag': 0, 'bbox': [1, 2, 11, 22], 'bbox_label': 1}]
    lines = [record.getMessage() for record in log.records]
    assert len([line for line in lines if 'dropped' in line]) == 1
    dropped = next(line for line in lines if 'dropped' in line)
    assert (
        '1 boxes; dropped 8: 4 not four finite numbers, 3 of zero size, 1 outside the image (in a.xml, b.xml)'
        in dropped
    )
    assert any('1 images without boxes left out' in line for line in lines)


def test_voc_reads_sound_boxes_as_mmdet_does(tmp_path: Path) -> None:
    from mmdet.datasets import VOCDataset as MMDetVOCDataset

    inside = voc_object((2, 3, 12.7, 23), 'dog', '<difficult>1</difficult>') + voc_object((1, 1, WIDTH, HEIGHT))
    root = voc_set(tmp_path, {'a b': inside})
    ours = read_voc(root).get_data_info(0)
    theirs = MMDetVOCDataset(
        data_root=str(root),
        ann_file='ImageSets/Main/train.txt',
        data_prefix={'sub_data_root': ''},
        metainfo={'classes': CLASSES},
    ).get_data_info(0)
    assert {key: ours[key] for key in theirs} == theirs


@pytest.mark.parametrize('ending', ['.png', '.JPG', '.jpeg'])
def test_voc_finds_images_of_any_ending(tmp_path: Path, ending: str) -> None:
    root = voc_set(tmp_path, {'a': voc_object((1, 1, 9, 9))}, ending=ending)
    assert read_voc(root).get_data_info(0)['img_path'].endswith(f'JPEGImages/a{ending}')


@pytest.mark.parametrize('size', ['', '<size><width>0</width><height>0</height></size>'])
def test_voc_without_a_size_asks_the_image(tmp_path: Path, size: str) -> None:
    info = read_voc(voc_set(tmp_path, {'a': voc_object((1, 1, 9, 9))}, size=size)).get_data_info(0)
    assert (info['width'], info['height']) == (WIDTH, HEIGHT)


def test_voc_folder_named_after_a_year_does_not_make_the_classes_vocs(tmp_path: Path) -> None:
    dataset = read_voc(voc_set(tmp_path / 'VOC2007', {'a': voc_object((1, 1, 9, 9))}))
    assert dataset.metainfo['dataset_type'] is None


BAD_VOC = [
    (
        {'a': voc_object((1, 1, 9, 9), 'Cat')},
        "does not have: 'Cat' \\(1 boxes\\); expected only cat, dog \\(did you mean",
    ),
    (
        {'a': voc_object((1, 1, 9, 9), more='<difficult>maybe</difficult>')},
        r'a\.xml: cannot be read as a VOC annotation',
    ),
    ({'a': voc_object((1, 1, 9, 9), more='<difficult></difficult>')}, r'a\.xml: cannot be read as a VOC annotation'),
    ({'a': '<object>'}, r'a\.xml: cannot be read as a VOC annotation'),
    ({'a': ''}, '1 images listed, none of them usable'),
    ({}, '0 images listed, none of them usable'),
]


@pytest.mark.parametrize(('objects', 'message'), BAD_VOC)
def test_voc_refuses(tmp_path: Path, objects: dict[str, str], message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_voc(voc_set(tmp_path, objects))


@pytest.mark.parametrize(
    ('gone', 'message'),
    [
        ('JPEGImages/b.jpg', r'1 of 2 images are missing in .*JPEGImages: b; it holds 1 files: a\.jpg'),
        ('Annotations/b.xml', r'b\.xml: cannot be read as a VOC annotation'),
        ('ImageSets/Main/train.txt', r'train\.txt: cannot be read'),
    ],
)
def test_voc_refuses_what_is_missing(tmp_path: Path, gone: str, message: str) -> None:
    root = voc_set(tmp_path, {stem: voc_object((1, 1, 9, 9)) for stem in 'ab'})
    (root / gone).unlink()
    with pytest.raises(DataError, match=message):
        read_voc(root)


BAD_SIZES = [
    ('inf', '30', 'cannot convert float infinity'),
    ('40', '-30', 'its size is 40 x -30 pixels'),
    ('-40', '30', 'its size is -40 x 30 pixels'),
    ('-40', '0', 'its size is -40 x 0 pixels'),
    ('nan', '30', 'cannot convert float NaN'),
    ('wide', '30', 'could not convert string'),
]


@pytest.mark.parametrize(('width', 'height', 'message'), BAD_SIZES)
def test_voc_refuses_a_size_that_is_none(tmp_path: Path, width: str, height: str, message: str) -> None:
    size = f'<size><width>{width}</width><height>{height}</height></size>'
    with pytest.raises(DataError, match=rf'a\.xml: cannot be read as a VOC annotation \({message}.*expected <size>'):
        read_voc(voc_set(tmp_path, {'a': voc_object((1, 1, 9, 9))}, size=size))


@pytest.mark.parametrize('content', [b'', b'no image'])
def test_voc_without_a_size_refuses_an_image_that_cannot_be_read(tmp_path: Path, content: bytes) -> None:
    root = voc_set(tmp_path, {'a': voc_object((1, 1, 9, 9))}, size='')
    (root / 'JPEGImages/a.jpg').write_bytes(content)
    with pytest.raises(DataError, match=r'it gives no size, and .*a\.jpg is no image that can be read'):
        read_voc(root)


@pytest.mark.parametrize('content', [b' a \r\n\nb\r\n', b'\xef\xbb\xbfa\r\nb\r\n', b'\xef\xbb\xbfa\nb'])
def test_voc_list_may_have_blank_lines_spaces_and_what_windows_writes(tmp_path: Path, content: bytes) -> None:
    root = voc_set(tmp_path, {stem: voc_object((1, 1, 9, 9)) for stem in 'ab'})
    (root / 'ImageSets/Main/train.txt').write_bytes(content)
    dataset = read_voc(root)
    assert [dataset.get_data_info(index)['img_id'] for index in range(len(dataset))] == ['a', 'b']


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        ('a\nb\n a\n', r'train\.txt: a stands more than once; list each image once'),
        (
            'a  1\nb -1\n',
            r'2 of 2 images are missing in .*: a  1, b -1; .*one image name a line, without ending or more',
        ),
        ('a.jpg\nb\n', r'1 of 2 images are missing in .*: a\.jpg; .*without ending'),
    ],
)
def test_voc_refuses_lists_of_another_kind(tmp_path: Path, content: str, message: str) -> None:
    root = voc_set(tmp_path, {stem: voc_object((1, 1, 9, 9)) for stem in 'ab'})
    (root / 'ImageSets/Main/train.txt').write_text(content)
    with pytest.raises(DataError, match=message):
        read_voc(root)


def test_images_without_boxes_can_be_kept(tmp_path: Path, log: pytest.LogCaptureFixture) -> None:
    root = voc_set(tmp_path, {'a': voc_object((1, 1, 9, 9)), 'b': ''})
    assert len(read_voc(root, filter_cfg=None)) == 2
    assert '1 images without boxes used' in log.text


def test_images_below_min_size_are_left_out(tmp_path: Path) -> None:
    root = voc_set(tmp_path, {'a': voc_object((1, 1, 9, 9))})
    with pytest.raises(DataError, match='1 images listed, none'):
        read_voc(root, filter_cfg={'min_size': HEIGHT + 1})
    assert len(read_voc(root, filter_cfg={'min_size': HEIGHT})) == 1


# --- real sets ---


def test_bccd_has_one_box_of_zero_size_in_each_list(real_data: Path, log: pytest.LogCaptureFixture) -> None:
    for split, images in {'train': 140, 'val': 60}.items():
        dataset = VOCDataset(
            data_root=str(real_data / 'data/bccd_voc'),
            ann_file=f'ImageSets/Main/{split}.txt',
            data_prefix={'sub_data_root': ''},
            metainfo={'classes': ('RBC', 'WBC', 'Platelets')},
            test_mode=split == 'val',
        )
        assert len(dataset) == images
    dropped = [record.getMessage() for record in log.records if 'dropped' in record.getMessage()]
    assert ['dropped 1: 1 of zero size' in line for line in dropped] == [True, True]


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
