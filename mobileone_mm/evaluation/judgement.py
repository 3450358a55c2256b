"""The mistakes of a model over many pictures: which classes it mixes up, what it misses, and where it is worst."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mobileone_mm.tasks.judging import Counts, Judged, Judging
from mobileone_mm.tasks.ranked import Ranked, joined

MOST_KEPT = 10  # pictures


@dataclass(frozen=True)
class Worst:
    """A picture with mistakes: its file, and what is wrong."""

    path: Path
    judged: Judged


@dataclass(frozen=True)
class OfClass:
    """The results of a class.

    Attributes:
        name: of the class.
        annotated: how often it is annotated.
        found: how often it was found, rightly or not.
        recall: of the annotated ones, the part that was found as it; NaN where none is annotated.
        precision: of the found ones, the part that is annotated so; NaN where none was found.
        score: 0..1, `Judging.score`; NaN for a class that is nowhere.
    """

    name: str
    annotated: int
    found: int
    recall: float
    precision: float
    score: float


class Judgement:
    """What is known of the mistakes, while pictures are added.

    Args:
        judging: of the task.
        classes: names, in the order of the labels.
        most: how many of the worst pictures are kept.

    Attributes:
        pictures: how many have been judged; such as have no annotations are not.
        counts: of all of them.
        worst: those with most mistakes, the worst first.
    """

    def __init__(self, judging: Judging, classes: Sequence[str], most: int = MOST_KEPT) -> None:
        rows = len(classes) + bool(judging.nothing)
        self.judging, self.classes = judging, tuple(classes)
        self.pictures = 0
        self.counts: Counts = np.zeros((rows, rows), np.int64)
        self.worst: list[Worst] = []
        self._ranked: list[Ranked] = []
        self._most = most

    def add(self, entry: Mapping[str, Any], data_sample: Any) -> None:
        """Judge a picture: by the data set's entry for it, and the data sample that holds what was found in it."""
        judged = self.judging.judge(entry, data_sample, len(self.classes))
        if judged is None:
            return
        self.pictures += 1
        annotated, found, times = judged.pairs.T
        np.add.at(self.counts, (annotated, found), times)
        if judged.ranked is not None:
            self._ranked.append(judged.ranked)
        path = getattr(data_sample, 'img_path', None)
        if judged.faults and path and Path(path).is_file():
            self.worst.append(Worst(Path(path), judged))
            self.worst = sorted(self.worst, key=lambda one: -one.judged.faults)[: self._most]  # stable

    @property
    def ranked(self) -> Ranked | None:
        """All that was found; None where the task does not rank it, or nothing was judged."""
        return joined(self._ranked) if self._ranked else None

    def annotated(self) -> list[int]:
        """How often each class is annotated."""
        found: list[int] = self.counts.sum(axis=1)[: len(self.classes)].tolist()
        return found

    def of_classes(self) -> list[OfClass]:
        """The results of each class."""
        size = len(self.classes)
        right = self.counts.diagonal()[:size]
        annotated, found = self.counts.sum(axis=1)[:size], self.counts.sum(axis=0)[:size]
        with np.errstate(invalid='ignore'):
            recall, precision = right / annotated, right / found
        scores = self.judging.scores(self.counts, self.ranked)
        rows = zip(self.classes, annotated, found, recall, precision, scores, strict=True)
        return [OfClass(name, int(a), int(f), float(r), float(p), float(s)) for name, a, f, r, p, s in rows]

    def confusions(self) -> list[tuple[str, str, int]]:
        """What is annotated, what it was found as, and how often, the most frequent mistakes first."""
        names = [*self.classes, self.judging.nothing]
        wrong = self.counts - np.diag(self.counts.diagonal())
        order = np.argsort(-wrong, axis=None, kind='stable')[: np.count_nonzero(wrong)]
        places = [divmod(int(place), len(wrong)) for place in order]
        return [(names[row], names[column], int(wrong[row, column])) for row, column in places]
