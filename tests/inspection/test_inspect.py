"""A config's data looked at: the parts, the faults and notes, and how they are said."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from small_classes import write_set
from small_sets import SIDE, write_boxes, write_masks

from mobileone_mm.errors import ConfigError, UsageError
from mobileone_mm.inspection.content import BOXES, IMAGES, PIXELS, Content, Spread
from mobileone_mm.inspection.inspect import Inspection, inspect, report_of, table_of, weights_line

OUT = Path('looked')


def look(word: str, count: int = 1) -> Inspection:
    return inspect(word, OUT, count, 0)


def content(**changes: Any) -> Content:
    made = Content(
        unit=PIXELS,
        images=3,
        image_size=(Spread(40, 40, 40), Spread(30, 30, 30)),
        classes=('road', 'sky'),
        counts=(1500, 500),
        images_with=(3, 1),
        ignored=0,
        box_size=None,
        paths=frozenset({'a.png'}),
        palette=(),
    )
    return replace(made, **changes)


def found(**parts: Content) -> Inspection:
    return Inspection('segmentation', parts, {}, (), None)


def test_each_part_is_looked_at_once() -> None:
    write_masks()
    done = look('my_masks.py')
    assert list(done.parts) == ['train', 'val']  # test is val
    assert (done.task, done.faults, done.samples) == ('segmentation', {}, OUT / 'samples.jpg')
    assert done.parts['train'].counts == (4 * SIDE // 2 * (SIDE - 4),) * 2 + (0,)


def test_images_that_are_in_both_parts_are_noted() -> None:
    write_masks(val='all')
    assert '4 images are in train and in val, whose score will be too good' in look('my_masks.py').notes
    write_masks()
    assert not [note for note in look('my_masks.py').notes if 'images are in' in note]


def test_a_class_that_nothing_shows_is_noted() -> None:
    write_masks()
    assert look('my_masks.py').notes == ('train: nothing of never', 'val: nothing of never')


CLASSES = """
default_scope = 'mmpretrain'
model = dict(type='ImageClassifier', data_preprocessor=dict(num_classes={count}), head=dict(num_classes={count}))
pipeline = [dict(type='LoadImageFromFile'), dict(type='RandomFlip', prob=1.0), dict(type='PackInputs')]
own = dict(type={type!r}, data_root='data', metainfo=dict(classes=('cat', 'dog')), pipeline=pipeline)
train_dataloader = dict(dataset=dict(**own, data_prefix=dict(img_path='train')))
val_dataloader = dict(dataset=dict(**own, data_prefix=dict(img_path='val'){more}))
"""


def write_classes(kind: str = 'mobileone_mm.ClassFolderDataset', count: int = 2, more: str = '') -> str:
    write_set(Path('data/train'), cat=3, dog=5)
    write_set(Path('data/val'), cat=3, dog=2)
    for path in Path('data/val').rglob('*.png'):  # or they would be those of training
        Image.fromarray(255 - np.asarray(Image.open(path))).save(path)
    Path('my_classes.py').write_text(CLASSES.format(type=kind, count=count, more=more))
    return 'my_classes.py'


@pytest.mark.parametrize('kind', ['mobileone_mm.ClassFolderDataset', 'CustomDataset'])
def test_pictures_of_classes_are_counted_and_drawn(kind: str) -> None:
    done = look(write_classes(kind))
    assert (done.task, done.faults, done.notes, done.samples) == ('classification', {}, (), OUT / 'samples.jpg')
    assert [(part, content.unit, content.counts) for part, content in done.parts.items()] == [
        ('train', IMAGES, (3, 5)),
        ('val', IMAGES, (3, 2)),
    ]
    assert [line.split() for line in table_of('train', done.parts['train'])[1:]] == [
        ['class', 'images', 'share'],
        ['cat', '3', '37.5%'],
        ['dog', '5', '62.5%'],
    ]


def test_faults_of_class_folders_are_those_of_the_training() -> None:
    word = write_classes(more=", apart_from='train'", count=3)
    Path('data/val/cat/00.png').write_bytes(Path('data/train/cat/00.png').read_bytes())
    Path('data/train/dog').rename(Path('data/train/dogs'))
    done = look(word)
    assert list(done.faults) == ['train', 'val']
    assert (
        "dogs: a folder that is no class; expected only cat, dog (did you mean 'dog' for 'dogs'?)"
        in done.faults['train']
    )
    assert 'cat/00.png: the same picture as data/train/cat/00.png, which is trained on' in done.faults['val']
    Path('data/train/dogs').rename(Path('data/train/dog'))
    Path('data/val/cat/00.png').unlink()
    wrong = look(word).faults
    assert wrong == {
        'config': 'model.head has num_classes=3, model.data_preprocessor has num_classes=3, and the data have 2 '
        'classes; set num_classes=2'
    }


def test_copies_of_pictures_in_both_parts_are_noted_whatever_they_are_called() -> None:
    word = write_classes('CustomDataset')
    Path('data/val/cat/09.png').write_bytes(Path('data/train/cat/00.png').read_bytes())
    done = look(word)
    assert done.notes == ('1 image is in train and in val, whose score will be too good',)
    assert done.faults == {}


def test_heads_of_another_number_of_classes_are_a_fault_of_the_config() -> None:
    write_masks(count=19)
    text = Path('my_masks.py').read_text()
    assert '[dict(num_classes=3)]' in text
    Path('my_masks.py').write_text(text.replace('dict(num_classes=3)]', 'dict(num_classes=3), dict(num_classes=4)]'))
    assert look('my_masks.py').faults == {
        'config': 'model.decode_head has num_classes=19, model.auxiliary_head has num_classes=4, and the data have 3 '
        'classes; set num_classes=3'
    }


@pytest.mark.parametrize('part', ['train', 'val'])
def test_a_part_with_faults_hides_no_other_and_is_not_drawn(part: str) -> None:
    write_masks()
    (spoilt, *_) = (Path('data/masks') / Path(image).name for image in look('my_masks.py').parts[part].paths)
    mask = np.asarray(Image.open(spoilt))
    Image.fromarray(np.where(mask == 0, 7, mask)).save(spoilt)
    done = inspect('my_masks.py', Path('again'), 1, 0)
    assert list(done.faults) == [part]
    assert list(done.parts) == [other for other in ('train', 'val') if other != part]  # what cannot be read has none
    assert spoilt.name in done.faults[part]
    drawn = part == 'val'
    assert (done.samples is not None, Path('again').exists()) == (drawn, drawn)


def test_sets_of_mmseg_itself_are_looked_at_too_and_joined_ones() -> None:
    write_masks()
    text = Path('my_masks.py').read_text()
    own, _ = text.split('train_dataloader = ', 1)
    theirs = "dict(type='BaseSegDataset', data_root='data', data_prefix=prefix, metainfo=dict(classes=classes), "
    theirs += "img_suffix='.png', pipeline=pipeline)"
    joined = f"dict(dataset=dict(type='ConcatDataset', datasets=[{theirs}, {theirs}]))"
    Path('my_masks.py').write_text(f'{own}train_dataloader = {joined}\n')
    done = look('my_masks.py')
    assert done.parts['train'].images == 10
    assert 'id 11 (160 px), expected 0 to 2, or 255' in done.faults['train']
    for path in Path('data/masks').iterdir():
        mask = np.asarray(Image.open(path))
        Image.fromarray(np.where(mask == 11, 2, mask)).save(path)
    done = look('my_masks.py')
    assert (done.faults, done.parts['train'].counts[2]) == ({}, 10 * 4 * SIDE)


def test_a_repeated_set_of_boxes_is_counted_once() -> None:
    boxes = write_boxes(6)
    train = look('boxes.py').parts['train']
    assert (train.images, sum(train.counts), train.unit) == (6, boxes, BOXES)


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ("default_scope = 'mmpretrain'\nmodel = dict()", 'no train_dataloader, expected one; there is nothing to look'),
        ("default_scope = 'mmdet'\nmodel = dict()", 'no train_dataloader, expected one; there is nothing to look at'),
    ],
)
def test_what_cannot_be_looked_at_is_refused(text: str, message: str) -> None:
    Path('a.py').write_text(text)
    with pytest.raises(ConfigError, match=f'^a.py: {message}'):
        look('a.py')


def test_shares_are_of_all_pixels_those_without_a_class_too() -> None:
    lines = table_of('train', content(ignored=2000))
    assert lines[0] == 'train: 3 images, 40 x 30 px'
    assert [line.split() for line in lines[1:]] == [
        ['class', 'pixels', 'share', 'images'],
        ['road', '1,500', '37.5%', '3'],
        ['sky', '500', '12.5%', '1'],
        ['no', 'class', '2,000', '50.0%'],
    ]


def test_shares_of_boxes_are_of_those_that_count() -> None:
    sizes = (Spread(2, 20, 300), Spread(4, 4, 4))
    lines = table_of('val', content(unit=BOXES, counts=(3, 1), ignored=6, image_size=None, box_size=sizes))
    assert lines[0] == 'val: 3 images; boxes 2 to 300 px wide and 4 to 4 px high, median 20 x 4'
    assert [line.split() for line in lines[2:]] == [
        ['road', '3', '75.0%', '3'],
        ['sky', '1', '25.0%', '1'],
        ['ignored', '6'],
    ]


def test_a_part_of_nothing_has_no_shares_to_divide() -> None:
    lines = table_of('test', content(counts=(0, 0)))
    assert len(lines) == 1
    assert lines[0].endswith('; no annotations')


def test_the_line_of_weights_goes_where_the_config_has_it() -> None:
    plain = "default_scope = 'mmseg'\nmodel = dict()\n"
    Path('own.py').write_text(f'{plain}class_weight = None\n')
    Path('other.py').write_text(plain)
    Path('weighted.py').write_text(f'{plain}class_weight = [0.5, 1.5]\n')
    done = found(train=content(counts=(1500, 500)))
    own, other = weights_line(done, 'own.py'), weights_line(done, 'other.py')
    assert own.startswith('class_weight = [')
    weights = json.loads(own.partition(' = ')[2])
    assert weights[1] > weights[0]  # the rare one counts more
    assert other.startswith("model = dict(decode_head=dict(loss_decode=dict(type='mobileone_mm.CrossEntropyLoss', ")
    assert other.endswith(f'class_weight={weights})))')
    assert weights_line(done, 'weighted.py') == ''


@pytest.mark.parametrize(
    'parts', [{}, {'val': content()}, {'train': content(unit=BOXES)}, {'train': content(counts=(0, 0))}]
)
def test_there_is_no_line_of_weights_without_pixels_to_train_on(parts: dict[str, Content]) -> None:
    assert weights_line(found(**parts), 'none.py') == ''


@pytest.mark.parametrize('report', [None, Path('r.json')])
def test_a_folder_of_somebody_elses_is_kept(report: Path | None) -> None:
    write_masks()
    OUT.mkdir()
    (OUT / 'thesis.txt').write_text('mine')
    with pytest.raises(UsageError, match='looked: '):
        inspect('my_masks.py', OUT, 1, 0, report)
    assert [path.name for path in OUT.iterdir()] == ['thesis.txt']
    assert not Path('r.json').exists()


def test_a_report_is_json() -> None:
    done = Inspection('detection', {'train': content(unit=BOXES, image_size=None)}, {'val': 'gone'}, ('a note',), OUT)
    report = json.loads(json.dumps(report_of(done, 'a.py')))
    assert report == {
        'config': 'a.py',
        'task': 'detection',
        'parts': {
            'train': {
                'images': 3,
                'image_size_px': None,
                'box_size_px': None,
                'classes': {'road': {'boxes': 1500, 'images': 3}, 'sky': {'boxes': 500, 'images': 1}},
                'ignored': 0,
            }
        },
        'faults': {'val': 'gone'},
        'notes': ['a note'],
        'samples': 'looked',
    }
    sized = report_of(found(train=content()), 'a.py')['parts']['train']['image_size_px']
    assert sized['width'] == {'least': 40, 'median': 40, 'most': 40}
