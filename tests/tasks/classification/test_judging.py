"""Rankings judged by the class of their picture: by hand, and F1 against mmpretrain's."""

import numpy as np
import pytest
import torch
from mmpretrain.evaluation import SingleLabelMetric
from mmpretrain.structures import DataSample

from mobileone_mm.tasks.classification.judging import JUDGING
from mobileone_mm.tasks.judging import Judged

ROUNDING = 1e-5  # mmpretrain counts in float32, in points of 100


def judged(label: int, *scores: float) -> Judged:
    sample = DataSample().set_gt_label(label).set_pred_score(torch.tensor(scores))
    result = JUDGING.judge({}, sample, len(scores))
    assert result is not None
    return result


@pytest.mark.parametrize(
    ('label', 'scores', 'pair', 'faults'),
    [
        (1, (0.1, 0.9), [1, 1, 1], 0),
        (0, (0.1, 0.9), [0, 1, 1], 0.9),  # the surer, the worse
        (0, (0.4, 0.6), [0, 1, 1], 0.6),
    ],
)
def test_the_most_probable_class_is_right_or_wrong(
    label: int, scores: tuple[float, ...], pair: list[int], faults: float
) -> None:
    result = judged(label, *scores)
    assert result.pairs.tolist() == [pair]
    assert result.faults == pytest.approx(faults, abs=1e-7)
    assert result.ranked is not None
    assert result.ranked.right.tolist() == [not faults]


@pytest.mark.parametrize('label', [None, [0, 1]])
def test_a_picture_without_one_class_is_not_judged(label: list[int] | None) -> None:
    sample = DataSample().set_pred_score(torch.tensor([0.5, 0.5]))
    if label is not None:
        sample.set_gt_label(label)
    assert JUDGING.judge({}, sample, 2) is None


def test_f1_is_mmpretrains() -> None:
    generator = torch.Generator().manual_seed(0)
    scores, labels = torch.rand(60, 4, generator=generator), torch.randint(0, 3, (60,), generator=generator)
    counts = np.zeros((4, 4), np.int64)
    for row, label in zip(scores, labels, strict=True):
        ((annotated, found, times),) = judged(int(label), *row.tolist()).pairs
        counts[annotated, found] += times
    ((_, _, f1, _),) = SingleLabelMetric.calculate(scores, labels, average=None)
    np.testing.assert_allclose(JUDGING.scores(counts, None), (f1 / 100).tolist(), rtol=0, atol=ROUNDING)


def test_a_wrong_class_stands_on_red() -> None:
    picture = np.zeros((80, 160, 3), np.uint8)
    for label, red in ((1, True), (0, False)):
        ((title, drawn, said),) = JUDGING.draw(picture, judged(label, 0.9, 0.1), ['cat', 'dog'])
        assert (title, said) == (f'annotated: {["cat", "dog"][label]}', 'found: cat 90 %')
        assert (drawn == (224, 0, 36)).all(axis=-1).any() == red
