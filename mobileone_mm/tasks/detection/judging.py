"""Detections judged by annotated boxes: which are right, which are missing, and which classes are mixed up.

Letters: T annotated boxes, F found ones, C classes.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from mobileone_mm.pictures.drawing import supervision
from mobileone_mm.pictures.reading import Picture
from mobileone_mm.tasks.detection.agreement import Mask, ious
from mobileone_mm.tasks.detection.detections import SHOWN_SCORE, Detections, truth
from mobileone_mm.tasks.detection.drawing import drawn_judged
from mobileone_mm.tasks.judging import Counts, Judged, Judging, pairs_of
from mobileone_mm.tasks.ranked import Ranked, average_precisions

MATCH_IOU = 0.5  # a box that overlaps an annotated one of its class by as much or more has found it
IGNORED_PART = 0.5  # of a found box that lies in one to be ignored; from there on it is neither right nor wrong


def _judge(entry: Mapping[str, Any], data_sample: Any, classes: int) -> Judged | None:
    annotated = truth(entry, data_sample)
    if annotated is None:
        return None
    found = _without_ignored(_found(data_sample), annotated, _ignored(entry, data_sample))
    partners = _partners(annotated, found)
    shown = found.scores >= SHOWN_SCORE
    counts, missed, wrong = _counts(annotated, found, np.where(shown, partners, -1), shown, classes)
    mixed = int(counts[:classes, :classes].sum() - np.trace(counts[:classes, :classes]))
    lost, more = int(counts[:classes, classes].sum()), int(counts[classes, :classes].sum())
    return Judged(
        annotated,
        found,
        missed,
        wrong,
        pairs_of(counts),
        float(lost + more + mixed),
        _said(lost, more, mixed),
        Ranked(found.labels, found.scores, partners >= 0),
    )


def _found(data_sample: Any) -> Detections:
    """What a host's data sample holds as found, the surest first, as fractions of the picture."""
    given = data_sample.pred_instances.cpu()
    height, width = data_sample.ori_shape
    boxes = np.asarray(getattr(given.bboxes, 'tensor', given.bboxes), np.float64).reshape(-1, 4)
    scores = np.asarray(given.scores, np.float64)
    order = np.argsort(-scores, kind='stable')
    corners = (boxes / (width, height, width, height)).clip(0, 1)
    return Detections(corners[order], scores[order], np.asarray(given.labels, np.int64)[order])


def _ignored(entry: Mapping[str, Any], data_sample: Any) -> npt.NDArray[np.float64]:
    """The boxes that are neither to be found nor wrong: crowds, and what VOC calls difficult."""
    height, width = data_sample.ori_shape
    boxes = [one['bbox'] for one in entry['instances'] if one.get('ignore_flag', 0)]
    found: npt.NDArray[np.float64] = np.array(boxes, np.float64).reshape(-1, 4) / (width, height, width, height)
    return found


def _without_ignored(found: Detections, annotated: Detections, ignored: npt.NDArray[np.float64]) -> Detections:
    if not len(ignored):
        return found
    low = np.maximum(found.boxes[:, None, :2], ignored[:, :2])
    high = np.minimum(found.boxes[:, None, 2:], ignored[:, 2:])
    shared = (high - low).clip(0).prod(axis=-1).max(axis=1)
    areas = (found.boxes[:, 2:] - found.boxes[:, :2]).prod(axis=1)
    kept = (_partners(annotated, found) >= 0) | (shared < IGNORED_PART * areas)
    return Detections(found.boxes[kept], found.scores[kept], found.labels[kept])


def _partners(annotated: Detections, found: Detections) -> npt.NDArray[np.int64]:
    """The annotated box (F,) that each found one has found, -1 for none: the surest first, each box once, as COCO."""
    overlaps = np.where(annotated.labels[:, None] == found.labels, ious(annotated.boxes, found.boxes), 0.0)
    partners = np.full(len(found.labels), -1, np.int64)
    for column in np.flatnonzero(overlaps.max(axis=0, initial=0.0) >= MATCH_IOU):
        row = int(overlaps[:, column].argmax())
        if overlaps[row, column] >= MATCH_IOU:
            partners[column] = row
            overlaps[row] = 0.0
    return partners


def _counts(
    annotated: Detections, found: Detections, partners: npt.NDArray[np.int64], shown: Mask, classes: int
) -> tuple[Counts, Mask, Mask]:
    """The counts (C + 1, C + 1), which annotated boxes (T,) are not found, and which found ones (F,) are wrong."""
    counts = np.zeros((classes + 1, classes + 1), np.int64)
    missed, wrong = np.ones(len(annotated.labels), bool), shown & (partners < 0)
    missed[partners[partners >= 0]] = False
    np.add.at(counts, (annotated.labels[~missed], annotated.labels[~missed]), 1)
    rows, columns = np.flatnonzero(missed), np.flatnonzero(wrong)
    overlaps = ious(annotated.boxes[rows], found.boxes[columns])  # of one class none is left that overlaps enough
    lonely, needless = np.ones(len(rows), bool), np.ones(len(columns), bool)
    while overlaps.max(initial=0.0) >= MATCH_IOU:
        row, column = divmod(int(overlaps.argmax()), overlaps.shape[1])
        counts[annotated.labels[rows[row]], found.labels[columns[column]]] += 1
        lonely[row], needless[column] = False, False
        overlaps[row], overlaps[:, column] = 0.0, 0.0
    np.add.at(counts[:, classes], annotated.labels[rows[lonely]], 1)
    np.add.at(counts[classes], found.labels[columns[needless]], 1)
    return counts, missed, wrong


def _said(missed: int, wrong: int, mixed: int) -> str:
    parts = (missed, 'missed'), (wrong, 'wrongly found'), (mixed, 'taken for another class')
    return ', '.join(f'{count} {what}' for count, what in parts if count) or 'nothing missed, nothing wrongly found'


def _draw(picture: Picture, judged: Judged, classes: Sequence[str]) -> Sequence[tuple[str, Picture, str]]:
    shown = judged.found.scores >= SHOWN_SCORE
    found = Detections(judged.found.boxes[shown], judged.found.scores[shown], judged.found.labels[shown])
    return drawn_judged(picture, judged.truth, judged.missed, found, judged.wrong[shown], classes)


def _scores(counts: Counts, ranked: Ranked | None) -> npt.NDArray[np.float64]:
    annotated = counts[:-1].sum(axis=1)
    assert ranked is not None, 'detections are ranked'
    return average_precisions(ranked, annotated.tolist())


JUDGING = Judging(
    judge=_judge,
    draw=_draw,
    unit='boxes',
    nothing='nothing',
    score='AP50',
    scores=_scores,
    explained=(
        f'A box counts as found if a prediction of its class with a score of {SHOWN_SCORE:g} or more overlaps it with '
        f'an IoU of {MATCH_IOU:g} or more; AP50 takes predictions of any score.'
    ),
    worst='those with the most mistakes',
    require=supervision,
)
