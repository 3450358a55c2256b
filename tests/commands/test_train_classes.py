"""`mobileone train` on class folders: faults end it before the first step, in validation data too."""

import json
import re
import shutil
from pathlib import Path

import pytest
from small_classes import write_set

from mobileone_mm import cli
from mobileone_mm.commands import check
from mobileone_mm.commands.train import main

CONFIG = """
default_scope = 'mmpretrain'
model = dict(
    type='ImageClassifier',
    backbone=dict(type='mobileone_mm.MobileOne', arch='s0', out_indices=(0,)),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(type='LinearClsHead', num_classes=2, in_channels=48),
)
pipeline = [dict(type='LoadImageFromFile'), dict(type='PackInputs')]
own = dict(
    type='mobileone_mm.ClassFolderDataset', data_root='data', metainfo=dict(classes=('cat', 'dog')), pipeline=pipeline
)
sampler = dict(type='DefaultSampler', shuffle=True)
loader = dict(batch_size=4, num_workers=0, sampler=sampler, pin_memory=False)
train_dataloader = dict(**loader, dataset=dict(**own, data_prefix=dict(img_path='train')))
val_dataloader = dict(**loader, dataset=dict(**own, data_prefix=dict(img_path='val'), apart_from='train'))
val_evaluator = dict(type='Accuracy', topk=(1,))
val_cfg = dict()
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=1)
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.01))
"""


@pytest.fixture(autouse=True)
def _set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Noise; pictures of the same name are the same, so those of validation have others."""
    monkeypatch.chdir(tmp_path)
    write_set(Path('data/train'), cat=3, dog=3)
    write_set(Path('data/val'), **{'cat/more': 2, 'dog/more': 2})
    Path('classes.py').write_text(CONFIG)


def trained(capsys: pytest.CaptureFixture[str], *more: str) -> tuple[int, str]:
    status = cli.run(main, ['classes.py', '--work-dir', 'work', *more])
    return status, capsys.readouterr().err


def test_faults_end_it_before_the_first_step(capsys: pytest.CaptureFixture[str]) -> None:
    Path('data/train/dog/02.png').write_bytes(b'')
    status, said = trained(capsys)
    assert status == 1
    assert 'error: data/train: 1 fault in a set of 6 images:\n  data/train/dog/02.png: cannot be read: ' in said
    assert 'checking 6 images for faults; the results are cached in ' in said
    assert 'epoch 1/1' not in said
    assert not list(Path('work').glob('*.pth'))


def test_a_picture_to_validate_on_that_is_trained_on_ends_it(capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copy('data/train/cat/00.png', 'data/val/dog/09.png')
    status, said = trained(capsys)
    assert status == 1
    assert 'data/val/dog/09.png: the same picture as data/train/cat/00.png, which is trained on' in said
    assert 'epoch 1/1' not in said


def test_a_pipeline_that_does_not_pack_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    Path('classes.py').write_text(CONFIG.replace(', pipeline=pipeline', ''))
    status, said = trained(capsys)
    assert status == 1
    assert (
        "error: classes.py: model: KeyError: 'inputs'; has the `pipeline` of the `dataset` a step that packs, " in said
    )


def what_ends_a_worker(capsys: pytest.CaptureFixture[str], options: str = '') -> str:
    """The error line of a training whose pictures, read by a OneWarp in a loader's worker, are no pictures."""
    begun = CONFIG.replace('pipeline = [', "pipeline = [dict(type='mobileone_mm.OneWarp', transforms=[", 1)
    whole = begun.replace("'PackInputs')]", f"'PackInputs')], {options})]", 1)
    Path('classes.py').write_text(whole.replace('num_workers=0', 'num_workers=1'))
    for picture in Path('data/train').glob('*/*.png'):
        picture.write_bytes(b'no picture')
    status, said = trained(capsys, '--no-check')
    assert status == 1
    assert 'Traceback' not in said
    (error,) = (line for line in said.splitlines() if line.startswith('error: '))
    return error


def test_what_ends_a_loaders_worker_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    error = what_ends_a_worker(capsys, 'max_unreadable=1')
    assert '; 2 pictures cannot, expected at most 1: ' in error


