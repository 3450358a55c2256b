"""Detections as mmdet's metrics take them."""

import copy
from typing import Any

import torch
from mmengine.evaluator import Evaluator
from mmengine.structures import InstanceData

from mobileone_mm.openmmlab.test_data import Samples
from mobileone_mm.tasks.detection.detections import Detections
from mobileone_mm.tasks.detection.rows import in_pixels

# Core ML's suppression gives a box one label; mmdet's own counts a box once for each class that it is sure of.
OWN_RULE = 'several labels a box (mmdet)'
EXPORTED_RULE = 'one label a box (Core ML)'


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
