"""A segmenter from fused weights to fused weights: trained, validated, saved and tested, on masks drawn here."""

import itertools
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from trainable_segmenter import BATCH, PICTURES, SIDE, write_segmenter

from mobileone_mm.commands import train
from mobileone_mm.errors import ConfigError
from mobileone_mm.openmmlab import configs
from mobileone_mm.openmmlab.open_model import open_model
from mobileone_mm.parity import FLOAT32_RELATIVE_LIMIT, compare

from .conftest import forget_hosts

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
LEARNT = 60.0  # mIoU in points; all of it as background gives 15
# mmseg's usual way: counted in steps, with a sampler that never ends.
STEPS = """
train_cfg = dict(_delete_=True, type='IterBasedTrainLoop', max_iters=60, val_interval=30)
train_dataloader['sampler'] = dict(_delete_=True, type='InfiniteSampler', shuffle=True)
default_hooks['checkpoint'].update(by_epoch=False, interval=30)
log_processor = dict(by_epoch=False)
"""
NUMBERS = itertools.count()
ONE_EPOCH = "train_cfg = dict(max_epochs=1, val_interval=1); default_hooks['checkpoint'].update(interval=1)"
DRAWING = "default_hooks['visualization'] = dict(type='SegVisualizationHook', draw=True)"  # or it warns
WEIGHTS = [0.5, 1.0, 2.0, *[1.0] * 18]


def run(config: Config) -> Runner:
    """A runner with a name of its own, by which mmengine keeps it, and no hook that warns of drawing nothing."""
    fresh = config.copy()
    fresh.experiment_name = f'run{next(NUMBERS)}'
    fresh.default_hooks.pop('visualization')
    fresh.log_level = 'WARNING'
    return Runner.from_cfg(fresh)


def scores_of(config: Config, checkpoint: Path, *left_out: str) -> dict[str, Any]:
    forget_hosts()
    configs.enter_scope(config)
    fresh = config.copy()
    fresh.load_from = str(checkpoint)
    fresh.custom_hooks = [hook for hook in fresh.custom_hooks if hook.type not in ('EMAHook', *left_out)]
    metrics: dict[str, Any] = run(fresh).test()
    return metrics


@pytest.mark.parametrize('more', ['', STEPS], ids=['epochs', 'steps'])
def test_from_fused_to_fused(more: str, tmp_path: Path) -> None:
    config = configs.load_config(write_segmenter(tmp_path, more))
    configs.enter_scope(config)
    runner = run(config)
    runner.train()
    last = Path(runner.message_hub.get_info('last_ckpt'))
    validated = {key: runner.message_hub.get_scalar(f'val/{key}').current() for key in ('mIoU', 'mAcc', 'aAcc')}
    assert validated['mIoU'] > LEARNT

    fused = last.with_name(f'{last.stem}_fused.pth')
    described = Config.fromfile(fused.with_suffix('.py'))
    assert described.model.backbone.deploy
    trained_scores = scores_of(config, last, 'mobileone_mm.FuseForTestHook')
    assert scores_of(described, fused) == trained_scores
    assert scores_of(config, fused) == trained_scores  # fused for it by the hook
    assert {key: trained_scores[key] for key in validated} == pytest.approx(validated, abs=0.01)  # rounded to 0.01

    model, _ = open_model(config, last)
    small, _ = open_model(described, fused)
    images = torch.randn(2, 3, SIDE, SIDE)
    with torch.no_grad():
        expected, found = model(images, mode='tensor'), small(images, mode='tensor')
        second, found_second = (m.auxiliary_head(m.backbone(images)) for m in (model, small))
    assert compare(expected.numpy(), found.numpy()).relative <= FLOAT32_RELATIVE_LIMIT
    assert compare(second.numpy(), found_second.numpy()).relative <= FLOAT32_RELATIVE_LIMIT


def loss_with(kind: str) -> str:
    weighted = f'dict(_delete_=True, type={kind!r}, class_weight={WEIGHTS})'
    return f"model['decode_head'].update(loss_decode={weighted})"


def test_class_weights_are_trained_with(tmp_path: Path) -> None:
    more = (loss_with('mobileone_mm.CrossEntropyLoss'), ONE_EPOCH)
    config = configs.load_config(write_segmenter(tmp_path, *more))
    configs.enter_scope(config)
    runner = run(config)
    runner.train()
    assert runner.model.decode_head.loss_decode.class_weight.tolist() == WEIGHTS
    assert runner.iter == PICTURES // BATCH


def start(way: str, path: Path) -> None:
    if way == 'hook':
        config = configs.load_config(path)
        configs.enter_scope(config)
        run(config).train()
    else:
        train.main([str(path), *(['--plain'] if way == 'plain' else [])])


@pytest.mark.parametrize('way', ['hook', 'command', 'plain'])
def test_mmsegs_own_class_weights_are_refused_before_the_first_step(way: str, tmp_path: Path) -> None:
    path = write_segmenter(tmp_path, loss_with('CrossEntropyLoss'), DRAWING)
    with pytest.raises(ConfigError, match=r"type='mobileone_mm\.CrossEntropyLoss' in loss_decode"):
        start(way, path)
    assert not list((tmp_path / 'work').glob('*.pth'))


def test_mim_trains_and_tests_it(tmp_path: Path) -> None:
    path = write_segmenter(tmp_path, ONE_EPOCH)
    environment = {**os.environ, 'OMP_NUM_THREADS': '1', 'PATH': f'{BIN}:{os.environ["PATH"]}'}
    last = tmp_path / 'work/epoch_1.pth'
    for words in (('train', 'mmseg', path), ('test', 'mmseg', path, '--checkpoint', last)):
        command = ['mim', *map(str, words)]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
        if words[0] == 'train':
            assert f'calibrated on {PICTURES} training images' in done.stdout + done.stderr
        assert 'mIoU' in done.stdout + done.stderr
    assert last.with_name('epoch_1_fused.pth').exists()
