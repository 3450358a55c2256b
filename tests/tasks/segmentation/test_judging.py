"""Class maps judged by masks: by hand, and against mmseg's own IoU."""

import numpy as np
import pytest
import torch
from mmengine.structures import PixelData
from mmseg.evaluation import IoUMetric
from mmseg.structures import SegDataSample

from mobileone_mm.tasks.judging import Judged
from mobileone_mm.tasks.segmentation.judging import JUDGING

IGNORED = 255
ROUNDING = 1e-6  # mmseg counts in float32


def sample(mask: object, found: object) -> SegDataSample:
    one = SegDataSample(metainfo={'ori_shape': np.shape(mask)})
    one.gt_sem_seg, one.pred_sem_seg = (PixelData(data=torch.tensor(np.asarray(part))[None]) for part in (mask, found))
    return one


def judged(mask: object, found: object, classes: int = 3) -> Judged:
    result = JUDGING.judge({}, sample(mask, found), classes)
    assert result is not None
    return result


def test_pixels_are_counted_by_what_they_are_and_what_they_were_found_as() -> None:
    result = judged([[0, 1, 2], [1, 1, IGNORED]], [[0, 1, 1], [0, 1, 2]])
    assert result.pairs.tolist() == [[0, 0, 1], [1, 0, 1], [1, 1, 2], [2, 1, 1]]
    assert result.wrong.tolist() == [[False, False, True], [True, False, False]]
    assert result.faults == pytest.approx(2 / 5)
    assert result.said == '40.0 % of the annotated pixels wrong'


def test_a_mask_in_which_nothing_is_judged_has_no_faults() -> None:
    assert judged([[IGNORED]], [[1]]).faults == 0


def test_a_picture_without_a_mask_is_not_judged() -> None:
    assert JUDGING.judge({}, SegDataSample(), 3) is None


def test_the_iou_of_a_class_is_mmsegs() -> None:
    generator = np.random.default_rng(0)
    metric, counts, classes = IoUMetric(), np.zeros((4, 4), np.int64), 4
    metric.dataset_meta = {'classes': tuple('abcd')}
    for _ in range(3):
        mask, found = generator.integers(0, 3, (2, 40, 30))  # the last class is nowhere
        mask[generator.random(mask.shape) < 0.1] = IGNORED
        metric.process({}, [sample(mask, found).to_dict()])
        rows, columns, times = judged(mask, found, classes).pairs.T
        np.add.at(counts, (rows, columns), times)
    shared, either, *_ = (sum(parts) for parts in zip(*metric.results, strict=True))
    expected = [*(shared / either)[:3].tolist(), np.nan]
    np.testing.assert_allclose(JUDGING.scores(counts, None), expected, rtol=0, atol=ROUNDING)


def test_wrong_pixels_are_red_at_whatever_size_they_are_drawn() -> None:
    picture = np.zeros((40, 60, 3), np.uint8)
    drawn = JUDGING.draw(picture, judged([[0, 1, 1], [0, 1, 1]], [[0, 0, 1], [0, 1, 1]]), list('abc'))
    assert [title for title, _, _ in drawn] == ['annotated', 'found', 'mistakes']
    *others, red = ((image == (224, 0, 36)).all(axis=-1) for _, image, _ in drawn)
    assert red[:20, 20:40].all()
    assert red.sum() == 20 * 20
    assert not np.any(others)


def test_what_was_found_keeps_the_colours_of_its_classes_where_it_is_wrong() -> None:
    picture = np.zeros((40, 60, 3), np.uint8)
    (_, annotated, _), (_, found, said), _ = JUDGING.draw(picture, judged([[0, 1]], [[1, 0]]), ['a', 'b'])
    left, right = np.s_[5, 5], np.s_[5, 55]  # far from names and edges
    assert annotated[left].tolist() == found[right].tolist() != annotated[right].tolist() == found[left].tolist()
    assert said == 'a 50 %, b 50 %'
