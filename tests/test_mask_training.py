"""Own masks trained without a command of ours, by mmseg's own tools/train.py and by two ranks, on fresh files."""

import json
import os
import re
import socket
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from trainable_segmenter import ARCH

RANK = Path(__file__).with_name('training_rank.py')
SIDE = 32
PICTURES = 12
STEPS = 3
CONFIG = f"""
default_scope = 'mmseg'
model = dict(
    type='EncoderDecoder',
    data_preprocessor=dict(type='SegDataPreProcessor', size=({SIDE}, {SIDE}), seg_pad_val=255),
    backbone=dict(type='mobileone_mm.MobileOne', arch={ARCH}, out_indices=(3,)),
    decode_head=dict(
        type='FCNHead', in_channels=64, in_index=0, channels=8, num_convs=1, concat_input=False, num_classes=3,
        norm_cfg=dict(type='BN'),
    ),
    train_cfg=dict(),
    test_cfg=dict(mode='whole'),
)
pipeline = [dict(type='LoadImageFromFile'), dict(type='mobileone_mm.LoadMask'), dict(type='PackSegInputs')]
own = dict(
    type='mobileone_mm.MaskDataset',
    data_root='data',
    data_prefix=dict(img_path='images', seg_map_path='masks'),
    metainfo=dict(classes=('ground', 'cat', 'dog')),
    ignore_index=11,
    pipeline=pipeline,
)
train_dataloader = dict(
    batch_size=2,
    num_workers=0,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(**own, part='train'),
)
val_dataloader = dict(
    batch_size=1, num_workers=0, sampler=dict(type='DefaultSampler', shuffle=False), dataset=dict(**own, part='val')
)
val_evaluator = dict(type='IoUMetric', iou_metrics=['mIoU'])
train_cfg = dict(type='IterBasedTrainLoop', max_iters={STEPS}, val_interval={STEPS})
val_cfg = dict(type='ValLoop')
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.01))
default_hooks = dict(checkpoint=dict(type='CheckpointHook', by_epoch=False, interval={STEPS}))
env_cfg = dict(dist_cfg=dict(backend='gloo'))
work_dir = 'work'
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder: a config, and images of noise with masks that nobody has looked at before."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv('OMP_NUM_THREADS', '1')
    noise = np.random.default_rng(0)
    for part in ('images', 'masks'):
        Path('data', part).mkdir(parents=True)
    for index in range(PICTURES):
        Image.fromarray(noise.integers(0, 256, (SIDE, SIDE, 3), np.uint8)).save(f'data/images/{index}.jpg')
        Image.fromarray(noise.choice(np.array([0, 1, 2, 11], np.uint8), (SIDE, SIDE))).save(f'data/masks/{index}.png')
    Path('seg.py').write_text(CONFIG)
    return tmp_path


def break_masks() -> None:
    """Ids without a class in three masks."""
    for index in range(3):
        Image.fromarray(np.full((SIDE, SIDE), 7, np.uint8)).save(f'data/masks/{index}.png')


def kept() -> list[dict[str, Any]]:
    """What is kept of these masks; refuses what was left unfinished."""
    files = list(Path(os.environ['XDG_CACHE_HOME'], 'mobileone_mm/masks').iterdir())
    assert all(file.suffix == '.json' for file in files)
    contents = [json.loads(file.read_text())['files'] for file in files]
    return [content for content in contents if any(str(Path('data/masks').resolve()) in key for key in content)]


def by_the_tool() -> subprocess.CompletedProcess[str]:
    """What `mim train mmseg seg.py` starts."""
    spec = find_spec('mmseg')
    assert spec is not None
    assert spec.origin is not None
    tool = Path(spec.origin).parent / '.mim/tools/train.py'
    return subprocess.run([sys.executable, tool, 'seg.py'], capture_output=True, text=True, check=False, timeout=300)


def by_two_ranks(*command: object) -> list[tuple[int, str]]:
    """The status of each of two processes that train together, and what it printed."""
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = str(free.getsockname()[1])
    common = {'WORLD_SIZE': '2', 'LOCAL_WORLD_SIZE': '2', 'MASTER_ADDR': '127.0.0.1', 'MASTER_PORT': port}
    ranks = [
        subprocess.Popen(
            [sys.executable, *map(str, command), f'rank{rank}.npz'],
            env={**os.environ, **common, 'RANK': str(rank), 'LOCAL_RANK': str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank in range(2)
    ]
    return [(rank.wait(), log) for rank, log in [(rank, rank.communicate(timeout=300)[0]) for rank in ranks]]


def test_mmsegs_own_tool_trains_on_masks(folder: Path) -> None:
    done = by_the_tool()
    assert done.returncode == 0, done.stderr[-3000:]
    assert ' for faults' in done.stdout
    assert 'mIoU' in done.stdout
    assert Path(f'work/iter_{STEPS}.pth').is_file()
    assert [len(files) for files in kept()] == [2 * PICTURES]


def test_two_ranks_look_at_fresh_masks_together(folder: Path) -> None:
    logs = by_two_ranks(RANK, 'seg.py')
    assert [status for status, _ in logs] == [0, 0], logs
    first, second = (np.load(f'rank{rank}.npz') for rank in range(2))
    trained = [name for name in first if name.endswith('conv_seg.weight')]
    assert trained
    for name in trained:
        np.testing.assert_array_equal(first[name], second[name])
    assert [len(files) for files in kept()] == [2 * PICTURES]


def test_of_two_ranks_the_first_lists_the_faults_and_both_end(folder: Path) -> None:
    break_masks()
    logs = by_two_ranks(RANK, 'seg.py')
    assert [status for status, _ in logs] == [1, 1], logs
    (_, first), (_, second) = logs
    assert all(first.count(f'masks/{index}.png: id 7') == 1 for index in range(3))
    assert first.count('set ignore_index=7') == 1
    assert re.search(
        r'3 faults in a set of \d+ images, one of them data/masks/0.png: id 7 .*; the first process', second
    )
    assert 'masks/1.png' not in second
    assert 'set ignore_index=7' not in second
