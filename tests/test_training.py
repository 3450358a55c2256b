"""Training from end to end, by the commands a user types: own data, fused weights, train, test, resume, two ranks."""

import os
import pickle
import re
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mmdet.apis import inference_detector

from mobileone_mm import reparam
from mobileone_mm.datasets.toy import ToyOptions, write_coco
from mobileone_mm.models.backbones.mobileone import MobileOne
from mobileone_mm.openmmlab import configs
from mobileone_mm.openmmlab.open_model import open_model
from mobileone_mm.weights.checkpoint import save_checkpoint

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
TEMPLATE = ROOT / 'configs/detection/ssd_mobileone_s0_own_coco.py'
BATCH = 4
USED = 12  # of 12 to 15 pictures with shapes: whole batches
ARCH = {
    'num_blocks': [1, 1, 1, 1],
    'width_factor': [0.25, 0.125, 0.125, 0.125],
    'num_conv_branches': [2, 2, 2, 2],
    'num_se_blocks': [0, 0, 0, 0],
}
TINY = """
_base_ = 'own.py'
channels = (32, 64, 16, 16, 16, 16)
model = dict(
    backbone=dict(arch=dict(_delete_=True, **{arch}), init_cfg=dict(checkpoint={weights!r})),
    neck=dict(in_channels=channels[:2], out_channels=channels),
    bbox_head=dict(in_channels=channels),
    test_cfg=dict(max_per_img=20),
)
train_cfg = dict(max_epochs=2, val_interval=1)
train_dataloader = dict(batch_size={batch}, num_workers=0, persistent_workers=False)
val_dataloader = dict(num_workers=0, persistent_workers=False)
test_dataloader = val_dataloader
env_cfg = dict(dist_cfg=dict(backend='gloo'))
work_dir = {work_dir!r}
"""

STEPS = """
_base_ = 'tiny.py'
train_cfg = dict(_delete_=True, type='IterBasedTrainLoop', max_iters=3, val_interval=100)
train_dataloader = dict(sampler=dict(_delete_=True, type='InfiniteSampler', shuffle=True))
default_hooks = dict(checkpoint=dict(by_epoch=False, interval=3, save_best=None))
param_scheduler = []
work_dir = {work_dir!r}
"""


@pytest.fixture(scope='module')
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The template with its lines filled in as docs/own_data.md says, and a tiny net below it that starts fused."""
    folder = tmp_path_factory.mktemp('training')
    write_coco(folder / 'data', ToyOptions(images=16, val=4, size=64, seed=0))
    own = TEMPLATE.read_text().replace("'ssd_mobileone_s0.py'", repr(str(TEMPLATE.with_name('ssd_mobileone_s0.py'))))
    own = own.replace("'data/own/'", repr(f'{folder}/data/')).replace("'train/'", "'images/train/'")
    (folder / 'own.py').write_text(own.replace("'val/'", "'images/val/'"))
    torch.manual_seed(0)
    backbone = MobileOne(arch=ARCH)
    backbone.init_weights()
    save_checkpoint(folder / 'fused.pth', reparam.fuse(backbone).state_dict(), None)
    path = folder / 'tiny.py'
    path.write_text(
        TINY.format(arch=ARCH, batch=BATCH, weights=str(folder / 'fused.pth'), work_dir=str(folder / 'work'))
    )
    (folder / 'steps.py').write_text(STEPS.format(work_dir=str(folder / 'steps')))
    return path


def typed(*words: object) -> str:
    """Run a command as a user types it; its output."""
    environment = {**os.environ, 'OMP_NUM_THREADS': '1', 'PATH': f'{BIN}:{os.environ["PATH"]}'}
    command = [str(word) for word in words]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout + done.stderr


def test_train_test_and_resume_as_typed(config: Path) -> None:
    work = config.parent / 'work'
    trained = typed('mim', 'train', 'mmdet', config)
    assert f'calibrated on {USED} training images' in trained
    assert 'dropped' not in trained
    assert next(file.name for file in work.glob('best_*.pth') if 'fused' not in file.name).startswith(
        'best_coco_bbox_mAP'
    )

    typed('mim', 'test', 'mmdet', config, '--checkpoint', work / 'epoch_2.pth', '--out', work / 'found.pkl')
    with (work / 'found.pkl').open('rb') as file:
        found = pickle.load(file)[0]
    model, _ = open_model(configs.load_config(config), work / 'epoch_2.pth')
    model.cfg = configs.load_config(config)
    expected = inference_detector(model, found['img_path']).pred_instances
    assert len(expected) > 0
    torch.testing.assert_close(found['pred_instances']['scores'], expected.scores)
    torch.testing.assert_close(found['pred_instances']['bboxes'], expected.bboxes, atol=0.1, rtol=0)  # px

    resumed = typed('mim', 'train', 'mmdet', config, '--resume', '--cfg-options', 'train_cfg.max_epochs=3')
    assert f'resumed epoch: 2, iter: {2 * (USED // BATCH)}' in resumed
    assert 'calibrated' not in resumed.split('resumed epoch')[1]
    assert re.search(r'Epoch\(val\) +\[3\]', resumed)
    assert (work / 'epoch_3.pth').exists()


@pytest.mark.parametrize('loop', ['tiny.py', 'steps.py'])
def test_two_ranks_end_with_the_same_weights(config: Path, loop: str) -> None:
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = str(free.getsockname()[1])
    outs = [config.parent / f'rank{rank}.npz' for rank in range(2)]
    common = {'WORLD_SIZE': '2', 'MASTER_ADDR': '127.0.0.1', 'MASTER_PORT': port, 'OMP_NUM_THREADS': '1'}
    ranks = [
        subprocess.Popen(
            [sys.executable, ROOT / 'tests/training_rank.py', config.with_name(loop), out],
            env={**os.environ, **common, 'RANK': str(rank), 'LOCAL_RANK': str(rank)},
            cwd=config.parent,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank, out in enumerate(outs)
    ]
    logs = [rank.communicate(timeout=300)[0] for rank in ranks]
    assert [rank.returncode for rank in ranks] == [0, 0], logs[0][-3000:] + logs[1][-3000:]
    first, second = (np.load(out) for out in outs)
    assert 'calibrated on' in logs[0]
    # Weights by DDP and rank 0's calibration, running statistics by SyncBuffersHook at the end of the epoch.
    for name in first:
        np.testing.assert_array_equal(first[name], second[name], err_msg=name)
    fused = torch.load(config.parent / 'fused.pth', weights_only=True)  # noqa: TID251 - written above
    kernel = 'stage1.0.reparam_conv.weight'
    moved = first['backbone.stage1.0.rbr_conv.0.conv.weight'] - (fused.get('state_dict') or fused)[kernel].numpy()
    assert np.abs(moved).max() > 0
