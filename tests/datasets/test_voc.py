"""VOC sets with faults: boxes that are dropped and counted, and what is refused before the first step."""

import re
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from mobileone_mm.datasets.voc import VOCDataset
from mobileone_mm.errors import DataError

WIDTH, HEIGHT = 40, 30
CLASSES = ('cat', 'dog')


def write_image(path: Path, width: int = WIDTH, height: int = HEIGHT) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.zeros((height, width, 3), np.uint8))


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
        r"does not have: 'Cat' \(1 box, in a\.xml\); expected only cat, dog \(did you mean",
    ),
    (
        {stem: voc_object((1, 1, 9, 9), name) * count for stem, name, count in (('a', 'cat', 1), ('b', '\u0662', 2))},
        "does not have: '\u0662' \\(2 boxes, first in b\\.xml\\); expected only cat, dog;",
    ),
    (
        {'a': voc_object((1, 1, 9, 9), more='<difficult>maybe</difficult>')},
        r'a\.xml: cannot be read as a VOC annotation',
    ),
    (
        {'a': voc_object((1, 1, 9, 9), more='<difficult>-1</difficult>')},
        r'a\.xml: .*<difficult> is -1, expected 0 or 1',
    ),
    ({'a': voc_object((1, 1, 9, 9), more='<difficult></difficult>')}, r'a\.xml: cannot be read as a VOC annotation'),
    ({'a': '<object>'}, r'a\.xml: cannot be read as a VOC annotation'),
    ({'a': ''}, '1 images listed, none of them usable'),
    ({}, '0 images listed, none of them usable'),
]


def test_voc_refuses_names_that_no_screen_shows(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"classes: 'c\\td' given, expected names without control characters"):
        read_voc(voc_set(tmp_path, {'a': voc_object((1, 1, 9, 9))}), ('cat', 'c\td'))


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


ENTITY = '<!DOCTYPE a [<!ENTITY a "cat">]>'
EXTERNAL = '<!DOCTYPE a [<!ENTITY a SYSTEM "file:///etc/hostname">]>'
FORMS = [
    # head, what stands around the objects, message
    ('', '<root>{}</root>', r'its root is <root>, not <annotation>'),
    ('', '<annotation>{}<object><name> </name></object></annotation>', '1 <object> without a <name>'),
    ('', '<annotation xmlns="http://a/b">{}</annotation>', r'its root is <\{http://a/b\}annotation>, not <annotation>'),
    ('', '<annotation><objects>{}</objects></annotation>', r'1 <object> do not lie directly in <annotation>'),
    (
        ENTITY,
        '<annotation>{}<folder>&a;</folder></annotation>',
        r'it has a <!DOCTYPE a>, which is not read; take it out',
    ),
    (EXTERNAL, '<annotation>{}<folder>&a;</folder></annotation>', r'it has a <!DOCTYPE a>'),
]


@pytest.mark.parametrize(('head', 'around', 'message'), FORMS)
def test_voc_refuses_xml_of_another_form(tmp_path: Path, head: str, around: str, message: str) -> None:
    root = voc_set(tmp_path, {'a': ''})
    inside = f'<size><width>{WIDTH}</width><height>{HEIGHT}</height></size>' + voc_object((1, 1, 9, 9))
    (root / 'Annotations/a.xml').write_text(head + around.format(inside))
    with pytest.raises(DataError, match=rf'a\.xml: cannot be read as a VOC annotation \({message}'):
        read_voc(root)


