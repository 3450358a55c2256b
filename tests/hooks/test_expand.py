"""Fused weights in a training run: calibrated once on the run's own images, and only then."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import EMAHook, Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner
from torch import Tensor, nn

from mobileone_mm.errors import ConfigError
from mobileone_mm.models.backbones.mobileone import MobileOne
from mobileone_mm.parity import compare
from mobileone_mm.weights import expand

EXPAND = {'type': 'mobileone_mm.ExpandHook', 'num_batches': 2}  # all 16 pictures
PLAIN = {'type': 'mobileone_mm.PlainCheckpointHook'}
EMA = {'type': 'EMAHook', 'momentum': 0.3}
SPREAD_PSNR = 10.0  # dB, between batches of eight pictures
ROUNDING_PSNR = 80.0  # dB, float32
LIMIT = 1e-4  # training mode on all pictures against the fused function, fraction of the range, float32

Build = Callable[..., Runner]


@HOOKS.register_module(force=True)
class AfterExpansion(Hook):
    """Runs the backbone in training mode on all training images, before the first step."""

    priority = 'LOWEST'

    def before_train(self, runner: Runner) -> None:
        model = runner.model
        images = torch.cat([model.data_preprocessor(data, True)['inputs'] for data in runner.train_dataloader])
        self.state = {key: value.clone() for key, value in model.backbone.state_dict().items()}
        self.awaits = expand.awaits_calibration(model.backbone)
        with torch.no_grad():
            self.evaluated = model.backbone.eval()(images)[-1]
            self.trained = model.backbone.train()(images)[-1]  # moves the running statistics, hence last
        model.backbone.load_state_dict(self.state)
        self.images = images


def report_of(runner: Runner) -> AfterExpansion:
    return next(hook for hook in runner.hooks if isinstance(hook, AfterExpansion))


@pytest.fixture
def fused(config: Config, tmp_path: Path, randomise_batch_norm: Callable[..., nn.Module]) -> MobileOne:
    """A fused backbone, its file named by the config's init_cfg."""
    model = randomise_batch_norm(MobileOne(config.model.backbone.arch)).eval()
    assert isinstance(model, MobileOne)
    model.switch_to_deploy()
    torch.save(model.state_dict(), tmp_path / 'fused.pth')
    config.model.backbone.init_cfg = {'type': 'Pretrained', 'checkpoint': str(tmp_path / 'fused.pth')}
    return model


def output(model: MobileOne, images: Tensor) -> Tensor:
    with torch.no_grad():
        result: Tensor = model(images)[-1]
    return result


def test_training_starts_from_the_fused_function(fused: MobileOne, config: Config, build: Build) -> None:
    runner = build(config, EXPAND, PLAIN, {'type': 'AfterExpansion'}, train_cfg={'max_epochs': 1})
    runner.train()
    seen = report_of(runner)
    expected = output(fused, seen.images).numpy()
    assert not seen.awaits
    assert compare(expected, seen.trained.numpy()).relative <= LIMIT
    assert compare(expected, seen.evaluated.numpy()).relative <= LIMIT


def test_without_the_hook_it_does_not(fused: MobileOne, config: Config, build: Build) -> None:
    # Evaluation is right all the same.
    runner = build(config, PLAIN, {'type': 'AfterExpansion'}, train_cfg={'max_epochs': 1})
    runner.train()
    seen = report_of(runner)
    expected = output(fused, seen.images).numpy()
    assert seen.awaits
    assert compare(expected, seen.trained.numpy()).relative > LIMIT
    assert compare(expected, seen.evaluated.numpy()).relative <= LIMIT


def test_the_measured_difference_is_logged(
    fused: MobileOne, config: Config, build: Build, caplog: pytest.LogCaptureFixture
) -> None:
    runner = build(config, EXPAND, PLAIN, log_level='INFO', train_cfg={'max_epochs': 1})
    runner.logger.addHandler(caplog.handler)
    runner.train()
    lines = [record.message for record in caplog.records if 'calibrated on 16 training images' in record.message]
    assert len(lines) == 1
    found = re.search(r'On the first 8 of them training mode follows the fused function to (\d+\.\d) dB PSNR', lines[0])
    assert found is not None
    assert 'max abs error' not in lines[0]
    assert float(found[1]) > SPREAD_PSNR
    assert "one batch's statistics" in lines[0]


def test_one_batch_leaves_rounding_only(
    fused: MobileOne, config: Config, build: Build, caplog: pytest.LogCaptureFixture
) -> None:
    runner = build(config, {**EXPAND, 'num_batches': 1}, PLAIN, log_level='INFO', train_cfg={'max_epochs': 1})
    runner.logger.addHandler(caplog.handler)
    runner.train()
    line = next(record.message for record in caplog.records if 'calibrated on 8 training images' in record.message)
    found = re.search(r'to (\d+\.\d) dB PSNR; the rest is rounding', line)
    assert found is not None
    assert float(found[1]) > ROUNDING_PSNR


def test_an_averaged_copy_starts_from_the_calibrated_weights(fused: MobileOne, config: Config, build: Build) -> None:
    # EMAHook copies the model before any weight is loaded; its first update must take everything over.
    hooks: list[dict[str, Any]] = [EMA, EXPAND, PLAIN, {'type': 'AfterExpansion'}]
    train = {'type': 'IterBasedTrainLoop', 'max_iters': 1, 'val_interval': 100, '_delete_': True}
    runner = build(config, *hooks, train_cfg=train)
    runner.train()
    ema = next(hook for hook in runner.hooks if isinstance(hook, EMAHook)).ema_model.module
    torch.testing.assert_close(dict(ema.state_dict()), dict(runner.model.state_dict()), rtol=0, atol=0)
    assert not torch.equal(ema.backbone.stage0.rbr_conv[0].bn.running_var, torch.ones(16))


def test_a_sampler_that_is_read_once_has_enough_for_training(fused: MobileOne, config: Config, build: Build) -> None:
    train = {'type': 'IterBasedTrainLoop', 'max_iters': 3, 'val_interval': 100, '_delete_': True}
    config.train_dataloader.sampler = {'type': 'InfiniteSampler'}
    runner = build(config, EXPAND, PLAIN, train_cfg=train)
    runner.train()
    assert runner.iter == 3


def test_a_resumed_run_keeps_its_own_statistics(fused: MobileOne, config: Config, build: Build) -> None:
    build(config, EXPAND, PLAIN, train_cfg={'max_epochs': 1}).train()
    stored = torch.load(Path(config.work_dir) / 'epoch_1.pth', weights_only=True)['state_dict']  # noqa: TID251
    runner = build(config, EXPAND, PLAIN, {'type': 'AfterExpansion'}, resume=True)
    runner.train()
    expected = {key.removeprefix('backbone.'): value for key, value in stored.items() if key.startswith('backbone.')}
    torch.testing.assert_close(report_of(runner).state, expected, rtol=0, atol=0)


def test_other_backbones_are_left_alone(config: Config, build: Build) -> None:
    runner = build(config, EXPAND, PLAIN, {'type': 'AfterExpansion'}, train_cfg={'max_epochs': 1})
    runner.train()
    state = report_of(runner).state
    torch.testing.assert_close(state['stage0.rbr_conv.0.bn.running_var'], torch.ones(16), rtol=0, atol=0)


def test_no_batches_are_refused() -> None:
    with pytest.raises(ConfigError, match='num_batches=0 given, expected at least 1'):
        HOOKS.build({'type': 'mobileone_mm.ExpandHook', 'num_batches': 0})
