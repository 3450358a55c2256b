"""A runner whose whole output goes into its log file, with a line on the screen for what a user has to know."""

import io
import logging
import os
import re
import sys
import traceback
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

from mmengine.config import Config
from mmengine.dataset import DefaultSampler
from mmengine.dist import is_main_process
from mmengine.logging import MMLogger
from mmengine.logging.logger import FilterDuplicateWarning
from mmengine.registry import RUNNERS
from mmengine.runner import BaseLoop, EpochBasedTrainLoop, Runner
from torch import Tensor

from mobileone_mm.cli import say
from mobileone_mm.errors import CheckpointError, ConfigError, printable
from mobileone_mm.hooks.unwrap import unwrapped
from mobileone_mm.openmmlab.data_sets import explained, require_plain_classes
from mobileone_mm.openmmlab.log import COLOURS
from mobileone_mm.openmmlab.loops import require_batches
from mobileone_mm.training import notes, ranks
from mobileone_mm.weights import matching
from mobileone_mm.weights.checkpoint import read_checkpoint
from mobileone_mm.weights.download import local_file
from mobileone_mm.weights.intact import require_intact
from mobileone_mm.weights.nesting import require_end

READ_URLS = ('file://', 'http://', 'https://')
PREFIX = re.compile(r'^module\.')  # as mmengine takes it off
OURS = logging.getLogger('mobileone_mm')


class OnScreen(logging.Handler):
    """Says what `notes.line_for` makes of an entry."""

    def emit(self, record: logging.LogRecord) -> None:
        line = notes.line_for(record)
        if line is not None:
            say(line)


class Plain(logging.Formatter):
    """Formats an entry as another formatter does, without colours and without what would move a terminal's cursor."""

    def __init__(self, inner: logging.Formatter) -> None:
        super().__init__()
        self._inner = inner

    def format(self, record: logging.LogRecord) -> str:
        return printable(COLOURS.sub('', self._inner.format(record)), kept='\n\t')


class Log(io.TextIOBase):
    """The log file of a run, which takes what is printed as well; what is printed before it is open waits for it."""

    def __init__(self) -> None:
        self.config: Config | None = None  # of the run, once it is read
        self._logger: MMLogger | None = None
        self._folder: Path | None = None
        self._screen = OnScreen()
        self._screen.addFilter(FilterDuplicateWarning())
        self._printed: list[str] = []
        self._unfinished = ''
        self._failed = False  # to be written

    def knows(self, config: Config) -> Config:
        """Keep the config of the run, and give it back: an error is said to be of a part of it."""
        self.config = config
        return config

    @property
    def path(self) -> Path | None:
        """Of the file; None before it is open, and for all ranks but the first."""
        file = self._logger.log_file if self._logger and is_main_process() else None
        return Path(file) if file else None

    def open(self, logger: MMLogger, folder: str) -> None:
        """Take over a runner's logger: it prints no more, and its entries are shown as `notes` says."""
        for handler in list(logger.handlers):
            if type(handler) is logging.StreamHandler:
                logger.removeHandler(handler)
        if ranks.rank() == 0:
            logger.addHandler(self._screen)
        for handler in logger.handlers:
            if isinstance(handler, logging.FileHandler) and isinstance(handler.stream, io.TextIOWrapper):
                handler.stream.reconfigure(errors='backslashreplace')  # a file's name need not be text
                handler.setFormatter(Plain(handler.formatter or logging.Formatter()))
                handler.handleError = self._say_failure  # type: ignore[method-assign]
            OURS.addHandler(handler)
        self._logger, self._folder = logger, Path(folder)
        self.write('')

    def close_screen(self) -> None:
        """From here on, entries go into the file only."""
        if self._logger:
            self._logger.removeHandler(self._screen)
            for handler in [self._screen, *self._logger.handlers]:
                OURS.removeHandler(handler)

    def write(self, text: str) -> int:
        *lines, self._unfinished = (self._unfinished + text).split('\n')
        self._printed += [line for line in lines if line.strip()]
        if self._logger:
            for line in self._printed:
                self._logger.info(line)
            self._printed.clear()
        return len(text)

    def warn(self, message: Warning | str, category: type[Warning], file: str, line: int, *_: Any) -> None:
        """What `warnings.showwarning` does: Python's warnings are about code, and none that the user wrote."""
        self.write(warnings.formatwarning(message, category, file, line))

    def _say_failure(self, record: logging.LogRecord) -> None:
        """What `logging.Handler.handleError` prints a traceback of, for each entry: a full disk is said once."""
        if not self._failed:
            self._failed = True
            say(f'warning: {self.path}: cannot be written: {sys.exc_info()[1]}')

    def keep(self, error: BaseException) -> Path | None:
        """Write an error's traceback; the file it is in, or None where there is no folder for one yet."""
        self.close_screen()
        if self.path and self._logger:
            self._logger.error('the run ended with this error:', exc_info=error)
            return self.path
        if self._folder is None:
            return None
        path = self._folder / f'rank{ranks.rank()}.log'
        text = printable(''.join(traceback.format_exception(error)), kept='\n\t')
        path.write_text(text, 'utf-8', 'backslashreplace')
        return path


@contextmanager
def logged() -> Iterator[Log]:
    """Whatever is printed or warned of goes into the log that comes back, once `build` has opened it."""
    log, level = Log(), OURS.level
    OURS.setLevel(logging.INFO)
    with redirect_stdout(log), warnings.catch_warnings():
        warnings.showwarning = log.warn  # type: ignore[assignment]
        try:
            yield log
        finally:
            log.close_screen()
            OURS.setLevel(level)


