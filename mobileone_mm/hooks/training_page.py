"""A hook that keeps a page about the training beside its checkpoints."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mobileone_mm.errors import MobileOneError, one_line
from mobileone_mm.openmmlab.second_reader import same_dice
from mobileone_mm.outputs import TRAINING_PAGE
from mobileone_mm.registry import HOOKS

MOST_OF_TIME = 0.02  # of a training's time that drawing may take, until the last page
INTERVAL = 60.0  # seconds from one page to the next within an epoch


@HOOKS.register_module()
class TrainingPageHook(Hook):  # type: ignore[misc]  # mmengine is untyped
    """Keeps `training.html` in the work dir: curves, results of each class, what is trained on, and what is mistaken.

    It is one file that loads nothing, written anew after epochs and validations, and once a minute within long epochs;
    less often where drawing it would take more than 2 % of the time. Curves come from the files that mmengine's
    LocalVisBackend keeps in the work dir, so they go on where those of a resumed training ended. Nothing that training
    computes or draws at random is changed, and what goes wrong with the page is warned of once, and ends nothing. A
    file of that name that no training wrote stays as it is.
    """

    priority = 'LOWEST'  # after LoggerHook and CheckpointHook, whose results it shows

    def __init__(self) -> None:
        self._record: Any = None  # what is shown; None where nothing is
        self._failed = False
        self._drawing = 0.0  # seconds so far, of drawing pages
        self._pages = 0
        self._began = self._written = time.monotonic()

    def before_train(self, runner: Runner) -> None:
        if not is_main_process():
            return
        self._began = self._written = time.monotonic()
        with self._aside(runner):
            from mobileone_mm.watching.record import Record  # late: it brings what only pages need

            self._record = Record(runner, Path(runner.work_dir) / TRAINING_PAGE)

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        if self._record is not None and self._record.wants_batches:
            with self._aside(runner):
                self._record.add_batch(data_batch)

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Mapping[str, Any] | None = None
    ) -> None:
        if self._record is not None:
            self._record.done = runner.iter + 1
            if time.monotonic() - self._written > INTERVAL:
                self._write(runner)

    def after_train_epoch(self, runner: Runner) -> None:
        validates = runner.val_loop is not None and self.every_n_epochs(runner, runner.val_interval)
        if runner.iter < runner.max_iters and not validates:  # else a page with more on it follows
            self._write(runner)

    def before_val_epoch(self, runner: Runner) -> None:
        if self._record is not None:
            with self._aside(runner):
                self._record.begin_validation(runner)

    def after_val_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Sequence[Any] | None = None
    ) -> None:
        if self._record is not None:
            with self._aside(runner):
                self._record.add_found(runner, batch_idx, outputs or ())

    def after_val_epoch(self, runner: Runner, metrics: Mapping[str, float] | None = None) -> None:
        if self._record is not None:
            with self._aside(runner):
                self._record.end_validation(metrics or {})
            self._write(runner)

    def after_train(self, runner: Runner) -> None:
        self._write(runner, over=True)

    def _write(self, runner: Runner, over: bool = False) -> None:
        """Write the page, where it is the first or last one or has time to be drawn."""
        start = time.monotonic()
        if self._record is None or (self._pages and not over and self._drawing > MOST_OF_TIME * (start - self._began)):
            return
        with self._aside(runner):
            self._record.write(runner, over)
        self._written = time.monotonic()
        self._drawing += self._written - start
        self._pages += 1

    @contextmanager
    def _aside(self, runner: Runner) -> Iterator[None]:
        """Let nothing that happens inside change the training: neither an error nor what is drawn at random."""
        try:
            with same_dice():
                yield
        except Exception as error:  # of any kind: a page is worth no training
            if not self._failed:
                self._failed = True
                unknown = not isinstance(error, MobileOneError)
                runner.logger.warning(f'{TRAINING_PAGE} cannot be written: {one_line(error)}', exc_info=unknown)
