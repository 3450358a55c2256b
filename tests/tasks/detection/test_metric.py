"""How Core ML's suppression differs from mmdet's, as the score table explains it."""

import numpy as np
import torch
from mmcv.ops import nms

from mobileone_mm.tasks.detection.metric import rule_change
from mobileone_mm.tasks.detection.suppression import rows_to_keep

IOU_THRESHOLD = 0.25


def test_clipping_before_or_after_decides_with_a_single_class_too() -> None:
    corners = np.array([[-100, 0, 50, 50], [0, 0, 150, 50]], np.float32)  # IoU 0.20; 0.33 once clipped at 0
    scores = np.array([0.9, 0.8], np.float32)
    low, high = corners[:, :2], corners[:, 2:]
    rows = np.concatenate([(low + high) / 2, high - low], axis=1)
    assert rows_to_keep(scores[:, None], rows, IOU_THRESHOLD, 0).tolist() == [0, 1]
    _, of_mmdet = nms(torch.from_numpy(corners.clip(min=0)), torch.from_numpy(scores), IOU_THRESHOLD)
    assert of_mmdet.tolist() == [0]
    assert 'clipped' in rule_change(1)


def test_labels_are_a_cause_only_where_there_are_several() -> None:
    assert 'label' not in rule_change(1)
    assert 'label' in rule_change(2)