class _Explaining:
    """The part of a runner that says which files of the data are not there, and which classes cannot be shown."""

    cfg: Config

    def build_train_loop(self, *args: Any, **options: Any) -> Any:
        return self._explained('train', *args, **options)

    def build_val_loop(self, *args: Any, **options: Any) -> Any:
        return self._explained('val', *args, **options)

    def build_test_loop(self, *args: Any, **options: Any) -> Any:
        return self._explained('test', *args, **options)

    def _explained(self, part: str, *args: Any, **options: Any) -> Any:
        with explained(self.cfg, f'{part}_dataloader'):
            loop = getattr(super(), f'build_{part}_loop')(*args, **options)  # the runner's
        require_plain_classes(loop.dataloader.dataset)
        return loop


class _Keeping:
    """The part of a runner that keeps the config beside the checkpoints, but never in place of the one given."""

    cfg: Config
    work_dir: str

    def dump_config(self) -> None:
        given = self.cfg.filename
        if given and os.path.realpath(Path(self.work_dir, Path(given).name)) == os.path.realpath(given):
            if is_main_process():
                self.cfg.dump(str(kept_config(self)))
        else:
            super().dump_config()  # type: ignore[misc]  # the runner's


def build_plain(config: Config) -> Runner:
    """The config's runner with mmengine's own output; a custom `runner_type` is kept."""
    kind = _kind_of(config)
    return type(kind.__name__, (_Keeping, kind), {}).from_cfg(config)  # type: ignore[attr-defined]


def _kind_of(config: Config) -> Any:
    kind = config.get('runner_type', 'Runner')
    if isinstance(kind, str):
        with RUNNERS.switch_scope_and_registry(config.default_scope) as registry:
            kind = registry.get(kind)
        if kind is None:
            raise ConfigError(f'runner_type={config.runner_type!r} given, and no such runner is registered')
    return kind


def build(config: Config, log: Log) -> Runner:
    """The config's runner, of its own kind, with its output in `log`; a custom `runner_type` is kept."""

    class Quiet(_Explaining, _Keeping, _kind_of(config)):  # type: ignore[misc]
        """A runner with another console, and with care for the user's files and time."""

        def build_logger(self, *args: Any, **options: Any) -> MMLogger:
            logger: MMLogger = super().build_logger(*args, **options)
            log.open(logger, self.log_dir)
            return logger

        def build_train_loop(self, *args: Any, **options: Any) -> BaseLoop:
            loop: BaseLoop = super().build_train_loop(*args, **options)
            _require_batches(loop)
            return loop

        def load_checkpoint(self, filename: str, *args: Any, **options: Any) -> Any:
            filename = _intact(filename)
            try:
                checkpoint = super().load_checkpoint(filename, *args, **options)
            except UnpicklingError as error:
                read_checkpoint(filename)  # says what is wrong with it, unless mmengine's own histories are
                raise CheckpointError(
                    f"{filename}: holds histories of mmengine's logger, which torch refuses to load; expected a "
                    "checkpoint written with dict(type='mobileone_mm.PlainCheckpointHook') in custom_hooks"
                ) from error
            require_fit(self, filename, checkpoint)
            return checkpoint

    return Quiet.from_cfg(config)


def _intact(filename: str) -> str:
    """The local file that a checkpoint's name or URL means, undamaged; mmengine knows other stores, which it reads."""
    if '://' in filename and not filename.startswith(READ_URLS):
        return filename
    path = local_file(filename)
    require_intact(path)
    require_end(path)
    return str(path)


def kept_config(runner: Any) -> Path:
    """Where a run keeps the config it was made from, with every option in it."""
    name = Path(runner.cfg.filename).name
    path = Path(runner.work_dir, name)
    return Path(runner.log_dir, name) if os.path.realpath(path) == os.path.realpath(runner.cfg.filename) else path


def require_fit(runner: Runner, filename: str, checkpoint: Mapping[str, Any]) -> None:
    """Refuse to test a model that a checkpoint fills in part; before training, only warn of it.

    mmengine prints what does not fit, and goes on.

    Raises:
        CheckpointError: an entry of the model that is to be tested is missing, or has another shape; or one is no dense
            array of real numbers, which mmengine leaves out, or a part of which it reads.
    """
    expected, given = (
        {PREFIX.sub('', key): value for key, value in state.items()}
        for state in (unwrapped(runner.model).state_dict(), checkpoint.get('state_dict', checkpoint))
    )
    if Path(filename).is_file():
        try:
            tensors = {key: value for key, value in given.items() if isinstance(value, Tensor)}
            matching.require_dense(tensors, Path(filename).stat().st_size)
        except CheckpointError as error:
            raise CheckpointError(f'{filename}: {error}') from error
    training = isinstance(runner._train_loop, BaseLoop)
    # A model may leave out what only training needs, such as an auxiliary head.
    faults = matching.faults(expected, given if training else {key: given[key] for key in given if key in expected})
    if faults and not training:
        raise CheckpointError(f'{filename}: does not fit the config: {"; ".join(faults)}')
    if faults:
        runner.logger.warning(f'{filename}: does not fit the config: {"; ".join(faults)}')


def _require_batches(loop: BaseLoop) -> None:
    """Refuse a training without steps before mmengine divides by their number.

    Raises:
        DataError: the data set makes no whole batch and `drop_last` drops the rest.
    """
    # A sampler that goes round and round fills any batch.
    if isinstance(loop, EpochBasedTrainLoop) or isinstance(loop.dataloader.sampler, DefaultSampler):
        require_batches(loop.dataloader)
