"""`mobileone check` as typed: counts, faults and samples of a config's data, and nothing else is written."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mobileone_mm import cli
from mobileone_mm.commands.check import main
from mobileone_mm.datasets import toy
from mobileone_mm.datasets.toy_options import ToyOptions

SIDE = 40
MASKS = """
default_scope = 'mmseg'
classes = ('ground', 'thing', 'never')
model = dict(type='EncoderDecoder', decode_head=dict(num_classes={count}), auxiliary_head=[dict(num_classes=3)])
prefix = dict(img_path='images', seg_map_path='masks')
own = dict(type='mobileone_mm.MaskDataset', data_root='data', data_prefix=prefix, metainfo=dict(classes=classes))
pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(type='RandomCrop', crop_size=(24, 32)),
    dict(type='PackSegInputs'),
]
train_dataloader = dict(dataset=dict(**own, part='train', ignore_index={ignored}, pipeline=pipeline))
val_dataloader = dict(dataset=dict(**own, part='{val}', ignore_index={ignored}, pipeline=pipeline))
test_dataloader = val_dataloader
"""
BOXES = """
default_scope = 'mmdet'
model = dict(type='SingleStageDetector', bbox_head=dict(num_classes=3))
metainfo = dict(classes=('circle', 'square', 'triangle'))
own = dict(type='mobileone_mm.CocoDataset', data_root='data', metainfo=metainfo)
pipeline = [
    dict(type='LoadImageFromFile', to_float32=True),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='RandomFlip', prob=1.0),
    dict(type='PackDetInputs'),
]
train = dict(**own, ann_file='annotations/train.json', data_prefix=dict(img='images/train'), pipeline=pipeline)
train_dataloader = dict(dataset=dict(type='RepeatDataset', times=3, dataset=train))
"""


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write_masks(count: int = 3, ignored: int = 11, val: str = 'val') -> None:
    for folder in ('data/images', 'data/masks'):
        Path(folder).mkdir(parents=True, exist_ok=True)
    for index in range(5):
        mask = np.zeros((SIDE, SIDE), np.uint8)
        mask[:, SIDE // 2 :] = 1
        mask[:4] = 11
        Image.new('RGB', (SIDE, SIDE), 'red').save(f'data/images/{index}.png')
        Image.fromarray(mask).save(f'data/masks/{index}.png')
    Path('my_masks.py').write_text(MASKS.format(count=count, ignored=ignored, val=val))


def checked(*words: str, status: int, capsys: pytest.CaptureFixture[str]) -> tuple[list[str], str]:
    assert cli.run(main, words) == status
    said = capsys.readouterr()
    return said.out.splitlines(), said.err


def test_masks_are_counted_and_drawn_as_the_pipeline_gives_them(capsys: pytest.CaptureFixture[str]) -> None:
    write_masks()
    before = files()
    lines, _ = checked('my_masks.py', '--samples', '2', '--report', 'r.json', status=0, capsys=capsys)
    assert lines[0] == 'train: 4 images, 40 x 40 px'
    rows = [line.split() for line in lines[1:6]]
    half = str(4 * SIDE // 2 * (SIDE - 4) // 1000) + ',' + f'{4 * SIDE // 2 * (SIDE - 4) % 1000:03}'
    assert rows == [
        ['class', 'pixels', 'share', 'images'],
        ['ground', half, '45.0%', '4'],
        ['thing', half, '45.0%', '4'],
        ['never', '0', '0.0%', '0'],
        ['no', 'class', '640', '10.0%'],
    ]
    assert 'val: 1 images, 40 x 40 px' in lines
    assert 'note: train: nothing of never' in lines
    assert not any(line.startswith('test: ') for line in lines)  # it is val
    assert lines[-2:] == ['samples: my_masks_check/samples.jpg', f'next: {cli.command("train", "my_masks.py")}']
    weights = re.search(r"CrossEntropyLoss', class_weight=\[(.*)\]\)\)\)$", '\n'.join(lines), re.MULTILINE)
    assert weights is not None
    assert weights[1] == '1.0, 1.0, 1.0'  # as many pixels of one as of the other, and none to weigh of the third
    assert files() - before == {
        'my_masks_check',
        'my_masks_check/samples.jpg',
        'my_masks_check/.mobileone_mm',
        'r.json',
    }
    report = json.loads(Path('r.json').read_text())
    assert report['parts']['train']['classes']['thing'] == {'images': 4, 'pixels': 4 * SIDE // 2 * (SIDE - 4)}
    assert report['parts']['val']['ignored'] == 4 * SIDE
    assert report['faults'] == {}


def files() -> set[str]:
    return {str(path) for path in Path().rglob('*') if 'cache' not in path.parts}


def test_a_sample_shows_its_crop_beside_the_same_with_its_mask(capsys: pytest.CaptureFixture[str]) -> None:
    write_masks()
    checked('my_masks.py', '--samples', '1', status=0, capsys=capsys)
    sheet = np.asarray(Image.open('my_masks_check/samples.jpg')).astype(int)
    red = np.abs(sheet - (255, 0, 0)).sum(axis=-1) < 60
    top, left = 36 + 2, 12 + 2  # inside of the first sample; JPEG blurs its edge
    assert abs(red[top + 120, left:].argmin() - 318) <= 1  # the crop of 24 x 32, enlarged; its copy is painted over
    assert abs(red[top:, left + 100].argmin() - 238) <= 1


def test_the_same_seed_draws_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    write_masks()
    drawn = []
    for seed in ('0', '0', '1'):
        checked('my_masks.py', '--samples', '3', '--seed', seed, status=0, capsys=capsys)
        drawn.append(Path('my_masks_check/samples.jpg').read_bytes())
    assert drawn[0] == drawn[1] != drawn[2]


@pytest.mark.parametrize(
    ('options', 'said'),
    [
        ({'ignored': 255}, ['fault in train: data/masks: 4 faults', 'fault in val: data/masks: 1 fault in a set of 1']),
        ({'count': 19}, ['fault in config: model.decode_head has num_classes=19, and the data have 3 classes; set']),
    ],
)
def test_faults_are_status_1_and_listed(
    options: Mapping[str, Any], said: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    write_masks(**options)
    lines, err = checked('my_masks.py', '--report', 'r.json', status=1, capsys=capsys)
    for line in said:
        assert any(one.startswith(line) for one in lines), lines
    assert lines[-1] == f'next: {cli.command("check", "my_masks.py")}'
    assert err.splitlines()[-1].startswith('error: the data cannot be trained on as they are')
    assert len(json.loads(Path('r.json').read_text())['faults']) == len(said)


def test_sets_of_mmseg_itself_are_looked_at_too_and_joined_ones(capsys: pytest.CaptureFixture[str]) -> None:
    write_masks()
    text = Path('my_masks.py').read_text()
    own, _ = text.split('train_dataloader = ', 1)
    theirs = "dict(type='BaseSegDataset', data_root='data', data_prefix=prefix, metainfo=dict(classes=classes), "
    theirs += "img_suffix='.png', pipeline=pipeline)"
    joined = f"dict(dataset=dict(type='ConcatDataset', datasets=[{theirs}, {theirs}]))"
    Path('my_masks.py').write_text(f'{own}train_dataloader = {joined}\n')
    lines, _ = checked('my_masks.py', status=1, capsys=capsys)
    assert lines[0].startswith('train: 10 images, ')
    assert any('id 11 (160 px), expected 0 to 2, or 255' in line for line in lines)
    for path in Path('data/masks').iterdir():
        mask = np.asarray(Image.open(path))
        Image.fromarray(np.where(mask == 11, 2, mask)).save(path)
    lines, _ = checked('my_masks.py', status=0, capsys=capsys)
    assert lines[4].split() == ['never', '1,600', '10.0%', '10']


def test_images_that_are_in_both_parts_are_noted(capsys: pytest.CaptureFixture[str]) -> None:
    write_masks(val='all')
    lines, _ = checked('my_masks.py', status=0, capsys=capsys)
    assert 'note: 4 images are in train and in val, whose score will be too good' in lines


def test_boxes_are_counted_once_whatever_repeats_them(capsys: pytest.CaptureFixture[str]) -> None:
    boxes = toy.write_coco('data', ToyOptions(images=6, val=1, size=96))
    Path('boxes.py').write_text(BOXES)
    lines, _ = checked('boxes.py', '--samples', '2', '--out', 'looked', status=0, capsys=capsys)
    assert lines[0].startswith('train: 6 images, 96 x 96 px; boxes ')
    assert sum(int(line.split()[1]) for line in lines[2:5]) == boxes['train']
    assert 'samples: looked/samples.jpg' in lines


def test_a_test_set_without_boxes_has_no_annotations(capsys: pytest.CaptureFixture[str]) -> None:
    toy.write_coco('data', ToyOptions(images=2, val=1, size=96))
    content = json.loads(Path('data/annotations/val.json').read_text())
    Path('data/annotations/test.json').write_text(json.dumps({**content, 'annotations': []}))
    test = "dict(**own, ann_file='annotations/test.json', data_prefix=dict(img='images/val'), test_mode=True)"
    Path('boxes.py').write_text(f'{BOXES}test_dataloader = dict(dataset={test})\n')
    lines, _ = checked('boxes.py', status=0, capsys=capsys)
    assert 'test: 1 images, 96 x 96 px; no annotations' in lines
    assert [line.split()[0] for line in lines].count('circle') == 1  # of the training data
    assert not any(line.startswith('note: test') for line in lines)


def test_a_test_set_without_masks_has_no_annotations(capsys: pytest.CaptureFixture[str]) -> None:
    write_masks()
    test = "dict(type='BaseSegDataset', data_root='data', data_prefix=dict(img_path='images'), img_suffix='.png', "
    test += 'metainfo=dict(classes=classes), test_mode=True)'
    with Path('my_masks.py').open('a') as file:
        file.write(f'test_dataloader = dict(dataset={test})\n')
    lines, _ = checked('my_masks.py', status=0, capsys=capsys)
    assert f'test: 5 images, {SIDE} x {SIDE} px; no annotations' in lines
    assert [line.split()[0] for line in lines].count('ground') == 2  # of training and validation data
    assert not any(line.startswith('note: test') for line in lines)


def test_a_fault_of_boxes_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    toy.write_coco('data', ToyOptions(images=2, val=1, size=96))
    next(Path('data/images/train').iterdir()).unlink()
    Path('boxes.py').write_text(BOXES)
    lines, _ = checked('boxes.py', status=1, capsys=capsys)
    assert lines[0].startswith('fault in train: 1 of 2 images are missing in ')


@pytest.mark.parametrize(
    ('config', 'words', 'status', 'message'),
    [
        ("default_scope = 'mmpretrain'\nmodel = dict()", [], 1, 'a.py: a config of classification, expected one of'),
        ("default_scope = 'mmseg'\nmodel = dict()", [], 1, 'a.py: no train_dataloader, expected one'),
        ("default_scope = 'mmseg'\nmodel = dict()", ['--samples', '0'], 2, '--samples: 0 given, expected a number'),
    ],
)
def test_what_cannot_be_looked_at_is_one_line(
    config: str, words: list[str], status: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path('a.py').write_text(config)
    lines, err = checked('a.py', *words, status=status, capsys=capsys)
    assert (lines, err.count('\n')) == ([], 1)
    assert err.startswith(f'error: {message}')


@pytest.mark.parametrize('name', ['ssd_mobileone_s0', 'deeplabv3_mobileone_s1_voc', 'deeplabv3_mobileone_s1_ade20k'])
def test_a_shipped_config_without_its_data_says_where_they_go(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    lines, _ = checked(name, status=1, capsys=capsys)
    faults = [line for line in lines if line.startswith('fault in ')]
    assert len(faults) == 2
    for part, fault in zip(('train', 'val'), faults, strict=True):
        where = rf'data/\S+: no such folder, seen from {Path.cwd()}; {part}_dataloader expects in it '
        assert re.match(f'fault in {part}: {where}', fault)
    assert not list(Path().iterdir())
