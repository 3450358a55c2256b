"""Precision and recall as the threshold falls: by hand, and against mmdet's own average precision."""

import numpy as np
import pytest
from mmdet.evaluation.functional.mean_ap import average_precision

from mobileone_mm.tasks.ranked import Ranked, average_precisions, curve, f1_scores, joined

ROUNDING = 1e-6  # mmdet counts in float32


def ranked(*rows: tuple[int, float, bool]) -> Ranked:
    labels, scores, right = zip(*rows, strict=True) if rows else ((), (), ())
    return Ranked(np.array(labels, np.int64), np.array(scores, float), np.array(right, bool))


@pytest.mark.parametrize(
    ('rows', 'recall', 'precision'),
    [
        ([], [], []),
        ([(0, 0.9, True)], [0.25], [1]),
        ([(0, 0.2, True), (0, 0.9, False), (1, 0.95, True)], [0, 0.25], [0.5, 0.5]),  # of any order; of this class
        ([(0, 0.9, True), (0, 0.8, False), (0, 0.7, True)], [0.25, 0.25, 0.5], [1, 2 / 3, 2 / 3]),  # the best from here
    ],
)
def test_the_curve_of_a_class(rows: list[tuple[int, float, bool]], recall: list[float], precision: list[float]) -> None:
    found = curve(ranked(*rows), 0, annotated=4)
    np.testing.assert_allclose(found[0], recall, rtol=0, atol=1e-15)
    np.testing.assert_allclose(found[1], precision, rtol=0, atol=1e-15)


@pytest.mark.parametrize('seed', range(4))
def test_average_precision_is_mmdets(seed: int) -> None:
    generator = np.random.default_rng(seed)
    size, annotated = 200, [60, 90, 0]
    found = Ranked(generator.integers(0, 2, size), generator.random(size), generator.random(size) < 0.4)
    expected = []
    for label, count in enumerate(annotated[:2]):
        order = np.argsort(-found.scores[found.labels == label])
        right = found.right[found.labels == label][order].cumsum()
        precision = right / np.arange(1, len(right) + 1)
        expected.append(average_precision(np.float32(right / count), np.float32(precision), mode='area'))
    np.testing.assert_allclose(average_precisions(found, annotated), [*expected, np.nan], rtol=0, atol=ROUNDING)


def test_a_class_that_is_never_found_has_none() -> None:
    assert average_precisions(ranked((1, 0.5, True)), [3, 1]).tolist() == [0, 1]


def test_pictures_are_joined_in_order() -> None:
    both = joined([ranked((0, 0.1, True)), ranked(), ranked((1, 0.9, False))])
    assert (both.labels.tolist(), both.scores.tolist(), both.right.tolist()) == ([0, 1], [0.1, 0.9], [True, False])


@pytest.mark.parametrize('seed', range(3))
def test_f1_where_only_scores_from_a_threshold_on_count(seed: int) -> None:
    generator = np.random.default_rng(seed)
    scores = generator.integers(0, 11, 40) / 10  # many are equal, and equal to a threshold
    found = Ranked(generator.integers(0, 2, 40), scores, generator.random(40) < 0.5)
    thresholds = np.array([0.0, 0.25, 0.5, 0.9, 1.0, 1.5])
    for label in range(3):  # nothing is found of the last
        expected = []
        for threshold in thresholds:
            counted = (found.labels == label) & (found.scores >= threshold)
            right = int((counted & found.right).sum())
            precision, recall = right / max(1, counted.sum()), right / 30
            expected.append(2 * precision * recall / (precision + recall) if right else 0.0)
        np.testing.assert_allclose(f1_scores(found, label, 30, thresholds), expected, rtol=0, atol=1e-15)
