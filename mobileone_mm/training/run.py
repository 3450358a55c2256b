"""`train` and `test`: mmengine's own, with little on the screen and all of it in the log."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import is_zipfile

from mmengine.config import Config
from mmengine.hooks import CheckpointHook, Hook
from mmengine.runner import Runner, find_latest_checkpoint

from mobileone_mm.atomic import is_ours
from mobileone_mm.cli import fact
from mobileone_mm.errors import MobileOneError, interrupted
from mobileone_mm.hooks import AnchorReachHook, PlainCheckpointHook, RandomnessHook, TrainingPageHook
from mobileone_mm.hooks.unwrap import unwrapped
from mobileone_mm.openmmlab import configs
from mobileone_mm.openmmlab.best import Best, best_of
from mobileone_mm.openmmlab.class_weight import require_usable_class_weights
from mobileone_mm.openmmlab.data_sets import PACKED
from mobileone_mm.openmmlab.places import naming, place_of
from mobileone_mm.outputs import TRAINING, TRAINING_PAGE
from mobileone_mm.rooms import no_space
from mobileone_mm.training import notes, quiet, ranks, settings
from mobileone_mm.training.face import TestFace, TrainingFace
from mobileone_mm.training.quiet import Log
from mobileone_mm.training.settings import Options
from mobileone_mm.weights.init_cfg import leave_out_files

FROM_WORKER = 'Original Traceback'  # in what torch makes of an error in a loader's worker


@dataclass(frozen=True)
class Trained:
    """A training that is over.

    Attributes:
        task: 'detection', 'segmentation' or 'classification'.
        config: what it was made from, every option included.
        last: the last checkpoint; None where none was saved.
        best: the best one, where validation chose one.
        page: about the training; None where none was written.
    """

    task: str
    config: Path
    last: Path | None
    best: Best | None
    page: Path | None


@dataclass(frozen=True)
class Tested:
    """A test that is over: its task, its config with every option included, and all metrics by name."""

    task: str
    config: Path
    metrics: dict[str, Any]


class Interrupted(KeyboardInterrupt):
    """Someone stopped a training.

    Attributes:
        place: the epoch or step it was in; empty before the first.
        saved: the last checkpoint that is there and whole; None before the first of this run.
    """

    def __init__(self, place: str, saved: Path | None) -> None:
        super().__init__()
        self.place, self.saved = place, saved


def train(word: str, options: Options) -> Trained:
    """Train the model of the config that `word` names.

    Raises:
        MobileOneError: whatever went wrong, in a line; of what nobody expected, the log has the traceback.
        Interrupted: by Ctrl-C.
    """
    face, runner = TrainingFace(), None
    with _reported() as log:
        try:
            runner = _runner(log.knows(settings.training_config(word, options)), face, log)
            _prepare_model(runner)
            _add_hooks(runner)
            runner.train()
        except (Exception, KeyboardInterrupt) as error:
            if not interrupted(error):
                raise
            raise Interrupted(face.place, _saved(runner) if runner else None) from None
        finally:
            face.say_line()
        last, best = runner.message_hub.runtime_info.get('last_ckpt'), best_of(runner)
        done = Trained(
            task=configs.task_of(runner.cfg),
            config=quiet.kept_config(runner),
            last=Path(last) if last else None,
            best=best if best and best.path.is_file() else None,  # of a run that went on, it may have gone
            page=page if is_ours(page := Path(runner.work_dir) / TRAINING_PAGE, TRAINING) else None,
        )
    ranks.leave()
    return done


def test(word: str, checkpoint: str, options: Options) -> Tested:
    """Test a checkpoint on the test data of the config that `word` names.

    Raises:
        MobileOneError: whatever went wrong, in a line; of what nobody expected, the log has the traceback.
    """
    with _reported() as log:
        runner = _runner(log.knows(settings.test_config(word, checkpoint, options)), TestFace(), log)
        done = Tested(configs.task_of(runner.cfg), quiet.kept_config(runner), dict(runner.test()))
    ranks.leave()
    return done


def train_plainly(word: str, options: Options) -> None:
    """Train with mmengine's own output and errors."""
    runner = _plain_runner(settings.training_config(word, options))
    _prepare_model(runner)
    _add_hooks(runner)
    runner.train()
    ranks.leave()


