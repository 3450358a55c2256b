"""`mobileone check` as typed: what it prints and writes, and nothing else is written."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from own_folders import CLASSES, write_coco
from small_classes import write, write_set
from small_sets import BOXES, SIDE, write_boxes, write_masks

from mobileone_mm import cli
from mobileone_mm.commands import init
from mobileone_mm.commands.check import UNOPENED, main
from mobileone_mm.openmmlab.own_config import own_config


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def checked(*words: str, status: int, capsys: pytest.CaptureFixture[str]) -> tuple[list[str], str]:
    assert cli.run(main, words) == status
    said = capsys.readouterr()
    return said.out.splitlines(), said.err


def test_masks_are_counted_and_drawn_as_the_pipeline_gives_them(capsys: pytest.CaptureFixture[str]) -> None:
    write_masks()
    before = files()
    lines, err = checked('my_masks.py', '--samples', '2', '--report', 'r.json', status=0, capsys=capsys)
    assert 'never' not in err  # a note says it
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


def test_boxes_are_counted_once_whatever_repeats_them(capsys: pytest.CaptureFixture[str]) -> None:
    boxes = write_boxes(6)
    lines, _ = checked('boxes.py', '--samples', '2', '--out', 'looked', status=0, capsys=capsys)
    assert lines[0].startswith('train: 6 images, 96 x 96 px; boxes ')
    assert sum(int(line.split()[1]) for line in lines[2:5]) == boxes
    assert 'samples: looked/samples.jpg' in lines


def test_a_test_set_without_boxes_has_no_annotations(capsys: pytest.CaptureFixture[str]) -> None:
    write_boxes(2)
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


@pytest.mark.parametrize(
    ('loss', 'weights', 'said'),
    [
        ('mobileone_mm.CrossEntropyLoss', '[1, 2]', 'model.decode_head: class_weight with 2 entries given, expected 3'),
        ('mobileone_mm.CrossEntropyLoss', '[1, -1, 1]', 'class_weight=[1, -1, 1] given, expected a list of numbers'),
        ('mobileone_mm.CrossEntropyLoss', "[1, float('nan'), 1]", 'expected a list of numbers from 0'),
        ('CrossEntropyLoss', '[1, 2, 3]', "mmseg's CrossEntropyLoss with class_weight given"),
    ],
)
def test_class_weights_that_training_refuses_are_a_fault(
    loss: str, weights: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write_masks()
    with Path('my_masks.py').open('a') as file:
        file.write(f"model['decode_head'].update(loss_decode=dict(type={loss!r}, class_weight={weights}))\n")
    lines, _ = checked('my_masks.py', status=1, capsys=capsys)
    (fault,) = [line for line in lines if line.startswith('fault in ')]
    assert fault.startswith('fault in config: model.decode_head: ')
    assert said in fault


def test_usable_class_weights_are_none(capsys: pytest.CaptureFixture[str]) -> None:
    write_masks()
    with Path('my_masks.py').open('a') as file:
        loss = "dict(type='mobileone_mm.CrossEntropyLoss', class_weight=[1, 2, 0])"
        file.write(f"model['decode_head'].update(loss_decode=[dict(type='DiceLoss'), {loss}])\n")
    checked('my_masks.py', status=0, capsys=capsys)


def test_a_fault_of_boxes_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    write_boxes(2)
    next(Path('data/images/train').iterdir()).unlink()
    lines, _ = checked('boxes.py', status=1, capsys=capsys)
    assert lines[0].startswith('fault in train: 1 of 2 images are missing in ')


@pytest.mark.parametrize(
    ('config', 'words', 'status', 'message'),
    [
        ("default_scope = 'mmpretrain'\nmodel = dict()", [], 1, 'a.py: no train_dataloader, expected one'),
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


@pytest.mark.parametrize(
    'name',
    ['ssd_mobileone_s0', 'deeplabv3_mobileone_s1_voc', 'deeplabv3_mobileone_s1_ade20k', 'mobileone_s0_in1k'],
)
def test_a_shipped_config_without_its_data_says_where_they_go(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    lines, _ = checked(name, status=1, capsys=capsys)
    faults = [line for line in lines if line.startswith('fault in ')]
    assert len(faults) == 2
    for part, fault in zip(('train', 'val'), faults, strict=True):
        where = rf'data/\S+: no such folder, seen from {Path.cwd()}; {part}_dataloader expects in it '
        assert re.match(f'fault in {part}: {where}', fault)
        assert '(docs/train.md, "The data of the shipped configs")' in fault
    assert not list(Path().iterdir())


def test_one_folder_of_class_folders_from_init_on(capsys: pytest.CaptureFixture[str]) -> None:
    write_set(Path('photos'), cat=10, dog=15)
    write(Path('photos'), 'cat/notes.txt', 'dog/a.heic')
    before = {path: path.stat().st_mtime_ns for path in Path('photos').rglob('*')}
    assert cli.run(init.main, ['own.py', '--from', 'mobileone_s0_own_classes', '--data', 'photos']) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f'next: {cli.command("check", "own.py")}'
    lines, _ = checked('own.py', '--report', 'r.json', status=0, capsys=capsys)
    assert lines == [
        'train: 20 images, 24 x 24 px',
        '  class            images   share',
        '  cat                   8   40.0%',
        '  dog                  12   60.0%',
        'val: 5 images, 24 x 24 px',
        '  class            images   share',
        '  cat                   2   40.0%',
        '  dog                   3   60.0%',
        'note: train: 2 files that are not pictures are skipped: .heic (1), .txt (1); to train on those of .heic, '
        'save them as JPEG or PNG',
        'no faults found',
        'samples: own_check/samples.jpg',
        f'next: {cli.command("train", "own.py")}',
    ]
    assert json.loads(Path('r.json').read_text())['parts']['train']['classes']['dog'] == {'images': 12}
    assert {path: path.stat().st_mtime_ns for path in Path('photos').rglob('*')} == before
    write(Path('photos'), 'loose.png')
    lines, err = checked('own.py', status=1, capsys=capsys)
    assert 'fault in train: photos: 1 fault in a set of 20 images:' in '\n'.join(lines)
    assert err.splitlines()[-1].startswith('error: the data cannot be trained on as they are')


@pytest.mark.parametrize('kind', ['mobileone_mm.ClassFolderDataset', 'CustomDataset'])
def test_control_characters_in_names_of_folders_are_a_fault(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    write_set(Path('photos'), **{'cat': 3, 'new\nline': 3, 'esc\x1b[31m': 3})
    assert cli.run(init.main, ['own.py', '--from', 'mobileone_s0_own_classes', '--data', 'photos']) == 0
    if kind == 'CustomDataset':  # mmpretrain's, which finds the classes itself
        pipeline = "[dict(type='LoadImageFromFile'), dict(type='PackInputs')]"
        dataset = f"dict(_delete_=True, type='CustomDataset', data_root='photos', pipeline={pipeline})"
        lines = [f'{part}_dataloader = dict(dataset={dataset})' for part in ('train', 'val', 'test')]
        Path('own.py').write_text('\n'.join([Path('own.py').read_text(), *lines]))
    capsys.readouterr()
    lines, err = checked('own.py', status=1, capsys=capsys)
    said = '\n'.join(lines)
    if kind == 'CustomDataset':
        assert r"classes: 'esc\x1b[31m', 'new\nline' given, expected names without control characters" in said
    else:
        assert r'  photos/new\nline: control characters in the name' in lines
        assert r'  photos/esc\x1b[31m: control characters in the name' in lines
        assert 'names with control characters, such as tabs and line breaks: rename these folders' in said
    assert 'Traceback' not in err


def test_what_anchors_do_not_reach_is_a_note(capsys: pytest.CaptureFixture[str]) -> None:
    write_coco(Path('cells'), side=6)
    for words in (['near.py', 'cells', '--input-size', '320'], ['far.py', '--data', 'cells']):
        assert cli.run(init.main, words) == 0
    capsys.readouterr()
    assert cli.run(main, ['near.py']) == 0
    assert 'anchors reach' not in capsys.readouterr().out
    assert cli.run(main, ['far.py']) == 0
    assert 'note: train: anchors reach 0 % of the boxes at an IoU of 0.5 (cat 0 %, dog 0 %)' in capsys.readouterr().out


@pytest.mark.parametrize(('name', 'step'), [('boxes', 'PackDetInputs'), ('my_masks', 'PackSegInputs')])
def test_a_pipeline_that_does_not_pack_is_a_fault_of_the_config(
    name: str, step: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write_boxes(images=2) if name == 'boxes' else write_masks()
    config = Path(f'{name}.py')
    config.write_text(config.read_text().replace(f"    dict(type='{step}'),\n", ''))
    lines, err = checked(str(config), status=1, capsys=capsys)
    (fault,) = (line for line in lines if line.startswith('fault in '))
    assert re.fullmatch(
        rf'fault in config: {config}: train_dataloader\.dataset\S*\.pipeline gives .*, expected inputs and '
        rf"data_samples; end it with the step that packs, dict\(type='{step}'\)",
        fault,
    )
    assert err.startswith('error: ')
    assert 'a defect' not in err
    assert not Path(f'{name}_check').exists()


def test_files_that_no_data_set_looks_into_are_said_to_be_so(capsys: pytest.CaptureFixture[str]) -> None:
    write_coco(Path('own'), files=('annotations/train.json', 'annotations/val.json'))
    for check, said in (
        ('True', 'no faults found'),
        ('False', UNOPENED),
    ):
        text = own_config('ssd_mobileone_s0_own_coco', CLASSES, 'own/', {})
        Path('boxes.py').write_text(f'{text}\ntrain_dataloader["dataset"].update(check={check})\n')
        lines, _ = checked('boxes.py', status=0, capsys=capsys)
        assert [line for line in lines if line == said], lines
