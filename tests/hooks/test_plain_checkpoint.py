"""Checkpoints that load with `weights_only=True`, resume more than once, and keep what the resumed run needs."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner

PLAIN = {'type': 'mobileone_mm.PlainCheckpointHook'}
EMA = {'type': 'EMAHook', 'momentum': 0.3}


def test_mmengines_own_still_need_it(config: Config, build: Callable[..., Runner]) -> None:
    # When mmengine mends it, this turns red and the hook can go.
    build(config, train_cfg={'max_epochs': 1}).train()
    with pytest.raises(Exception, match='Unsupported global'):
        torch.load(Path(config.work_dir) / 'epoch_1.pth', weights_only=True)  # noqa: TID251


def test_resumed_twice_it_remembers_the_best(config: Config, build: Callable[..., Runner]) -> None:
    # A threshold that no run passes makes the first epoch's checkpoint the best one for good.
    build(config, EMA, PLAIN, train_cfg={'max_epochs': 1}).train()
    first = torch.load(Path(config.work_dir) / 'epoch_1.pth', weights_only=True)  # noqa: TID251
    best = first['message_hub']['runtime_info']
    assert type(best['best_score']) is float
    assert 'classes' in first['meta']['dataset_meta']
    assert 'optimizer' in first
    for epochs in (2, 3):
        runner = build(config, EMA, PLAIN, resume=True, train_cfg={'max_epochs': epochs, 'val_interval': 100})
        runner.train()
        assert runner.epoch == epochs
        stored = torch.load(Path(config.work_dir) / f'epoch_{epochs}.pth', weights_only=True)  # noqa: TID251
        assert stored['message_hub']['runtime_info']['best_score'] == best['best_score']
        assert stored['message_hub']['runtime_info']['best_ckpt'] == best['best_ckpt']


def test_a_resumed_run_is_the_unbroken_one(config: Config, build: Callable[..., Runner]) -> None:
    # Same data order in both: the sampler's seed goes by the epoch.
    hooks = [EMA, PLAIN, {'type': 'DistSamplerSeedHook'}]
    unbroken = build(config, *hooks)
    unbroken.train()
    other = config.copy()
    other.work_dir = str(Path(config.work_dir).with_name('other'))
    build(other, *hooks, train_cfg={'max_epochs': 1}).train()
    resumed = build(other, *hooks, resume=True)
    resumed.train()
    torch.testing.assert_close(resumed.model.state_dict(), unbroken.model.state_dict(), rtol=0, atol=0)
