"""The ImageNet recipe, read off what a Runner builds and does, epoch by epoch, against the paper's in closed form."""

import itertools
import math
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook, ParamSchedulerHook
from mmengine.runner import Runner
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from trainable_classifier import PICTURES, write_classifier, write_imagenet

from mobileone_mm.openmmlab import configs
from mobileone_mm.reparam import is_fused

from .conftest import forget_hosts

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
EPOCHS = 300
BATCH = 256  # the paper's
GROWTH = ((0, 160, 0.3), (38, 192, 0.7), (113, 224, 1.0))  # first epoch, counted from 0; px; strength
AUGMENTED = ('s2', 's3', 's4')
EMA = 0.0005  # what an update takes over: 1 - 0.9995
NUMBERS = itertools.count()


def cosine(epoch: int, epochs: int = EPOCHS) -> float:
    return (1 + math.cos(math.pi * epoch / epochs)) / 2


def grown(epoch: int) -> tuple[int, float]:
    """Size and strength of an epoch, counted from 0."""
    return next((size, strength) for first, size, strength in reversed(GROWTH) if epoch >= first)


def run(config: Config, **options: Any) -> Runner:
    """A runner with a name of its own, by which mmengine keeps it."""
    fresh = config.copy()
    fresh.merge_from_dict({'experiment_name': f'run{next(NUMBERS)}', 'log_level': 'WARNING', **options})
    return Runner.from_cfg(fresh)


