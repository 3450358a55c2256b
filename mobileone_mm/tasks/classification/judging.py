"""Rankings judged by the class of their picture.

Letters: C classes.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from mobileone_mm.pictures.reading import Picture
from mobileone_mm.tasks.classification.drawing import drawn_judged
from mobileone_mm.tasks.classification.ranking import Ranking
from mobileone_mm.tasks.judging import Counts, Judged, Judging, ratios
from mobileone_mm.tasks.ranked import Ranked


def _judge(_entry: Mapping[str, Any], data_sample: Any, classes: int) -> Judged | None:
    labels = [int(label) for label in data_sample.gt_label] if 'gt_label' in data_sample else []
    if len(labels) != 1 or 'pred_score' not in data_sample:  # a picture of several classes has no one right answer
        return None
    known = np.zeros(classes)
    known[labels[0]] = 1.0
    annotated = Ranking(known, known=True)
    found = Ranking(np.asarray(data_sample.pred_score.cpu(), np.float64).ravel())
    pairs = np.array([[annotated.best, found.best, 1]])
    wrong, sure = annotated.best != found.best, float(found.probabilities[found.best])
    ranked = Ranked(np.array([found.best]), np.array([sure]), np.array([not wrong]))
    said = 'wrong class' if wrong else 'right'
    return Judged(annotated, found, wrong, wrong, pairs, sure if wrong else 0.0, said, ranked)


def _draw(picture: Picture, judged: Judged, classes: Sequence[str]) -> Sequence[tuple[str, Picture, str]]:
    return drawn_judged(picture, judged.truth, judged.found, classes)


def _scores(counts: Counts, _ranked: Ranked | None) -> npt.NDArray[np.float64]:
    """F1 of each class: the harmonic mean of its precision and recall."""
    return ratios(2 * counts.diagonal(), counts.sum(axis=0) + counts.sum(axis=1))


JUDGING = Judging(
    judge=_judge,
    draw=_draw,
    unit='pictures',
    nothing='',
    score='F1',
    scores=_scores,
    explained='The most probable class is what counts as found.',
    worst='the most confident mistakes',
    percent=True,
)
