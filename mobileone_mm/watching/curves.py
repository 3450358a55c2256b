"""The curves of a training, from the files that mmengine logs to: those of the runs that it goes on from as well."""

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mobileone_mm.openmmlab import metrics
from mobileone_mm.pages.plots import Line

RUN = re.compile(r'[0-9]{8}_[0-9]{6}')  # the folder of a run in a work dir, named after the time that it began
SCALARS = 'vis_data/scalars.json'  # in that folder, a line of JSON an entry: of mmengine's LocalVisBackend
OF_THE_RUN = ('time', 'data_time', 'step', 'iter', 'epoch', 'memory')  # in an entry, and no result
LOSS, RATE = re.compile(r'(^|\.)[^.]*loss[^.]*$'), re.compile(r'(^|[./])lr$')
MOST_POINTS = 400  # of a curve; of more, each is the mean of several

Points = tuple[list[float], list[float]]  # places, in epochs or else in steps, and values


@dataclass(frozen=True)
class Entry:
    """A line of the log.

    Attributes:
        step: of the training, from 1; of a validation, the last one that was logged before it.
        epoch: that the step lies in, from 1; None where the log does not count epochs.
        validated: whether it holds what a validation gave, and not what a step did.
        values: numbers by name.
    """

    step: int
    epoch: int | None
    validated: bool
    values: Mapping[str, float]


@dataclass(frozen=True)
class Curves:
    """What was logged so far, by name.

    Attributes:
        losses: the whole loss first, then its parts.
        rates: learning rates.
        results: what validations gave.
    """

    losses: Mapping[str, Points]
    rates: Mapping[str, Points]
    results: Mapping[str, Points]


def logged(log_dir: Path, begun: int) -> list[Entry]:
    """What was logged of a training, of earlier runs too.

    Args:
        log_dir: the folder of the run, in its work dir.
        begun: the step after which the run began: 0, or that of the checkpoint from which it goes on.
    """
    entries: list[Entry] = []
    for folder in _earlier(log_dir) if begun else ():
        entries = _followed(entries, list(_entries(folder / SCALARS)))
    return [entry for entry in entries if entry.step <= begun] + list(_entries(log_dir / SCALARS))


def _earlier(log_dir: Path) -> list[Path]:
    runs = [folder for folder in log_dir.parent.iterdir() if RUN.fullmatch(folder.name)]
    return sorted(folder for folder in runs if folder.name < log_dir.name)


def _followed(entries: Sequence[Entry], later: Sequence[Entry]) -> list[Entry]:
    """Entries without those that a later run has computed again, and the later ones."""
    return [entry for entry in entries if not later or entry.step < later[0].step] + list(later)


def _entries(path: Path) -> Iterator[Entry]:
    step, epoch = 0, None
    for line in path.read_text('utf-8', 'replace').splitlines() if path.is_file() else ():
        try:
            given: Any = json.loads(line)
        except ValueError:  # a process was killed while it wrote the line
            continue
        if not isinstance(given, dict):
            continue
        trained = 'iter' in given
        if trained:
            step, epoch = int(given['step']), given.get('epoch')
        elif epoch is None:  # of a validation, mmengine logs the step, or else the epoch
            step = max(step, int(given.get('step', 0)))
        values = {key: float(value) for key, value in metrics.numbers(given).items() if key not in OF_THE_RUN}
        yield Entry(step, epoch, not trained, values)


def curves_of(entries: Sequence[Entry], steps: int | None) -> Curves:
    """Entries as curves.

    Args:
        entries: of a training.
        steps: of an epoch; None where the training counts in steps.
    """
    losses: dict[str, Points] = {}
    rates: dict[str, Points] = {}
    results: dict[str, Points] = {}
    for entry in entries:
        place = float(entry.step) if steps is None else entry.step / steps
        if entry.validated:
            place = float(entry.epoch) if steps is not None and entry.epoch is not None else place
        for key, value in entry.values.items():
            if entry.validated:
                kind, value = results, math.nan if metrics.value(key, value) == '-' else value
            elif LOSS.search(key):
                kind = losses
            elif RATE.search(key):
                kind = rates
            else:
                continue
            x, y = kind.setdefault(key, ([], []))
            x.append(place)
            y.append(value)
    return Curves(dict(sorted(losses.items(), key=lambda item: item[0] != 'loss')), rates, results)


def line_of(name: str, points: Points, said: str, dots: bool = False) -> Line:
    """A curve as a plot shows it: of very many points, the means of neighbours."""
    x, y = (np.array(part, np.float64) for part in points)
    if len(x) > MOST_POINTS:
        bounds = np.linspace(0, len(x), MOST_POINTS + 1).astype(int)[:-1]
        sizes = np.diff([*bounds, len(x)])
        x, y = np.add.reduceat(x, bounds) / sizes, np.add.reduceat(y, bounds) / sizes
    return Line(name, x.tolist(), y.tolist(), said, dots)
