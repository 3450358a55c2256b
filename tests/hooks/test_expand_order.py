"""Calibrating on the training images takes nothing from training: neither its batches nor their order nor its dice."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner
from torch import Tensor, nn

from mobileone_mm.models.backbones.mobileone import MobileOne
from mobileone_mm.weights import expand

EXPAND = {'type': 'mobileone_mm.ExpandHook', 'num_batches': 3}  # one more than there are in an epoch
STEPS = 3  # of epochs of two
BATCH = 8
LOOPS = {
    'epochs': {'by_epoch': True, 'max_epochs': 9, 'val_interval': 100},
    'steps': {'type': 'IterBasedTrainLoop', 'max_iters': 99, 'val_interval': 100, '_delete_': True},
}
WORKERS = {
    'no workers': {'num_workers': 0},
    'workers': {'num_workers': 1, 'persistent_workers': False},
    'persistent workers': {'num_workers': 1, 'persistent_workers': True},
}

Build = Callable[..., Runner]


class EnoughError(Exception):
    """Ends a training: an InfiniteSampler in a loop of epochs has no other end."""


@HOOKS.register_module(force=True)
class Seen(Hook):
    """Keeps what the first steps are given, and ends training then."""

    def __init__(self) -> None:
        self.names: list[list[str]] = []
        self.images: list[Tensor] = []
        self.awaited: list[bool] = []

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        self.names.append([sample.img_path for sample in data_batch['data_samples']])
        self.images.append(torch.stack(list(data_batch['inputs'])))
        self.awaited.append(expand.awaits_calibration(runner.model.backbone))
        if len(self.names) == STEPS:
            raise EnoughError


@pytest.fixture
def expanded(config: Config, tmp_path: Path, randomise_batch_norm: Callable[..., nn.Module]) -> Config:
    """The config, starting from fused weights, with pictures that are flipped by chance."""
    model = randomise_batch_norm(MobileOne(config.model.backbone.arch)).eval()
    assert isinstance(model, MobileOne)
    model.switch_to_deploy()
    torch.save(model.state_dict(), tmp_path / 'fused.pth')
    config.model.backbone.init_cfg = {'type': 'Pretrained', 'checkpoint': str(tmp_path / 'fused.pth')}
    pipeline = config.train_dataloader.dataset.pipeline
    config.train_dataloader.dataset.pipeline = [
        *pipeline[:-1],
        {'type': 'RandomFlip', 'prob': 0.5},
        {'type': 'ColorJitter', 'brightness': 0.4},
        pipeline[-1],
    ]
    return config


def seen_by_training(build: Build, config: Config, *hooks: dict[str, Any], **options: Any) -> Seen:
    runner = build(config, *hooks, {'type': 'Seen'}, **options)
    with pytest.raises(EnoughError):
        runner.train()
    return next(hook for hook in runner.hooks if isinstance(hook, Seen))


@pytest.mark.parametrize('workers', WORKERS)
@pytest.mark.parametrize('loop', LOOPS)
@pytest.mark.parametrize('sampler', ['InfiniteSampler', 'DefaultSampler'])
def test_training_sees_what_it_would_have_seen(
    expanded: Config, build: Build, sampler: str, loop: str, workers: str
) -> None:
    expanded.train_dataloader.update(WORKERS[workers])
    expanded.train_dataloader.sampler = {'type': sampler, 'shuffle': True}
    without = seen_by_training(build, expanded, train_cfg={**LOOPS[loop]})
    with_it = seen_by_training(build, expanded, EXPAND, train_cfg={**LOOPS[loop]})
    assert without.awaited == [True] * STEPS
    assert with_it.awaited == [False] * STEPS
    assert with_it.names == without.names
    for one, other in zip(with_it.images, without.images, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)