def prepared(name: str, folder: Path, batch: int) -> Runner:
    """What `train` builds before its first step: loop, optimizer, scaled learning rate, schedulers."""
    write_imagenet(folder / 'data', repeats=max(BATCH, batch) // PICTURES)
    config = configs.load_config(name)
    configs.enter_scope(config)
    for loader in (config.train_dataloader, config.val_dataloader):
        loader.update(num_workers=0, persistent_workers=False)
        loader.dataset.data_root = str(folder / 'data')
    config.train_dataloader.batch_size = batch
    config.test_dataloader = config.val_dataloader
    runner = run(config, work_dir=str(folder / 'work'))
    runner._train_loop = runner.build_train_loop(runner._train_loop)
    runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    runner.scale_lr(runner.optim_wrapper, runner.auto_scale_lr)
    runner.param_schedulers = runner.build_param_scheduler(runner.param_schedulers)
    return runner


def hook_of(runner: Runner, kind: str) -> Any:
    (found,) = [hook for hook in runner.hooks if type(hook).__name__ == kind]
    return found


def through_the_epochs(runner: Runner) -> Iterator[int]:
    """Every epoch, at its first step, by the runner's own hooks; no step is trained."""
    switch, schedulers = (hook_of(runner, kind) for kind in ('SwitchRecipeHook', ParamSchedulerHook.__name__))
    for epoch in range(runner.max_epochs):
        runner.train_loop._epoch = epoch
        switch.before_train_epoch(runner)
        yield epoch
        runner.optim_wrapper.step()  # without gradients
        schedulers.after_train_epoch(runner)


def strengths(runner: Runner) -> list[float]:
    """Of every AutoAugment in the training pipeline."""
    (warp,) = runner.train_dataloader.dataset.pipeline.transforms
    return [step.strength for step in warp.rest if type(step).__name__ == 'AutoAugment']


def decayed(model: nn.Module) -> set[str]:
    """The weights of convolutions and of the linear layer, by name; neither BatchNorm's nor any bias."""
    modules = {name: module for name, module in model.named_modules() if not isinstance(module, _BatchNorm)}
    return {f'{name}.weight' for name, module in modules.items() if isinstance(module, nn.Conv2d | nn.Linear)}


def groups_of(runner: Runner) -> dict[str, dict[str, Any]]:
    """The optimizer's group of every parameter, by the parameter's name."""
    names = {id(parameter): name for name, parameter in runner.model.named_parameters()}
    groups = runner.optim_wrapper.optimizer.param_groups
    found = {names[id(parameter)]: group for group in groups for parameter in group['params']}
    assert len(found) == len(names)
    return found


@pytest.mark.parametrize('variant', ['s0', 's1', 's2', 's3', 's4'])
def test_every_epoch_is_the_papers(variant: str, tmp_path: Path) -> None:
    runner = prepared(f'mobileone_{variant}_in1k', tmp_path, BATCH)
    groups, with_decay = groups_of(runner), decayed(runner.model)
    assert 0 < len(with_decay) < len(groups)
    assert any(name.endswith('.bias') for name in groups.keys() - with_decay)
    epochs = 0
    for epoch in through_the_epochs(runner):
        epochs += 1
        (rate,) = {group['lr'] for group in groups.values()}
        (decay,) = {groups[name]['weight_decay'] for name in with_decay}
        assert rate == pytest.approx(0.1 * cosine(epoch), rel=1e-9), epoch
        assert decay == pytest.approx(1e-5 + 9e-5 * cosine(epoch), rel=1e-9), epoch
        assert {groups[name]['weight_decay'] for name in groups.keys() - with_decay} == {0.0}
        assert {group['momentum'] for group in groups.values()} == {0.9}
        size, strength = grown(epoch)
        assert strengths(runner) == ([strength] if variant in AUGMENTED else [])
        assert runner.train_dataloader.dataset[epoch % PICTURES]['inputs'].shape == (3, size, size), epoch
    assert epochs == EPOCHS


def test_the_learning_rate_follows_the_batch_and_the_decay_does_not(tmp_path: Path) -> None:
    runner = prepared('mobileone_s0_in1k', tmp_path, batch=32)  # as shipped, on one GPU
    head = groups_of(runner)['head.fc.weight']
    for epoch in itertools.islice(through_the_epochs(runner), 0, EPOCHS, 50):
        assert head['lr'] == pytest.approx(0.1 / 8 * cosine(epoch), rel=1e-9)
        assert head['weight_decay'] == pytest.approx(1e-5 + 9e-5 * cosine(epoch), rel=1e-9)


def test_loss_and_average_are_the_papers(tmp_path: Path) -> None:
    runner = prepared('mobileone_s0_in1k', tmp_path, batch=32)
    scores, labels = torch.randn(4, 1000), torch.tensor([0, 250, 500, 999])
    expected = nn.CrossEntropyLoss(label_smoothing=0.1)(scores, labels)
    torch.testing.assert_close(runner.model.head.loss_module(scores, labels), expected)
    ema = hook_of(runner, 'EMAHook')
    ema.before_run(runner)
    layer = runner.model.backbone.stage0.rbr_conv[0]
    averaged = ema.ema_model.module.backbone.stage0.rbr_conv[0]
    before = averaged.bn.running_mean.clone(), averaged.conv.weight.clone()
    ema.ema_model.update_parameters(runner.model)  # the first takes all over
    with torch.no_grad():
        layer.bn.running_mean.add_(1.0)
        layer.conv.weight.add_(1.0)
    ema.ema_model.update_parameters(runner.model)
    torch.testing.assert_close(averaged.bn.running_mean, before[0] + EMA)  # buffers too
    torch.testing.assert_close(averaged.conv.weight, before[1] + EMA)


class Seen(Hook):  # type: ignore[misc]
    """Keeps what each step trained with: epoch, size of its batch, strengths, learning rates, decays."""

    priority = 'LOWEST'

    def __init__(self) -> None:
        self.steps: list[tuple[Any, ...]] = []

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        groups = runner.optim_wrapper.optimizer.param_groups
        values = [tuple(group[key] for group in groups) for key in ('lr', 'weight_decay')]
        sizes = tuple(tuple(image.shape) for image in data_batch['inputs'])
        self.steps.append((runner.epoch, sizes, *strengths(runner), *values))


def trained(config: Config, **options: Any) -> tuple[Runner, list[tuple[Any, ...]]]:
    forget_hosts()
    configs.enter_scope(config)
    runner, seen = run(config, **options), Seen()
    runner.register_hook(seen)
    runner.train()
    return runner, seen.steps


def test_resuming_within_a_step_of_the_curriculum_goes_on_with_it(tmp_path: Path) -> None:
    config = configs.load_config(write_classifier(tmp_path, 'mobileone_s2_in1k'))
    first, steps = trained(config)
    sizes = {epoch: (images[0][-1], strength) for epoch, images, strength, *_ in steps}
    growth = [(size, strength) for _, size, strength in GROWTH]
    assert sizes == {epoch: growth[epoch // 2] for epoch in range(6)}
    assert steps[-1][3][0] == pytest.approx(0.1 * 2 / BATCH * cosine(5, 6))
    assert sorted(set(steps[-1][4])) == pytest.approx([0.0, 1e-5 + 9e-5 * cosine(5, 6)], rel=1e-9, abs=0)

    for done in (1, 3, 5):  # within each of the three
        middle = tmp_path / f'work/epoch_{done}.pth'
        again, rest = trained(config, work_dir=str(tmp_path / f'{done}'), load_from=str(middle), resume=True)
        assert rest == [step for step in steps if step[0] >= done]
        assert hook_of(again, 'EMAHook').ema_model.steps == hook_of(first, 'EMAHook').ema_model.steps


def test_mim_trains_and_tests_it(tmp_path: Path) -> None:
    path = write_classifier(tmp_path, 'mobileone_s2_in1k', 'train_cfg = dict(max_epochs=3, val_interval=3)')
    environment = {**os.environ, 'OMP_NUM_THREADS': '1', 'PATH': f'{BIN}:{os.environ["PATH"]}'}
    last = tmp_path / 'work/epoch_3.pth'
    for words in (('train', 'mmpretrain', path), ('test', 'mmpretrain', path, '--checkpoint', last)):
        command = ['mim', *map(str, words)]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        said = done.stdout + done.stderr
        assert done.returncode == 0, said[-4000:]
        assert 'accuracy/top1' in said
        assert words[0] == 'test' or 'Switch train pipeline at epoch 3' in said
    fused = configs.load_config(last.with_name('epoch_3_fused.py'))
    assert is_fused(configs.build_model(fused))
