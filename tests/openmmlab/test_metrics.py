"""Metrics as their packages say them: fractions of 1 with as many digits as points of 100 have."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from mmdet.evaluation import CocoMetric, VOCMetric
from mmengine.structures import PixelData
from mmpretrain.evaluation import Accuracy, SingleLabelMetric
from mmpretrain.structures import DataSample
from mmseg.evaluation import IoUMetric
from mmseg.structures import SegDataSample

from mobileone_mm.openmmlab import metrics

CLASSES = ('cat', 'dog')


@pytest.mark.parametrize(
    ('key', 'given', 'text'),
    [
        ('coco/bbox_mAP', 0.622, '0.6220'),
        ('coco/bbox_mAP_50', np.float64(0.5), '0.5000'),
        ('coco/segm_mAP_s', 0.0, '0.0000'),
        ('coco/AR@100', 0.41, '0.4100'),
        ('coco/AR_s@1000', 0.2, '0.2000'),
        ('coco/traffic light_precision', 0.031, '0.0310'),
        ('coco/bbox_mAP_l', -1.0, '-'),
        ('coco/dog_precision', math.nan, '-'),
        ('coco/occluded_recall', 33.3, '33.30'),
        ('coco_panoptic/PQ', 41.2, '41.20'),
        ('pascal_voc/mAP', torch.tensor(0.25), '0.2500'),
        ('pascal_voc/AP50', 0.251, '0.2510'),
        ('pascal_voc/recall@100@0.5', 0.75, '0.7500'),
        ('lvis/bbox_AP_r', 0.1, '0.1000'),
        ('mIoU', 74.1, '74.10'),
        ('mIoU', 0.74, '0.74'),
        ('aAcc', 100.0, '100.00'),
        ('accuracy/top1', 76.543, '76.54'),
        ('single-label/precision', 50.0, '50.00'),
        ('multi-label/mAP', 81.0, '81.00'),
        ('mine/score', 0.5, '0.50'),
        ('val_loss', 1.25, '1.25'),
    ],
)
def test_fractions_stay_fractions_and_points_points(key: str, given: Any, text: str) -> None:
    assert metrics.value(key, given) == text


def voc_metric() -> dict[str, float]:
    box, label = torch.tensor([[10.0, 10.0, 30.0, 30.0]]), torch.tensor([1])
    sample = {
        'gt_instances': {'bboxes': box, 'labels': label},
        'ignored_instances': {'bboxes': torch.zeros(0, 4), 'labels': torch.zeros(0)},
        'pred_instances': {'bboxes': box, 'labels': label, 'scores': torch.ones(1)},
    }
    return evaluated(VOCMetric(), sample)


def iou_metric() -> dict[str, float]:
    mask = PixelData(data=torch.tensor([[[0, 1], [1, 0]]]))
    return evaluated(IoUMetric(), SegDataSample(gt_sem_seg=mask, pred_sem_seg=mask).to_dict())


def accuracy() -> dict[str, float]:
    return evaluated(Accuracy(), labelled())


def single_label() -> dict[str, float]:
    return evaluated(SingleLabelMetric(average='micro'), labelled())


def labelled() -> dict[str, Any]:
    sample = DataSample().set_gt_label(1).set_pred_score(torch.tensor([0.0, 1.0])).set_pred_label(1)
    labelled: dict[str, Any] = sample.to_dict() | {'num_classes': 2}
    return labelled


def evaluated(metric: Any, sample: Any) -> dict[str, float]:
    metric.dataset_meta = {'classes': CLASSES}
    metric.process({}, [sample])
    found: dict[str, float] = metric.evaluate(1)
    return found


@pytest.mark.parametrize(
    ('perfect', 'text'),
    [(voc_metric, '1.0000'), (iou_metric, '100.00'), (accuracy, '100.00'), (single_label, '100.00')],
)
def test_all_is_found_is_one_or_a_hundred_points_by_the_package(perfect: Any, text: str) -> None:
    found = perfect()
    main = metrics.main(found, ())
    assert main is not None
    assert metrics.value(main, found[main]) == text


def test_the_names_are_those_of_mmdet() -> None:
    assert metrics.is_fraction(f'{CocoMetric.default_prefix}/bbox_mAP')
    assert metrics.is_fraction(f'{VOCMetric.default_prefix}/mAP')


FOUND = {
    'coco/dog_precision': 0.5,
    'coco/bbox_mAP': 0.25,
    'coco/bbox_mAP_50': 0.5,
    'confusion_matrix/result': torch.ones(2, 2),
    'classwise': [1.0, 2.0],
    'name': '3',
}


@pytest.mark.parametrize(
    ('save_best', 'main'),
    [
        ((), 'coco/bbox_mAP'),
        (('coco/bbox_mAP_50',), 'coco/bbox_mAP_50'),
        (('coco/dog_precision', 'coco/bbox_mAP'), 'coco/dog_precision'),
        (('auto',), 'coco/bbox_mAP'),
    ],
)
def test_what_the_best_is_saved_by_counts(save_best: tuple[str, ...], main: str) -> None:
    assert metrics.main(FOUND, save_best) == main


def test_nothing_found_has_no_main_metric() -> None:
    assert metrics.main({}, ('coco/bbox_mAP',)) is None


def test_a_table_has_the_single_numbers_classes_last() -> None:
    assert metrics.table(FOUND).splitlines() == [
        'coco/bbox_mAP        0.2500',
        'coco/bbox_mAP_50     0.5000',
        'coco/dog_precision   0.5000',
    ]
    assert metrics.table({'mIoU': 74.1}) == 'mIoU    74.10'


def test_vocs_ap_at_its_only_threshold_is_not_said_twice() -> None:
    rounded = {'pascal_voc/mAP': 0.2502, 'pascal_voc/AP50': 0.25}
    assert metrics.numbers(rounded) == {'pascal_voc/mAP': 0.2502}
    assert metrics.main(rounded, ('pascal_voc/AP50',)) == 'pascal_voc/mAP'
    two = {**rounded, 'pascal_voc/AP75': 0.125}
    assert metrics.numbers(two) == two
    alone = {'pascal_voc/AP50': 0.25}
    assert metrics.numbers(alone) == alone


def test_what_voc_metrics_give_beside_the_mean_is_that_mean() -> None:
    found = voc_metric()
    assert set(found) == {'pascal_voc/mAP', 'pascal_voc/AP50'}
    assert found['pascal_voc/AP50'] == pytest.approx(found['pascal_voc/mAP'], abs=5e-4)
