"""What is kept of a training while it runs, for its page."""

import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import torch
from mmengine.dataset import DefaultSampler
from mmengine.dist import get_world_size
from mmengine.runner import EpochBasedTrainLoop, Runner

from mobileone_mm.atomic import replacing, require_writable
from mobileone_mm.errors import counted
from mobileone_mm.evaluation.judgement import Judgement
from mobileone_mm.openmmlab import configs, metrics
from mobileone_mm.openmmlab.best import best_of, saved_by
from mobileone_mm.openmmlab.log_processor import LogProcessor
from mobileone_mm.outputs import TRAINING
from mobileone_mm.tasks.by_name import TASKS, task_named
from mobileone_mm.watching.batches import FirstBatches
from mobileone_mm.watching.curves import curves_of, logged
from mobileone_mm.watching.page import Training, page

MOST_PICTURES = 8  # of a validation, the worst
FAR = 12 * 3600  # seconds; an end that is further away has a date
CLOCK = '%Y-%m-%d %H:%M:%S'


class Record:
    """Keeps what the page about a training shows, and writes it.

    Args:
        runner: of a training that is about to begin, or to go on.
        path: of the page.

    Attributes:
        done: steps of the whole training so far.

    Raises:
        UsageError: what stands at the path is no page about a training.
    """

    def __init__(self, runner: Runner, path: Path) -> None:
        require_writable(path, TRAINING)
        self.done = self._begun = int(runner.iter)
        self._path, self._began, self._start = path, time.strftime(CLOCK), time.monotonic()
        scope = runner.cfg.get('default_scope')
        self._task = configs.TASKS.get(scope, '') if configs.TASKS.get(scope) in TASKS else ''
        self._steps = len(runner.train_dataloader) if isinstance(runner.train_loop, EpochBasedTrainLoop) else None
        self._batches = FirstBatches(self._task, _metainfo(runner.train_dataloader)) if self._task else None
        self._judgement: Judgement | None = None  # of the validation that runs
        self._judged: tuple[Judgement, str] | None = None  # of the last one that is over, and its place
        self._metrics: Mapping[str, Any] = {}

    @property
    def wants_batches(self) -> bool:
        """Whether another batch is to be drawn."""
        return self._batches is not None and not self._batches.full

    def add_batch(self, batch: Any) -> None:
        """Draw a batch that is about to be trained on."""
        if self._batches is not None:
            self._batches.add(batch)

    def begin_validation(self, runner: Runner) -> None:
        """Expect the predictions of a validation."""
        self._judgement = None
        classes = _metainfo(runner.val_dataloader).get('classes') if self._task else None
        if classes:
            self._judgement = Judgement(task_named(self._task).judging, classes, MOST_PICTURES)

    def add_found(self, runner: Runner, batch_idx: int, samples: Sequence[Any]) -> None:
        """Judge the predictions of a batch: data samples, as the model gives them."""
        if self._judgement is None:
            return
        loader = runner.val_dataloader
        ranks = get_world_size()
        for number, sample in enumerate(samples, batch_idx * int(loader.batch_size or 1)):
            entry = _entry(loader, number * ranks, sample)
            if entry is not None:
                self._judgement.add(entry, sample.cpu())

    def end_validation(self, found: Mapping[str, Any]) -> None:
        """Keep what a validation gave."""
        self._metrics = found
        if self._judgement is not None and self._judgement.pictures:
            self._judged = self._judgement, self._place()
        self._judgement = None

    def write(self, runner: Runner, over: bool) -> None:
        """Write the page as it is now."""
        html = page(self._training(runner, over))
        with replacing(self._path, TRAINING) as fresh:
            fresh.write_text(html, encoding='utf-8')

    def _training(self, runner: Runner, over: bool) -> Training:
        best = best_of(runner)
        paths = {'Config': runner.cfg.filename, 'Checkpoints and logs': runner.work_dir}
        judgement, judged = self._judged or (None, '')
        return Training(
            name=Path(runner.cfg.filename or 'training').stem,
            task=self._task,
            place=self._far(runner, over),
            over=over,
            unit=self._unit,
            facts=self._facts(runner, over),
            paths={title: Path(path) for title, path in paths.items() if path},
            curves=curves_of(logged(Path(runner.log_dir), self._begun), self._steps),
            window=self._window(runner),
            main=metrics.main(self._metrics, saved_by(runner)),
            best=f'{best.metric} {best.value} ({best.path.name})' if best else '',
            batches=self._batches.drawn() if self._batches else None,
            judgement=judgement,
            judged=judged,
            notes=[self._batches.lacking] if self._batches and self._batches.lacking else [],
        )

    def _window(self, runner: Runner) -> int:
        """Steps that a logged loss is the mean of."""
        log = runner.log_processor
        return log.window_of(self._steps) if self._steps and isinstance(log, LogProcessor) else int(log.window_size)

    @property
    def _unit(self) -> str:
        return 'step' if self._steps is None else 'epoch'

    def _place(self) -> str:
        """The step or epoch that training is in."""
        return f'{self._unit} {self.done if self._steps is None else -(-self.done // self._steps)}'

    def _far(self, runner: Runner, over: bool) -> str:
        whole = runner.max_iters if self._steps is None else runner.max_epochs
        far = f'{"Ended after" if over else "Training:"} {self._place()} of {whole}'
        steps, left = self.done - self._begun, runner.max_iters - self.done
        if over or not (steps and left):
            return far
        seconds = (time.monotonic() - self._start) / steps * left
        end = datetime.now().astimezone() + timedelta(seconds=seconds)
        return f'{far}, until about {end:%H:%M}' if seconds < FAR else f'{far}, until about {end:%Y-%m-%d %H:%M}'

    def _facts(self, runner: Runner, over: bool) -> list[tuple[str, str, str]]:
        validation = f', {len(runner.val_dataloader.dataset)} for validation' if runner.val_loop else ''
        length = counted(runner.max_iters, 'step')
        if self._steps is not None:
            length = f'{counted(runner.max_epochs, "epoch")} of {counted(self._steps, "step")}'
        device = next(runner.model.parameters()).device
        return [
            ('Pictures', f'{len(runner.train_dataloader.dataset)} for training{validation}', ''),
            ('Length', length, ''),
            ('Device', torch.cuda.get_device_name(device) if device.type == 'cuda' else device.type.upper(), ''),
            ('Ended' if over else 'As of', time.strftime(CLOCK), f'begun {self._began}'),
        ]


def _metainfo(loader: Any) -> Mapping[str, Any]:
    found: Mapping[str, Any] = getattr(loader.dataset, 'metainfo', None) or {}
    return found


def _entry(loader: Any, index: int, sample: Any) -> Mapping[str, Any] | None:
    """What the data set says of a picture of the validation; None where it cannot be told which one it is."""
    sampler, dataset = loader.sampler, loader.dataset
    if not isinstance(sampler, DefaultSampler) or sampler.shuffle or index >= len(dataset):
        return None
    entry: Mapping[str, Any] = dataset.get_data_info(index)
    same = entry.get('img_path') == getattr(sample, 'img_path', None)
    return entry if same else None