@pytest.mark.parametrize(
    ('right', 'given'),
    [
        ('object', 'Object'),
        ('object', 'OBJECT'),
        ('name', 'Name'),
        ('difficult', 'Difficult'),
        ('bndbox', 'BndBox'),
        *((side, side.title()) for side in ('xmin', 'ymin', 'xmax', 'ymax', 'width', 'height', 'size')),
        ('object', 'v:object'),
        ('xmin', 'v:xMin'),
    ],
)
def test_voc_refuses_elements_that_it_would_pass_over_for_their_spelling(
    right: str, given: str, tmp_path: Path
) -> None:
    root = voc_set(tmp_path, {'a': voc_object((1, 1, 9, 9), more='<difficult>0</difficult>')})
    file = root / 'Annotations/a.xml'
    text = re.sub(rf'(</?){right}>', rf'\g<1>{given}>', file.read_text())
    file.write_text(text.replace('<annotation>', '<annotation xmlns:v="http://a/b">'))
    written = re.escape(given.replace('v:', '{http://a/b}'))
    message = rf'a\.xml: cannot be read as a VOC annotation \(it has <{written}>, expected <{right}>\)'
    with pytest.raises(DataError, match=message):
        read_voc(root, filter_cfg={'filter_empty_gt': False})


def test_voc_counts_objects_that_lie_too_deep_however_they_are_spelt(tmp_path: Path) -> None:
    inside = f'<objects>{voc_object((1, 1, 9, 9))}</objects>'.replace('object>', 'Object>')
    with pytest.raises(DataError, match=r'a\.xml: .*1 <object> do not lie directly in <annotation>'):
        read_voc(voc_set(tmp_path, {'a': inside}), filter_cfg={'filter_empty_gt': False})


def test_voc_leaves_elements_that_it_does_not_read_alone(tmp_path: Path) -> None:
    around = '<Folder>x</Folder><owner><Name>y</Name></owner><source><Size>1</Size></source>'
    inside = around + voc_object((1, 1, 9, 9), more='<Pose>Left</Pose><part><Name>head</Name></part>')
    assert len(read_voc(voc_set(tmp_path, {'a': inside})).get_data_info(0)['instances']) == 1


def test_voc_refuses_entities_that_expand_without_end(tmp_path: Path) -> None:
    root = voc_set(tmp_path, {'a': ''})
    names = 'abcdefghij'
    tens = zip(names[1:], (f'&{name};' * 10 for name in names), strict=False)
    entities = ''.join(f'<!ENTITY {name} "{ten}">' for name, ten in tens)
    bomb = f'<!DOCTYPE lol [<!ENTITY a "lol">{entities}]><annotation><name>&j;</name></annotation>'
    (root / 'Annotations/a.xml').write_text(bomb)
    with pytest.raises(DataError, match=r'it has a <!DOCTYPE lol>'):
        read_voc(root)


@pytest.mark.parametrize('encoding', ['utf-8', 'utf-8-sig', 'iso-8859-1', 'utf-16', 'windows-1252'])
def test_voc_reads_xml_in_the_encoding_that_it_declares(tmp_path: Path, encoding: str) -> None:
    root = voc_set(tmp_path, {'a': ''})
    size = f'<size><width>{WIDTH}</width><height>{HEIGHT}</height></size>'
    declared, inside = encoding.removesuffix('-sig'), voc_object((1, 1, 9, 9), 'Käse')
    text = f'<?xml version="1.0" encoding="{declared}"?>\n<annotation>{size}{inside}</annotation>'
    (root / 'Annotations/a.xml').write_bytes(text.encode(encoding))
    assert [box['bbox_label'] for box in read_voc(root, ('cat', 'Käse')).get_data_info(0)['instances']] == [1]


def test_voc_drops_boxes_that_end_far_outside(tmp_path: Path, log: pytest.LogCaptureFixture) -> None:
    boxes = [(1, 1, 9, 9), (1, 1, 99999, 99999), (1, 1, '1e308', 20), (1, 1, WIDTH + 9, HEIGHT)]
    read_voc(voc_set(tmp_path, {'a': ''.join(map(voc_object, boxes))}))
    assert (
        '2 boxes, 1 of them reaching out of their images; dropped 2: 2 ending more than an image away (in a.xml)'
        in log.text
    )


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
