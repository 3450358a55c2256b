"""`mobileone train` on own masks: faults end it before the first step, unless it is told not to look for them."""

import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mobileone_mm import cli
from mobileone_mm.commands.train import main

from .test_train import PressCtrlC  # noqa: F401 - registered by the import

SIDE = 32
SOME = 'train_dataloader.dataset.indices=2'  # which are sound, but the whole set is looked at
CONFIG = """
default_scope = 'mmseg'
model = dict(
    type='EncoderDecoder',
    data_preprocessor=dict(type='SegDataPreProcessor', size=(32, 32), seg_pad_val=255),
    backbone=dict(type='mobileone_mm.MobileOne', arch='s0', out_indices=(0,)),
    decode_head=dict(
        type='FCNHead', in_channels=48, in_index=0, channels=8, num_convs=1, concat_input=False, num_classes=3,
        norm_cfg=dict(type='BN'), loss_decode=dict(type='mobileone_mm.CrossEntropyLoss', class_weight=[1.0, 1.0, 2.0]),
    ),
    train_cfg=dict(),
    test_cfg=dict(mode='whole'),
)
train_dataloader = dict(
    batch_size=2,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='mobileone_mm.MaskDataset',
        data_root='data',
        data_prefix=dict(img_path='images', seg_map_path='masks'),
        metainfo=dict(classes=('ground', 'cat', 'dog')),
        ignore_index=11,
        pipeline=[dict(type='LoadImageFromFile'), dict(type='mobileone_mm.LoadMask'), dict(type='PackSegInputs')],
    ),
)
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=1)
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.01))
"""


@pytest.fixture(autouse=True)
def _set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four images of noise, the last one cut short."""
    monkeypatch.chdir(tmp_path)
    for folder in ('data/images', 'data/masks'):
        Path(folder).mkdir(parents=True)
    noise = np.random.default_rng(0)
    for index in range(4):
        image = Path(f'data/images/{index}.jpg')
        Image.fromarray(noise.integers(0, 256, (SIDE, SIDE, 3), np.uint8)).save(image)
        mask = noise.choice(np.array([0, 1, 2, 11], np.uint8), (SIDE, SIDE))
        Image.fromarray(mask).save(f'data/masks/{index}.png')
    image.write_bytes(image.read_bytes()[:-200])
    Path('seg.py').write_text(CONFIG)


def test_faults_end_it_before_the_first_step(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(main, ['seg.py', '--work-dir', 'work', '--cfg-options', SOME]) == 1
    said = capsys.readouterr()
    assert said.out == ''
    assert 'error: data/masks: 1 fault in a set of 4 images:\n  data/images/3.jpg: cannot be read: ' in said.err
    assert 'checking 8 images and masks for faults; the results are cached in ' in said.err
    assert 'epoch 1/1' not in said.err
    assert not list(Path('work').glob('*.pth'))


@pytest.mark.parametrize('way', [(), ('--plain',)])
@pytest.mark.parametrize(
    ('weights', 'error'),
    [
        ('[1.0, 1.0]', 'decode_head: class_weight with 2 entries given, expected 3, one for each class of the head'),
        ('[1.0, -1.0, 1.0]', 'class_weight=[1.0, -1.0, 1.0] given, expected a list of numbers from 0'),
    ],
)
def test_wrong_class_weights_end_it_before_any_weight_is_set(
    weights: str, error: str, way: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    never_read = "arch='s0', init_cfg=dict(type='Pretrained', checkpoint='never_read.pth'),"
    Path('seg.py').write_text(CONFIG.replace('[1.0, 1.0, 2.0]', weights).replace("arch='s0',", never_read))
    assert cli.run(main, ['seg.py', '--work-dir', 'work', '--no-check', *way]) == 1
    said = capsys.readouterr().err
    assert error in said.splitlines()[-1]
    assert 'never_read' not in said


@pytest.mark.parametrize('more', [(), ('--plain',)])
def test_told_not_to_look_it_trains(more: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(main, ['seg.py', '--work-dir', 'work', '--no-check', *more, '--cfg-options', SOME]) == 0
    said = ''.join(capsys.readouterr())
    assert 'loss' in said
    assert ' for faults' not in said
    assert Path('work/epoch_1.pth').is_file()
    assert 'check=False' in Path('work/seg.py').read_text()


@pytest.mark.filterwarnings('ignore:.* instance named of ')  # by mmengine, of two runs that begin in one second
def test_not_to_look_is_kept_when_it_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    Path('seg.py').write_text(CONFIG + "custom_hooks = [dict(type='PressCtrlC', at=1)]\n")
    assert cli.run(main, ['seg.py', '--no-check', '--cfg-options', SOME]) == 130
    following = shlex.split(capsys.readouterr().out)
    assert following[-5:] == ['train', 'seg.py', '--no-check', '--cfg-options', SOME]
    Path('seg.py').write_text(CONFIG)  # nobody presses again
    assert cli.run(main, following[following.index('train') + 1 :]) == 0


def test_there_is_nothing_to_leave_out_of_mmsegs_own_sets(capsys: pytest.CaptureFixture[str]) -> None:
    Path('seg.py').write_text(CONFIG.replace('mobileone_mm.MaskDataset', 'BaseSegDataset'))
    assert cli.run(main, ['seg.py', '--no-check']) == 1
    out, err = capsys.readouterr()
    assert out == ''
    assert err.splitlines()[-1].startswith('error: seg.py: --no-check leaves out the look into every file')
    assert not Path('work_dirs').exists()
