"""Class maps: their size, their masks, their scores by mmseg's metric."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.evaluator import Evaluator
from mmengine.structures import PixelData
from mmseg.evaluation import IoUMetric
from mmseg.structures import SegDataSample

from mobileone_mm.errors import UsageError
from mobileone_mm.tasks.largest_logit import Rules
from mobileone_mm.tasks.segmentation.agreement import agreement, total
from mobileone_mm.tasks.segmentation.classes import ClassMap, truth
from mobileone_mm.tasks.segmentation.drawing import as_json, drawn, drawn_pair, said
from mobileone_mm.tasks.segmentation.metric import evaluated, to_sample
from mobileone_mm.tasks.segmentation.task import TASK

NAMES = ('sky', 'grass', 'road')


def mapped(rows: Any) -> ClassMap:
    return ClassMap(np.array(rows, np.int32))


@pytest.mark.parametrize(
    ('size', 'expected'),
    [
        ((2, 2), [[0, 1], [2, 3]]),
        ((4, 2), [[0, 0, 1, 1], [2, 2, 3, 3]]),
        ((2, 4), [[0, 1], [0, 1], [2, 3], [2, 3]]),
        ((1, 1), [[3]]),  # the middle of the picture is the corner of four pixels: the last of them
    ],
)
def test_a_pixel_has_the_class_of_the_nearest_one(size: tuple[int, int], expected: list[list[int]]) -> None:
    assert mapped([[0, 1], [2, 3]]).at(size).tolist() == expected


def test_an_enlarged_map_is_not_shifted() -> None:
    made = mapped(np.arange(12).reshape(3, 4))
    assert np.array_equal(made.at((16, 12)), made.classes.repeat(4, axis=0).repeat(4, axis=1))


def sample_of(mask: Any) -> SegDataSample:
    sample = SegDataSample(metainfo={'ori_shape': mask.shape})
    sample.gt_sem_seg = PixelData(data=torch.from_numpy(mask.astype(np.int64))[None])
    return sample


def score(mask: Any, found: ClassMap) -> tuple[dict[str, float], Any]:
    judge = IoUMetric(iou_metrics=['mIoU'])
    judge.dataset_meta = {'classes': NAMES}
    evaluator = Evaluator(judge)
    evaluator.process([to_sample(found, sample_of(mask)).to_dict()])
    return evaluated(evaluator, 1, NAMES)


def test_a_mask_scored_against_itself_is_100_and_shifted_it_is_not() -> None:
    mask = np.arange(48).reshape(6, 8) // 16
    metrics, classes = score(mask, ClassMap(mask.astype(np.int32)))
    assert metrics['mIoU'] == 100
    assert classes == {'sky': 100, 'grass': 100, 'road': 100}
    metrics, classes = score(mask, ClassMap(np.roll(mask, 1, axis=0).astype(np.int32)))
    assert metrics['mIoU'] < 60
    assert metrics['mIoU'] == pytest.approx(np.mean(list(classes.values())), abs=0.01)


def test_a_class_that_is_nowhere_has_no_score_and_ignored_pixels_do_not_count() -> None:
    mask = np.array([[0, 0, 1, 255]])
    metrics, classes = score(mask, mapped([[0, 1, 1, 2]]))
    assert classes['sky'] == 50
    assert classes['grass'] == 50
    assert np.isnan(classes['road'])
    assert metrics['mIoU'] == 50


def test_the_mask_is_the_truth() -> None:
    mask = np.array([[0, 2], [255, 1]])
    found = truth({}, sample_of(mask))
    assert found is not None
    assert np.array_equal(found.classes, mask)
    assert truth({}, SegDataSample()) is None


def test_thresholds_are_for_detectors() -> None:
    changed = TASK.predict.changed
    assert changed(Rules(), {}) == Rules()
    with pytest.raises(UsageError, match=r'^`score_threshold`: for detectors, a segmenter given'):
        changed(Rules(), {'score_threshold': 0.5})


def test_what_is_in_a_picture_in_words_and_json() -> None:
    found = mapped([[0, 0, 0, 2], [255, 255, 255, 255]])
    assert said(found, NAMES) == 'sky 75 %, road 25 %'
    assert said(mapped([[2] * 250, [2] * 249 + [0]]), NAMES) == 'road over 99 %, sky under 1 %'
    assert as_json(found, NAMES, (4, 2)) == [{'label': 'sky', 'share': 0.75}, {'label': 'road', 'share': 0.25}]
    assert said(mapped([[255]]), NAMES) == 'no pixel is judged'


def test_agreement_of_two_maps() -> None:
    one, other = mapped([[0, 0, 1, 1]]), mapped([[0, 1, 1, 1]])
    compared = agreement(one, other, (8, 2))
    assert compared.differing == 4
    found = total([compared, agreement(one, one, (4, 1))])
    assert (found.pixels, found.agreeing, found.complete) == (20, 16, False)
    assert found.ious == pytest.approx((6 / 10, 10 / 14))
    assert found.said('a', 'b') == (
        '16 of 20 pixels agree (80.000 %); the class that agrees least has an IoU of 0.6000'
    )
    assert total([agreement(one, one, (4, 1))]).said('a', 'b') == 'all 4 pixels agree'
    nowhere = total([agreement(mapped([[2]]), mapped([[2]]), (1, 1))])
    assert nowhere.ious == (None, None, 1.0)
    json.dumps(asdict(nowhere), allow_nan=False)


def test_classes_are_drawn_over_their_picture_and_what_differs_is_red(tmp_path: Path) -> None:
    picture = np.full((60, 80, 3), 128, np.uint8)
    left = ClassMap(np.repeat([[0] * 40 + [1] * 40], 60, axis=0).astype(np.int32))
    right = ClassMap(np.repeat([[0] * 50 + [1] * 30], 60, axis=0).astype(np.int32))
    alone = drawn(picture, left, NAMES)
    assert alone.shape == picture.shape
    assert (picture == 128).all(), 'the picture itself stays'
    assert not np.array_equal(alone[5, 20], alone[5, 60])
    for one in drawn_pair(picture, left, right, NAMES, agreement(left, right, (80, 60))):
        red = (one == (224, 0, 36)).all(axis=2)
        assert red[5, 40:50].all()
        assert not red[5, :40].any()
        assert not red[5, 50:].any()