def test_plainly(word: str, checkpoint: str, options: Options) -> None:
    """Test with mmengine's own output and errors."""
    _plain_runner(settings.test_config(word, checkpoint, options)).test()
    ranks.leave()


def _plain_runner(config: Config) -> Runner:
    configs.enter_scope(config)
    ranks.join_without_gpu(config)
    return quiet.build_plain(config)


def _runner(config: Config, face: Hook, log: Log) -> Runner:
    first = ranks.rank() == 0
    if first:
        fact('work dir', shown(Path(config.work_dir)))
    configs.enter_scope(config)
    ranks.join_without_gpu(config)
    runner = quiet.build(config, log)
    if first:
        if log.path:
            fact('log', shown(log.path))
        if isinstance(face, TrainingFace):
            face.page = shown(Path(config.work_dir) / TRAINING_PAGE)
        runner.register_hook(face)
    return runner


@contextmanager
def _reported() -> Iterator[Log]:
    with ranks.one_voice(), quiet.logged() as log:
        try:
            yield log
        except MobileOneError as error:
            log.keep(error)
            if FROM_WORKER in str(error):
                raise type(error)(
                    str(error).rpartition(f'{MobileOneError.__module__}.')[2].partition(': ')[2]
                ) from error
            if log.config is None:
                raise
            with naming(log.config):
                raise
        except Exception as error:  # the last line on the screen says what, whatever it was
            if interrupted(error):
                raise KeyboardInterrupt from None
            _require_room(log.config, error)
            file = log.keep(error)
            where = f'the traceback is in {shown(file)}' if file else '`plain` shows the traceback'
            raise MobileOneError(f'{_place(log.config, error)}{_said(error)}; {where}') from error


def _require_room(config: Config | None, error: Exception) -> None:
    """Say of an error that it came from a full disk, where it did: mmengine and torch have many words for that."""
    folder = Path(config.get('work_dir') or '') if config else Path()
    if isinstance(error, OSError | RuntimeError) and folder.name and folder.is_dir():
        reason = no_space(folder)
        if reason is not None:
            raise MobileOneError(
                f'{folder}: cannot be written: {reason}; make room there, or choose another `work_dir`'
            ) from error


def _prepare_model(runner: Runner) -> None:
    """Refuse what would fail at a later step, and read no weights that a checkpoint is about to replace."""
    model = unwrapped(runner.model)
    require_usable_class_weights(model)
    if runner._resume and (runner._load_from or find_latest_checkpoint(runner.work_dir)):
        leave_out_files(model)


def _add_hooks(runner: Runner) -> None:
    """What any training has: checkpoints that torch loads, randomness that goes on where it was, which `--resume`
    needs, a word on what anchors reach, and a page to watch.
    """
    for kind in (PlainCheckpointHook, RandomnessHook, AnchorReachHook, TrainingPageHook):
        if not any(isinstance(hook, kind) for hook in runner.hooks):
            runner.register_hook(kind())


def _saved(runner: Runner) -> Path | None:
    """What `--resume` goes on from: CheckpointHook has a name before there is a file, `last_checkpoint` after."""
    if not any(hook.last_ckpt for hook in runner.hooks if isinstance(hook, CheckpointHook)):
        return None  # what is noted would be of an older run
    named = find_latest_checkpoint(runner.work_dir)
    return Path(named) if named and is_zipfile(named) else None


def _place(config: Config | None, error: Exception) -> str:
    """What an error begins with: the config, and which part of it was at work, where that can be told."""
    place = place_of(config, error) if config else ''
    return f'{config.filename}: {place}: ' if config and place else ''


def _said(error: Exception) -> str:
    text = str(error).strip()
    if FROM_WORKER in text:  # torch's way to pass on what happened in a worker: the last line is the error
        return notes.short_line(text.splitlines()[-1])
    if isinstance(error, KeyError) and error.args in [(key,) for key in PACKED]:
        text += "; has the `pipeline` of the `dataset` a step that packs, such as mmdet's PackDetInputs, as its last?"
    return notes.short_line(f'{type(error).__name__}: {text}' if text else type(error).__name__)


def shown(path: Path) -> Path:
    """A path as short as it can be typed here."""
    here, path = Path.cwd(), Path(os.path.abspath(path))
    return path.relative_to(here) if path.is_relative_to(here) else path
