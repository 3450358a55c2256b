"""Class maps as mmseg's metrics take them."""

import copy
import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmengine.evaluator import Evaluator
from mmengine.structures import PixelData

from mobileone_mm.openmmlab.test_data import Samples
from mobileone_mm.tasks.segmentation.classes import ClassMap

OWN_RULE = "mmseg's test"
EXPORTED_RULE = 'class map'


def rule_change(_classes: int) -> str:
    """What an exported class map does otherwise than mmseg's own test."""
    return (
        'classes are chosen at the input size and enlarged to the picture, where mmseg enlarges the logits and chooses '
        'then'
    )


def to_sample(found: ClassMap, data_sample: Any) -> Any:
    """A copy of a `SegDataSample` with a class map at its picture's original size."""
    sample = copy.deepcopy(data_sample)
    height, width = sample.ori_shape
    sample.pred_sem_seg = PixelData(data=torch.from_numpy(found.at((width, height)).copy()).long()[None])
    return sample


def limit_metric(_evaluator: Evaluator, _samples: Samples) -> None:
    """Nothing: mmseg's metrics count the pictures that they are given."""


def evaluated(evaluator: Evaluator, count: int, classes: Sequence[str]) -> tuple[dict[str, float], Mapping[str, float]]:
    """The metrics of `count` pictures, and of each class alone its IoU in percent; NaN for a class that is nowhere."""
    from mmseg.evaluation import IoUMetric  # late: who scores nothing needs no mmseg

    of_classes: dict[str, float] = {}
    for judge in evaluator.metrics:
        if isinstance(judge, IoUMetric) and judge.results:
            shared, either, *_ = (sum(parts) for parts in zip(*judge.results, strict=True))
            of_classes = {
                name: 100 * float(one) / float(any_) if any_ else math.nan
                for name, one, any_ in zip(classes, shared, either, strict=True)
            }
    return dict(evaluator.evaluate(count)), of_classes
