"""The AP of each class alone, from the metrics of COCO and VOC, against boxes whose AP can be told by counting."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from mmdet.evaluation import CocoMetric, VOCMetric
from mmengine.evaluator import BaseMetric, Evaluator

from mobileone_mm.tasks.detection.metric import evaluated

CLASSES = ('found', 'half found', 'missed', 'nowhere')
SIDE = 100  # px of a picture
BOXES = [[10, 10, 40, 40], [50, 50, 90, 90]]  # x1, y1, x2, y2 in px, one class each time both
COCO_HALF = 51 / 101  # of its recalls 0, 0.01 ... 1, those up to a half have precision 1, the others 0
COCO_DIGITS = 1e-3  # its metrics are rounded so


def samples() -> list[dict[str, Any]]:
    """A picture a class, with two boxes of it but for the last one, and what was found of them."""
    shown = []
    for label, found in enumerate((2, 1, 0)):
        boxes = torch.tensor(BOXES, dtype=torch.float32)
        labels = torch.full((2,), label)
        shown.append(
            {
                'img_id': label,
                'ori_shape': (SIDE, SIDE),
                'gt_instances': {'bboxes': boxes, 'labels': labels},
                'ignored_instances': {'bboxes': torch.zeros(0, 4), 'labels': torch.zeros(0, dtype=torch.long)},
                'pred_instances': {
                    'bboxes': boxes[:found],
                    'labels': labels[:found],
                    'scores': torch.tensor([0.9, 0.8])[:found],
                },
            }
        )
    return shown


def coco_metric(folder: Path, ids: Sequence[int] = (1, 2, 3, 4)) -> CocoMetric:
    annotations = [
        {'image_id': label, 'category_id': ids[label], 'bbox': [x1, y1, x2 - x1, y2 - y1], 'area': 900, 'iscrowd': 0}
        for label in range(3)
        for x1, y1, x2, y2 in BOXES
    ]
    told = {
        'images': [{'id': label, 'width': SIDE, 'height': SIDE} for label in range(3)],
        'annotations': [{'id': index, **one} for index, one in enumerate(annotations, 1)],
        'categories': [{'id': number, 'name': name} for number, name in zip(ids, CLASSES, strict=True)],
    }
    (folder / 'truth.json').write_text(json.dumps(told))
    return CocoMetric(ann_file=str(folder / 'truth.json'), metric='bbox')


def judged(metric: BaseMetric, shown: Sequence[dict[str, Any]]) -> tuple[Mapping[str, float], Mapping[str, float]]:
    evaluator = Evaluator(metric)
    evaluator.dataset_meta = {'classes': CLASSES}
    evaluator.process(shown)
    return evaluated(evaluator, len(shown), CLASSES)


@pytest.mark.parametrize(('mode', 'half'), [('area', 1 / 2), ('11points', 6 / 11)])
@pytest.mark.parametrize('thresholds', [[0.5], [0.5, 0.9]])
def test_voc(mode: str, half: float, thresholds: list[float]) -> None:
    metrics, classes = judged(VOCMetric(iou_thrs=thresholds, eval_mode=mode), samples())
    assert list(classes) == list(CLASSES)
    assert [classes[name] for name in CLASSES[:3]] == pytest.approx([1, half, 0])
    assert math.isnan(classes['nowhere'])
    assert metrics['pascal_voc/mAP'] == pytest.approx((1 + half) / 3)  # of those that are in the pictures
    assert set(metrics) == {'pascal_voc/mAP', *(f'pascal_voc/AP{100 * one:.0f}' for one in thresholds)}


@pytest.mark.parametrize('ids', [(1, 2, 3, 4), (9, 8, 7, 1), (5, 90, 2, 30)])
def test_coco(ids: Sequence[int], tmp_path: Path) -> None:
    metrics, classes = judged(coco_metric(tmp_path, ids), samples())
    assert set(classes) == set(CLASSES)
    assert [classes[name] for name in CLASSES[:3]] == pytest.approx([1, COCO_HALF, 0], abs=COCO_DIGITS)
    assert math.isnan(classes['nowhere'])
    assert metrics['coco/bbox_mAP'] == pytest.approx((1 + COCO_HALF) / 3, abs=COCO_DIGITS)
    assert not {key for key in metrics if 'precision' in key}


def test_a_metric_without_predictions_has_no_classes(tmp_path: Path) -> None:
    nothing = [{**one, 'pred_instances': {k: v[:0] for k, v in one['pred_instances'].items()}} for one in samples()]
    assert judged(coco_metric(tmp_path), nothing) == ({}, {})
    assert list(judged(VOCMetric(), nothing)[1].values())[:3] == [0, 0, 0]
