"""Class maps judged by masks: which pixels are wrong, and which classes are mixed up.

Letters: C classes.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from mobileone_mm.pictures.colours import distinct_colours
from mobileone_mm.pictures.reading import Picture
from mobileone_mm.tasks.judging import Counts, Judged, Judging, pairs_of, ratios
from mobileone_mm.tasks.ranked import Ranked
from mobileone_mm.tasks.segmentation.classes import ClassMap, truth
from mobileone_mm.tasks.segmentation.drawing import drawn_judged


def _judge(entry: Mapping[str, Any], data_sample: Any, classes: int) -> Judged | None:
    mask = truth(entry, data_sample)
    if mask is None:
        return None
    height, width = mask.classes.shape
    found = ClassMap(data_sample.pred_sem_seg.data[0].cpu().numpy().astype(np.int32))
    annotated, given = mask.classes, found.at((width, height))
    judged = (annotated >= 0) & (annotated < classes)  # what is ignored has no class
    places = annotated[judged].astype(np.int64) * classes + given[judged]
    counts = np.bincount(places, minlength=classes * classes).reshape(classes, classes)
    wrong = judged & (annotated != given)
    share = float(wrong.sum()) / max(1, int(judged.sum()))
    said = f'{100 * share:.1f} % of the annotated pixels wrong'
    return Judged(mask, ClassMap(given), wrong, wrong, pairs_of(counts), share, said)


def _draw(picture: Picture, judged: Judged, classes: Sequence[str]) -> Sequence[tuple[str, Picture, str]]:
    return drawn_judged(picture, judged.truth, judged.found, judged.wrong, classes)


def _scores(counts: Counts, _ranked: Ranked | None) -> npt.NDArray[np.float64]:
    """The IoU of each class, as mmseg's IoUMetric has it."""
    shared = counts.diagonal()
    return ratios(shared, counts.sum(axis=0) + counts.sum(axis=1) - shared)


JUDGING = Judging(
    judge=_judge,
    draw=_draw,
    unit='pixels',
    nothing='',
    score='IoU',
    scores=_scores,
    explained='Pixels that have no class in the masks are left out.',
    worst='those with the largest share of wrong pixels',
    colours=distinct_colours,
    percent=True,
)
