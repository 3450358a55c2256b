"""What a screen shows of a training or a test while it runs: one line per epoch, a bar in between."""

import datetime
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.runner import EpochBasedTrainLoop, Runner

from mobileone_mm.cli import Meter, fact, say
from mobileone_mm.errors import counted
from mobileone_mm.openmmlab import metrics
from mobileone_mm.openmmlab.best import Best, best_of, saved_by
from mobileone_mm.training import ranks


class TrainingFace(Hook):  # type: ignore[misc]  # mmengine is untyped
    """Says how training goes: one line per epoch, or per validation interval where training is counted in steps.

    An epoch that is validated gets its line after the validation. Losses are those that mmengine's RuntimeInfoHook has
    fetched from the device for the log, so nothing waits for the device because of this hook.
    """

    priority = 'LOWEST'  # after CheckpointHook, which knows the best

    def __init__(self) -> None:
        self.place = ''  # the epoch or step that training is in; empty before the first
        self.page: Path | None = None  # that will be written about it, as it is typed here
        self._line: list[str] = []  # of an epoch that is over
        self._steps = 0  # since the last line
        self._done = self._total = 0  # steps of the whole training
        self._began: tuple[int, float] | None = None  # steps done before the first of this process, and its time
        self._best: Best | None = None
        self._best_place = ''
        self._meter = Meter(1)

    def before_run(self, runner: Runner) -> None:
        if self.page:  # not before the data are read, without which there will be none
            fact('page', self.page)
        validation = len(runner.val_dataloader.dataset) if runner.val_loop else 'no'
        fact('data', f'{len(runner.train_dataloader.dataset)} training images, {validation} validation images')

    def before_train(self, runner: Runner) -> None:
        loop = runner.train_loop
        self._total, self._best = loop.max_iters, best_of(runner)
        length, before = counted(loop.max_iters, 'step'), f'step {loop.iter}'
        if _in_epochs(runner):
            epochs, steps = counted(loop.max_epochs, 'epoch'), counted(len(loop.dataloader), 'step')
            length, before = f'{epochs} of {steps}', f'epoch {loop.epoch}'
        start = ''
        if runner.cfg.get('resume'):
            start = f', goes on after {before}' if loop.iter else ', from the beginning: no checkpoint in the work dir'
        fact('training', f'{length} on {_devices(runner)}{start}')

    def before_train_epoch(self, runner: Runner) -> None:
        self.say_line()
        self._meter = _training_meter(runner)

    def before_train_iter(self, runner: Runner, *_: Any, **__: Any) -> None:
        if self._began is None:
            self._began = (runner.iter, time.monotonic())

    def after_train_iter(self, runner: Runner, batch_idx: int, *_: Any, **__: Any) -> None:
        self._steps, self._done, self.place = self._steps + 1, runner.iter + 1, _place(runner)
        self._meter.step(batch_idx + 1, lambda _: self._in_between(runner, batch_idx))
        if not _in_epochs(runner) and not runner.val_loop and self._done % runner.val_interval == 0:
            self._end_epoch(runner)
            self.say_line()

    def after_train_epoch(self, runner: Runner) -> None:
        self._end_epoch(runner)

    def before_val_epoch(self, runner: Runner) -> None:
        self._end_epoch(runner)
        self._meter = Meter(len(runner.val_dataloader))

    def after_val_iter(self, runner: Runner, batch_idx: int, *_: Any, **__: Any) -> None:
        self._meter.step(batch_idx + 1, lambda left: f'{self.place}  validating, {duration(left)} left')

    def after_val_epoch(self, runner: Runner, metrics: Mapping[str, Any] | None = None) -> None:
        self._line += _main_metric(runner, metrics or {})
        best = best_of(runner)
        if best != self._best:
            self._best, self._best_place = best, f' ({self.place.partition("/")[0]})'
        self.say_line()
        self._meter = _training_meter(runner)

    def after_train(self, runner: Runner) -> None:
        self.say_line()

    def say_line(self) -> None:
        """Say what has not been said yet of an epoch that is over."""
        self._meter.clear()
        if self._line:
            best = [f'best {self._best.value}{self._best_place}'] if self._best else []
            say('  '.join([*self._line, *best, *self._left()]))
        self._line = []

    def _end_epoch(self, runner: Runner) -> None:
        if self._steps:
            self._line, self._steps = [self.place, *self._loss(runner)], 0

    def _in_between(self, runner: Runner, batch_idx: int) -> str:
        step = [f'step {batch_idx + 1}/{len(runner.train_dataloader)}'] if _in_epochs(runner) else []
        return '  '.join([self.place, *step, *self._loss(runner), *self._left()])

    def _loss(self, runner: Runner) -> list[str]:
        hub = runner.message_hub
        mean = hub.get_scalar('train/loss').mean(self._steps) if 'train/loss' in hub.log_scalars else None
        return [] if mean is None else [f'loss {mean:.4g}']

    def _left(self) -> list[str]:
        if self._began is None or self._done >= self._total:
            return []
        before, since = self._began
        return [f'{duration((time.monotonic() - since) / (self._done - before) * (self._total - self._done))} left']


class TestFace(Hook):  # type: ignore[misc]
    """Says how testing goes."""

    __test__ = False  # of pytest's
    priority = 'LOWEST'

    def before_test_epoch(self, runner: Runner) -> None:
        fact('data', f'{len(runner.test_dataloader.dataset)} test images, on {_devices(runner)}')
        self._meter = Meter(len(runner.test_dataloader))

    def after_test_iter(self, runner: Runner, batch_idx: int, *_: Any, **__: Any) -> None:
        total = len(runner.test_dataloader)
        self._meter.step(batch_idx + 1, lambda left: f'{batch_idx + 1} of {total} batches, {duration(left)} left')

    def after_test_epoch(self, runner: Runner, metrics: Mapping[str, Any] | None = None) -> None:
        self._meter.clear()


def duration(seconds: float) -> str:
    """Hours, minutes and seconds."""
    return str(datetime.timedelta(seconds=round(seconds)))


def _main_metric(runner: Runner, found: Mapping[str, Any]) -> list[str]:
    key = metrics.main(found, saved_by(runner))
    return [] if key is None else [f'{metrics.name(key)} {metrics.value(key, found[key])}']


def _in_epochs(runner: Runner) -> bool:
    return isinstance(runner.train_loop, EpochBasedTrainLoop)


def _place(runner: Runner) -> str:
    if _in_epochs(runner):
        return f'epoch {runner.epoch + 1}/{runner.max_epochs}'
    return f'step {runner.iter + 1}/{runner.max_iters}'


def _training_meter(runner: Runner) -> Meter:
    return Meter(len(runner.train_dataloader) if _in_epochs(runner) else runner.max_iters)


def _devices(runner: Runner) -> str:
    device = next(runner.model.parameters()).device
    name = torch.cuda.get_device_name(device) if device.type == 'cuda' else device.type.upper()
    return f'{ranks.count()} x {name}' if ranks.count() > 1 else name
