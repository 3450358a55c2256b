"""A training that was killed and resumed ends as the one that nothing happened to: bit for bit, with any workers."""

import functools
import itertools
import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import trainable_detector
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner
from trainable_classifier import write_classifier
from trainable_segmenter import write_segmenter

from mobileone_mm.datasets.toy import ToyOptions, write_coco
from mobileone_mm.hooks import TrainingPageHook
from mobileone_mm.openmmlab import configs

from .conftest import forget_hosts

pytestmark = pytest.mark.filterwarnings('ignore:This DataLoader will create 2 worker:UserWarning')  # on one core
NUMBERS = itertools.count()
SHORT = "train_cfg = dict(max_epochs=3, val_interval=2); default_hooks['checkpoint'].update(interval=1)"
SCHEDULED = 'param_scheduler = _base_.param_scheduler'
# What train_impl='auto' does on larger maps, and recomputed.
MOMENTS = "model['backbone'].update(train_impl='moments', with_cp=True)"
MIXED = "model['train_cfg'] = dict(augments=[dict(type='Mixup', alpha=0.8), dict(type='CutMix', alpha=1.0)])"
# An epoch has 2 steps, so that the checkpoint after 3 lies in the middle of one.
STEPS = """
train_cfg = dict(_delete_=True, type='IterBasedTrainLoop', max_iters=5, val_interval=2)
train_dataloader['sampler'] = dict(_delete_=True, type='{sampler}', shuffle=True)
default_hooks['checkpoint'].update(by_epoch=False, interval=3)
log_processor = dict(by_epoch=False)
"""


class StoppedError(Exception):
    """Stands for a power cut."""


class Stop(Hook):  # type: ignore[misc]
    """Ends a training after a step, or before an epoch, counted from 0."""

    priority = 'VERY_LOW'

    def __init__(self, step: int | None = None, epoch: int | None = None) -> None:
        self._step, self._epoch = step, epoch

    def before_train_epoch(self, runner: Runner) -> None:
        if runner.epoch == self._epoch:
            raise StoppedError

    def after_train_iter(self, runner: Runner, *_: Any, **__: Any) -> None:
        if runner.iter + 1 == self._step:
            raise StoppedError


def write_detector(folder: Path, *more: str) -> Path:
    if not (folder / 'data').exists():
        write_coco(folder / 'data', ToyOptions(images=16, val=4, size=64, seed=0))
    return trainable_detector.write_detector(folder / 'detector.py', folder / 'data', None, *more)


def run(
    config: Config, work_dir: Path, workers: int, stop: Stop | None = None, page: bool = False, **options: Any
) -> None:
    """Train, with workers that stay, as far as `stop` lets it, and with a page about it if that is wanted."""
    forget_hosts()
    fresh = config.copy()
    named = {'work_dir': str(work_dir), 'experiment_name': f'run{next(NUMBERS)}', 'log_level': 'ERROR'}
    fresh.merge_from_dict({**named, **options})
    fresh.default_hooks.pop('visualization')  # warns of drawing nothing
    fresh.train_dataloader.update(num_workers=workers, persistent_workers=workers > 0)
    configs.enter_scope(fresh)
    runner = Runner.from_cfg(fresh)
    if page:
        runner.register_hook(TrainingPageHook())
    if stop is None:
        runner.train()
        return
    runner.register_hook(stop)
    with pytest.raises(StoppedError):
        runner.train()
    runner.train_dataloader._iterator = None  # ends its workers


def last(work_dir: Path) -> dict[str, Any]:
    """The last checkpoint."""
    path = work_dir / Path((work_dir / 'last_checkpoint').read_text()).name
    stored: dict[str, Any] = torch.load(path, weights_only=True)  # noqa: TID251 - written above
    return stored


def assert_same(work_dir: Path, other: Path) -> None:
    """The last checkpoints and what the logs have of each step, bit for bit."""
    found, expected = last(work_dir), last(other)
    averaged = ['ema_state_dict'] if 'ema_state_dict' in expected else []
    for part in ('state_dict', 'optimizer', *averaged):
        torch.testing.assert_close(found[part], expected[part], rtol=0, atol=0)
    assert found['param_schedulers'] == expected['param_schedulers']
    assert [found['meta'][key] for key in ('epoch', 'iter')] == [expected['meta'][key] for key in ('epoch', 'iter')]
    assert logged(work_dir) == logged(other)