def test_told_not_to_look_it_trains(capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copy('data/train/cat/00.png', 'data/val/dog/09.png')
    status, said = trained(capsys, '--no-check')
    assert status == 0, said
    assert ' for faults' not in said
    assert Path('work/epoch_1.pth').is_file()


@pytest.mark.parametrize(
    ('part', 'dataset', 'faulty'),
    [
        ('train', "dict(type='CustomDataset', data_root='folders', pipeline=pipeline)", r"'a\u202eb', 'esc\x1b[2J'"),
        ('val', "dict(type='CustomDataset', data_root='folders', pipeline=pipeline)", r"'a\u202eb', 'esc\x1b[2J'"),
        (
            'train',
            r"dict(type='mmdet.CocoDataset', ann_file='a.json', data_prefix=dict(img=''), "
            r"metainfo=dict(classes=('c\td', 'e')), test_mode=True)",
            r"'c\td'",
        ),
        (
            'val',
            r"dict(type='mmdet.VOCDataset', ann_file='a.txt', data_root='VOC2007', data_prefix=dict(sub_data_root=''), "
            r"metainfo=dict(classes=('c\nd', 'e')), test_mode=True)",
            r"'c\nd'",
        ),
        (
            'train',
            r"dict(type='mmseg.BaseSegDataset', data_prefix=dict(img_path='folders'), "
            r"img_suffix='.png', metainfo=dict(classes=('c\x7f', 'e')), test_mode=True)",
            r"'c\x7f'",
        ),
    ],
    ids=['folders', 'folders-val', 'coco', 'voc', 'masks'],
)
def test_names_of_classes_that_no_screen_can_show_end_it_whoever_reads_the_data(
    part: str, dataset: str, faulty: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write_set(Path('folders'), **{'esc\x1b[2J': 3, 'a\u202eb': 3})
    image = {'id': 1, 'file_name': 'x.jpg', 'width': 24, 'height': 24}
    coco = {'images': [image], 'annotations': [], 'categories': [{'id': 1, 'name': 'e'}]}
    Path('a.json').write_text(json.dumps(coco))
    Path('VOC2007/Annotations').mkdir(parents=True)
    Path('VOC2007/a.txt').write_text('x')
    size = '<size><width>24</width><height>24</height></size>'
    Path('VOC2007/Annotations/x.xml').write_text(f'<annotation>{size}</annotation>')
    Path('classes.py').write_text(f'{CONFIG}\n{part}_dataloader["dataset"] = {dataset}\n')
    status, said = trained(capsys)
    assert status == 1
    assert said.splitlines()[-1].startswith(
        f'error: classes: {faulty} given, expected names without control characters, such as tabs'
    )
    assert 'epoch 1/1' not in said
    assert all(one.isprintable() or one in '\n\t' for one in said)


def test_a_log_has_no_control_characters_either(capsys: pytest.CaptureFixture[str]) -> None:
    Path('data').rename('da\x1b[2Jta')
    Path('classes.py').write_text(CONFIG.replace("data_root='data'", r"data_root='da\x1b[2Jta'"))
    status, said = trained(capsys)
    (log,) = Path('work').glob('*/*.log')
    assert status == 0, said
    assert r'da\x1b[2Jta/train: 6 images of 2 classes' in log.read_text()
    assert '\x1b' not in log.read_text()


def test_a_set_of_which_nothing_can_be_read_any_more_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Of fewer pictures than a process goes on without."""
    error = what_ends_a_worker(capsys)
    assert re.match(
        r'error: data/train/(cat|dog)/0\d\.png: cannot be read: no picture .*met only 6 such pictures', error
    )


@pytest.mark.parametrize(
    ('given', 'message'),
    [
        ("['LoadImageFromFile']", r"OneWarp: transforms\.0 is 'LoadImageFromFile', expected a transform: dict\(type"),
        ("[dict(type='LoadImageFromFile')], max_unreadable=-1", 'OneWarp: max_unreadable=-1 given, expected a whole'),
    ],
)
def test_what_one_warp_cannot_take_is_named_with_file_and_key(
    given: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = f"pipeline = [dict(type='mobileone_mm.OneWarp', transforms={given})]\nown"
    Path('classes.py').write_text(CONFIG.replace('own', wrong, 1))
    place = r'classes\.py: train_dataloader\.dataset\.pipeline\.0: '
    status, said = trained(capsys)
    assert status == 1
    assert re.search(f'^error: {place}{message}', said, re.MULTILINE), said
    assert cli.run(check.main, ['classes.py']) == 1
    assert re.match(f'error: {place}{message}', capsys.readouterr().err)
