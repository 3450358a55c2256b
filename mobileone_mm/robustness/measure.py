"""Score a classifier on sets of pictures: batches of a test pipeline's items, judged by mmpretrain's own metric."""

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.dataset import Compose
from mmengine.evaluator import Evaluator
from torch.utils.data import DataLoader, Dataset

from mobileone_mm.datasets.corrupt import library
from mobileone_mm.errors import DataError, UsageError, one_line
from mobileone_mm.openmmlab import configs
from mobileone_mm.robustness.results import Part, Results
from mobileone_mm.robustness.scorer import Item, Scorer, Step, open_scorer, pipeline_of
from mobileone_mm.robustness.sets import Choice, Folders, PictureSet, open_sets, pictures_of
from mobileone_mm.robustness.synsets import labels
from mobileone_mm.track import Track, untracked

LOGGER = logging.getLogger(__name__)
BATCH, WORKERS = 32, 0  # where the config's test_dataloader says nothing


@dataclass(frozen=True)
class Unreadable:
    """What stands for an item that the pipeline cannot make, until it reaches the process that can say so."""

    message: str


class Pictures(Dataset[Any]):
    """Picture files and their labels, through a test pipeline."""

    def __init__(self, files: Sequence[tuple[str, int]], pipeline: Sequence[Step]) -> None:
        self._files = files
        self._pipeline = Compose(pipeline)

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, place: int) -> Item | Unreadable:
        path, label = self._files[place]
        try:
            item: Item = self._pipeline({'img_path': path, 'gt_label': label})
        except Exception as error:  # of any kind, for a file that is no picture
            return Unreadable(f'{path}: cannot be read by the test pipeline: {one_line(error)}; fetch the set again')
        return item


def measure(
    config_path: str | Path,
    path: str | Path,
    folders: Folders,
    choice: Choice,
    limit: int | None = None,
    track: Track = untracked,
    config_wins: bool = False,
) -> Results:
    """Score a classifier on the robustness sets of the paper's table 12.

    ImageNet-A and -R have 200 of ImageNet's classes, and the best is looked for among those, as their authors do.

    Args:
        config_path: the classifier's config, with its test pipeline.
        path: its checkpoint, trained or fused, or an artifact made of it.
        folders: where the sets lie.
        choice: what of ImageNet-C is wanted.
        limit: so many pictures of each set, or of each part of ImageNet-C, spread evenly over it.
        track: says how far a set is.
        config_wins: take this config although the checkpoint says that it was trained with another one.

    Raises:
        UsageError: no set is wanted, or the limit is below 1.
        ConfigError: the config is no ImageNet classifier's.
        CheckpointError, ExportError: the model cannot be read.
        DataError: a set is incomplete in a way that no result can say, or a picture cannot be read.
    """
    if limit is not None and limit < 1:
        raise UsageError(f'`limit`: {limit} given, expected a number of pictures from 1')
    sets = open_sets(folders, choice)
    if folders.make:
        library()
    scorer = open_scorer(config_path, path, config_wins)
    many = '1 set' if len(sets) == 1 else f'{len(sets)} sets and parts of sets'
    LOGGER.info('%s, on %s', many, scorer.device)
    parts = []
    for place, one in enumerate(sets, 1):
        part = _measured(scorer, one, limit, track)
        LOGGER.info('%d of %d: %s: top-1 %.2f', place, len(sets), one.title, part.top1)
        parts.append(part)
    return Results(str(config_path), str(path), _variant(scorer), scorer.device, tuple(parts), limit)


def _variant(scorer: Scorer) -> str:
    arch = (scorer.config.model.get('backbone') or {}).get('arch')
    return arch if isinstance(arch, str) else ''


def _measured(scorer: Scorer, one: PictureSet, limit: int | None, track: Track) -> Part:
    found = pictures_of(one)
    every = [(path, label) for label, name in enumerate(one.classes) for path in found[name]]
    count = min(limit or len(every), len(every))
    pipeline = pipeline_of(scorer, one.corruption)
    pictures = Pictures([every[place * len(every) // count] for place in range(count)], pipeline)
    evaluator, columns = Evaluator({'type': 'Accuracy', 'topk': (1, 5)}), labels(one.classes)
    with configs.quiet():
        loader = _loader(scorer, pictures)
        places = [range(start, min(start + _size(scorer), count)) for start in range(0, count, _size(scorer))]
        for _, items in zip(track(places, f'batches of {one.title}'), loader, strict=True):
            for item in items:
                if isinstance(item, Unreadable):
                    raise DataError(item.message)
            with configs.running(scorer.config):
                scores = scorer.score(items)[:, columns]
            judged = [item['data_samples'].set_pred_score(row) for item, row in zip(items, scores, strict=True)]
            evaluator.process(judged)
        metrics = evaluator.evaluate(count)
    lacking = tuple(name for name in one.classes if not found[name])
    return Part(one, count, len(every), lacking, float(metrics['accuracy/top1']), float(metrics['accuracy/top5']))


def _size(scorer: Scorer) -> int:
    return int(scorer.config.test_dataloader.get('batch_size', BATCH))


def _loader(scorer: Scorer, pictures: Pictures) -> DataLoader[Any]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count() or 1
    workers = min(int(scorer.config.test_dataloader.get('num_workers', WORKERS)), cores if cores > 1 else 0)
    return DataLoader(pictures, _size(scorer), num_workers=workers, collate_fn=list)
