"""Detections as mmdet's metrics take them."""

import copy
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from mmengine.evaluator import Evaluator
from mmengine.structures import InstanceData

from mobileone_mm.openmmlab.test_data import Samples
from mobileone_mm.tasks.detection.detections import Detections
from mobileone_mm.tasks.detection.rows import in_pixels

OWN_RULE = "mmdet's suppression"
EXPORTED_RULE = "Core ML's suppression"


def rule_change(classes: int) -> str:
    """What Core ML's suppression does otherwise than mmdet's, for a detector of so many classes."""
    label = 'a box has one label, not one for each class that it is sure of; ' if classes > 1 else ''
    return f'{label}boxes are clipped to the picture after it, not before; all take part, not the nms_pre best'


def to_sample(found: Detections, data_sample: Any) -> Any:
    """A copy of a `DetDataSample` with what was found in its picture, in px of the picture's original size."""
    from mmdet.models.utils import samplelist_boxtype2tensor  # late: who scores nothing needs no mmdet

    sample = copy.deepcopy(data_sample)
    samplelist_boxtype2tensor([sample])  # as mmdet's preprocessor does, for metrics
    height, width = sample.ori_shape
    sample.pred_instances = InstanceData(
        bboxes=torch.from_numpy(in_pixels(found.boxes, (width, height))).float(),
        scores=torch.from_numpy(found.scores).float(),
        labels=torch.from_numpy(found.labels),
    )
    return sample


def limit_metric(evaluator: Evaluator, samples: Samples) -> None:
    """Have COCO metrics count the pictures that are used, in place; else those not seen would count as missed."""
    from mmdet.evaluation import CocoMetric  # late, as above

    used = [samples.dataset.get_data_info(index)['img_id'] for index in range(samples.count)]
    for judge in evaluator.metrics:
        if isinstance(judge, CocoMetric):
            judge.img_ids = used


def evaluated(evaluator: Evaluator, count: int, classes: Sequence[str]) -> tuple[dict[str, float], Mapping[str, float]]:
    """The metrics of `count` pictures, and of each class alone its AP over the metric's IoU thresholds.

    COCO's and VOC's metrics know the latter; NaN stands for a class that is in none of the pictures.
    """
    from mmdet.evaluation import CocoMetric, VOCMetric  # late, as above

    of_classes: dict[str, float] = {}
    for judge in evaluator.metrics:
        if isinstance(judge, CocoMetric):
            judge.classwise = True
        elif isinstance(judge, VOCMetric) and judge.metric == 'mAP' and judge.scale_ranges is None:
            of_classes |= _voc_classes(judge, classes)  # before it is evaluated, which forgets the predictions
    metrics: dict[str, float] = dict(evaluator.evaluate(count))
    for judge in evaluator.metrics:
        if isinstance(judge, CocoMetric):
            of_classes |= _coco_classes(judge, metrics, classes)
    return metrics, of_classes


def _coco_classes(judge: Any, metrics: dict[str, float], classes: Sequence[str]) -> dict[str, float]:
    """The AP of each class alone, taken out of the metrics."""
    names = {'/'.join(filter(None, [judge.prefix, f'{name}_precision'])): name for name in classes}
    found = {names[key]: float(metrics.pop(key)) for key in [*metrics] if key in names}
    if len(found) != len(judge.cat_ids or ()):  # two categories of one name
        return {}
    # mmdet names them in the order of `cat_ids`, that of the annotation file, but pycocotools gives them by rising id.
    name_of = dict(zip(judge.cat_ids or (), found, strict=True))
    return {name_of[number]: value for number, value in zip(sorted(name_of), found.values(), strict=True)}


def _voc_classes(judge: Any, classes: Sequence[str]) -> dict[str, float]:
    """What mmdet's VOCMetric takes the mean of."""
    from mmdet.evaluation import eval_map

    truths, found = zip(*judge.results, strict=True)
    results = [
        eval_map(
            found,
            truths,
            iou_thr=threshold,
            logger='silent',
            eval_mode=judge.eval_mode,
            use_legacy_coordinate=True,
        )[1]
        for threshold in judge.iou_thrs
    ]
    return {
        name: float(np.mean([of_class['ap'] for of_class in of_name])) if of_name[0]['num_gts'] else math.nan
        for name, of_name in zip(classes, zip(*results, strict=True), strict=True)
    }