def logged(work_dir: Path) -> dict[int, dict[str, float]]:
    """The losses and learning rates of each step, as the last run over it logged them."""
    found: dict[int, dict[str, float]] = {}
    for path in sorted(work_dir.glob('*/vis_data/*.json')):
        for line in path.read_text().splitlines():
            entry = json.loads(line)
            if 'loss' in entry:
                timeless = {key: value for key, value in entry.items() if key not in ('time', 'data_time', 'memory')}
                found[entry['step']] = timeless
    return found


WRITERS: dict[str, Callable[[Path], Path]] = {
    'detector': lambda folder: write_detector(folder, MOMENTS),
    'segmenter': lambda folder: write_segmenter(folder, SCHEDULED, SHORT),
    'segmenter in steps': lambda folder: write_segmenter(folder, STEPS.format(sampler='InfiniteSampler')),
    'segmenter in finite steps': lambda folder: write_segmenter(folder, STEPS.format(sampler='DefaultSampler')),
    'classifier': lambda folder: write_classifier(folder, 'mobileone_s2_in1k', MIXED),
}


@pytest.fixture(scope='module')
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple[Config, Path]]:
    """A function that gives a config and the work dir of its uninterrupted run, without workers."""

    @functools.cache
    def run_once(name: str) -> tuple[Config, Path]:
        folder = tmp_path_factory.mktemp('uninterrupted')
        config = configs.load_config(WRITERS[name](folder))
        config.merge_from_dict({'randomness.seed': 0, 'default_hooks.logger.interval': 1})
        run(config, folder / 'work', 0)
        return config, folder / 'work'

    return run_once


@pytest.mark.parametrize(
    ('name', 'stop', 'workers'),
    [
        ('detector', {'epoch': 1}, 2),
        ('segmenter', {'step': 3}, 2),
        ('segmenter', {'epoch': 2}, 1),
        ('segmenter in steps', {'step': 4}, 0),
        ('segmenter in steps', {'step': 4}, 2),
        ('segmenter in finite steps', {'step': 4}, 1),
        ('classifier', {'step': 7}, 0),
        ('classifier', {'epoch': 4}, 2),
    ],
)
def test_resumed_it_ends_as_if_it_had_not_been_stopped(
    name: str,
    stop: dict[str, int],
    workers: int,
    uninterrupted: Callable[[str], tuple[Config, Path]],
    tmp_path: Path,
) -> None:
    config, expected = uninterrupted(name)
    run(config, tmp_path, workers, Stop(**stop), page=True)
    assert last(tmp_path)['meta']['iter'] < last(expected)['meta']['iter']
    run(config, tmp_path, workers, page=True, resume=True)
    assert_same(tmp_path, expected)
    assert (tmp_path / 'training.html').is_file()  # which was drawn, and changed nothing


def test_killed_without_a_seed_it_goes_on_with_the_one_it_drew(tmp_path: Path) -> None:
    path, work = write_detector(tmp_path), tmp_path / 'work'
    killed = tmp_path / 'killed.py'
    killed.write_text("_base_ = 'detector.py'; custom_hooks = [*_base_.custom_hooks, dict(type='Kill', step=4)]")
    program = [sys.executable, str(Path(__file__).with_name('killed_training.py'))]
    options = ['--cfg-options', 'default_hooks.logger.interval=1']
    options += ['train_dataloader.num_workers=0', 'train_dataloader.persistent_workers=False']
    for config, resume, status in ((killed, [], -signal.SIGKILL), (path, ['--resume'], 0)):
        command = [*program, str(config), '--work-dir', str(work), *resume, *options]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
        assert done.returncode == status, done.stderr[-3000:]
    assert 'goes on after epoch 1' in done.stderr
    seed = last(work)['meta']['seed']
    expected = configs.load_config(path)
    run(expected, tmp_path / 'other', 0, **{'randomness.seed': seed, 'default_hooks.logger.interval': 1})
    assert_same(work, tmp_path / 'other')
