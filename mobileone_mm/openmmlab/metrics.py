"""Metrics as their packages say them: a fraction of 1, or points of 100; and the one that counts first."""

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

# What the metrics of mmdet that give fractions of 1 call them. mmseg's and mmpretrain's are points of 100 (mIoU 74.1),
# and a value says nothing of its unit: an mIoU of 0.7 is 0.7 points.
FRACTION = re.compile(
    r'(coco|lvis|pascal_voc|openimages|cityscapes|youtube_vis)/'
    r'(\w*AP(@?\d+)?(_\w+)?|AR(_\w)?@\d+|recall@[\d.@]+|.*_precision)'
)
CLASSWISE = '_precision'  # mmdet's ending for the average precision of one class
VOC_MEAN, VOC_AT = 'pascal_voc/mAP', re.compile(r'pascal_voc/AP\d+')  # over all IoU thresholds, and at one of them


def value(key: str, given: Any) -> str:
    """A metric as text; '-' where there was nothing to measure, which COCO's say by -1 and others by NaN."""
    number = float(given)
    if not math.isfinite(number) or (is_fraction(key) and number < 0):
        return '-'
    return number_of(number, not is_fraction(key))


def number_of(score: float, percent: bool) -> str:
    """A score as text, to a hundredth of a point: 0.6184, or 61.84 of a metric in percent."""
    return f'{score:.{2 if percent else 4}f}'


def is_fraction(key: str) -> bool:
    """Whether a metric of this name is a fraction of 1."""
    return FRACTION.fullmatch(key) is not None


def name(key: str) -> str:
    """A metric's own name, without the name of what computes it."""
    return key.rpartition('/')[2]


def numbers(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """The metrics that are one number, those of single classes last; the rest (tables, lists) is left to the log."""
    single = {key: given for key, given in without_copies(metrics).items() if _is_number(given)}
    return dict(sorted(single.items(), key=lambda item: item[0].endswith(CLASSWISE)))


def without_copies(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """The metrics without a second name of one: the AP at VOC's one IoU threshold is its mean, rounded by mmdet."""
    at_one = [key for key in metrics if VOC_AT.fullmatch(key)]
    copies = at_one if VOC_MEAN in metrics and len(at_one) == 1 else []
    return {key: given for key, given in metrics.items() if key not in copies}


def main(metrics: Mapping[str, Any], save_best: Iterable[str]) -> str | None:
    """The metric that counts: the one that the best checkpoint is saved by, else the first; None if there is none."""
    known = numbers(metrics)
    return next((key for key in save_best if key in known), next(iter(known), None))


def table(metrics: Mapping[str, Any]) -> str:
    """All metrics that are one number, a line each."""
    known = numbers(metrics)
    width = max(map(len, known), default=0)
    return '\n'.join(f'{key:{width}}  {value(key, given):>7}' for key, given in known.items())


def _is_number(given: Any) -> bool:
    try:
        float(given)
    except (TypeError, ValueError):
        return False
    return not isinstance(given, str)
