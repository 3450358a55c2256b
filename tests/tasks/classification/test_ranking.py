"""Rankings: their order, their words, their agreement, their scores by mmpretrain's metric."""

import json
from dataclasses import asdict
from typing import Any

import numpy as np
import pytest
from mmengine.evaluator import Evaluator
from mmpretrain.evaluation import Accuracy
from mmpretrain.structures import DataSample

from mobileone_mm.errors import UsageError
from mobileone_mm.tasks.classification.agreement import agreement, total
from mobileone_mm.tasks.classification.drawing import as_json, counted, counts, drawn, drawn_beside, drawn_pair, said
from mobileone_mm.tasks.classification.metric import LEAST, evaluated, to_sample
from mobileone_mm.tasks.classification.ranking import Ranking, for_person, truth
from mobileone_mm.tasks.classification.task import TASK
from mobileone_mm.tasks.largest_logit import Rules

NAMES = ('cat', 'dog', 'cow', 'hen', 'fox', 'a very long name, with all of its synonyms')
SIZE = (60, 40)
PICTURE = np.full((120, 160, 3), 128, np.uint8)


def ranked(*probabilities: float) -> Ranking:
    return Ranking(np.array(probabilities))


FOUND = ranked(0.1, 0.5, 0.2, 0.1, 0.04, 0.06)


def test_the_most_probable_come_first_and_of_equal_ones_the_first() -> None:
    assert FOUND.best == 1
    assert FOUND.order() == [1, 2, 0, 3, 5, 4]
    assert FOUND.order(2) == [1, 2]
    assert list(for_person(FOUND, NAMES, SIZE).items())[:2] == [('dog', 0.5), ('cow', 0.2)]


def test_what_is_in_a_picture_in_words_and_json() -> None:
    assert said(FOUND, NAMES) == 'dog 50 %, cow 20 %, cat 10 %, hen 10 %, a very long name, with all of… 6 %'
    assert as_json(FOUND, NAMES, SIZE)[0] == {'label': 'dog', 'probability': 0.5}
    assert len(as_json(FOUND, NAMES, SIZE)) == 5
    assert counts(FOUND, NAMES) == {'dog': 1}
    assert counted({'dog': 1, 'cat': 3}) == 'classes: cat 3, dog 1'
    assert counted({}) == 'classes: none'
    assert counted({name: 1 for name in 'abcdefg'}).endswith('e 1 and 2 more')


def test_the_annotated_class_is_the_truth() -> None:
    found = truth({}, DataSample().set_gt_label(2))
    assert found is not None
    assert said(found, NAMES) == 'cow'
    assert truth({}, DataSample()) is None


def test_thresholds_are_for_detectors() -> None:
    changed = TASK.predict.changed
    assert changed(Rules(), {}) == Rules()
    with pytest.raises(UsageError, match=r'^`score_threshold`: for detectors, a classifier given'):
        changed(Rules(), {'score_threshold': 0.5})


def test_agreement_of_rankings() -> None:
    same = agreement(FOUND, ranked(0.1, 0.45, 0.25, 0.1, 0.04, 0.06), SIZE)
    other = agreement(FOUND, ranked(0.1, 0.2, 0.5, 0.1, 0.04, 0.06), SIZE)
    assert (same.differing, other.differing) == (0, 1)
    found = total([same, other])
    assert (found.pictures, found.agreeing, found.complete) == (2, 1, False)
    assert (
        found.said('a', 'b') == 'a and b give 1 of 2 pictures the same class; their probabilities differ by at most 0.3'
    )
    assert 'rounding decides' in found.hint
    assert (
        total([same])
        .said('a', 'b')
        .startswith('a and b give the picture the same class; their probabilities differ by')
    )
    assert total([other]).said('a', 'b').startswith('a and b give the picture different classes; ')
    assert total([same, same]).said('a', 'b').startswith('a and b give all 2 pictures the same class; ')
    json.dumps(asdict(found), allow_nan=False)


def red(picture: Any) -> int:
    return int((picture == (224, 0, 36)).all(axis=2).sum())


def test_rankings_are_written_on_their_picture_and_another_class_is_red() -> None:
    alone = drawn(PICTURE, FOUND, NAMES)
    assert alone.shape == PICTURE.shape
    assert (PICTURE == 128).all(), 'the picture itself stays'
    assert (alone == 0).all(axis=2).sum() > 500
    assert red(alone) == 0
    other = ranked(0.5, 0.1, 0.2, 0.1, 0.04, 0.06)
    assert all(red(one) > 100 for one in drawn_pair(PICTURE, FOUND, other, NAMES, agreement(FOUND, other, SIZE)))
    assert all(red(one) == 0 for one in drawn_pair(PICTURE, FOUND, FOUND, NAMES, agreement(FOUND, FOUND, SIZE)))
    shown = drawn_beside(
        PICTURE, truth({}, DataSample().set_gt_label(2)), FOUND, other, NAMES, agreement(FOUND, other, SIZE)
    )
    assert [what for _, what in shown] == ['cow', 'dog 50 %', 'cat 50 %']


def test_a_class_has_a_score_of_its_own_where_it_has_enough_pictures() -> None:
    judge = Accuracy(topk=(1, 2))
    evaluator = Evaluator(judge)
    cat, dog = ranked(0.6, 0.3, 0.1), ranked(0.3, 0.6, 0.1)
    for label, found, times in ((0, cat, LEAST - 1), (0, dog, 1), (1, dog, LEAST - 1), (2, dog, LEAST)):
        for _ in range(times):
            evaluator.process([to_sample(found, DataSample().set_gt_label(label)).to_dict()])
    metrics, classes = evaluated(evaluator, 3 * LEAST - 1, NAMES[:3])
    assert metrics['accuracy/top1'] == pytest.approx(100 * (2 * LEAST - 2) / (3 * LEAST - 1), abs=1e-4)
    assert metrics['accuracy/top2'] == pytest.approx(100 * (2 * LEAST - 1) / (3 * LEAST - 1), abs=1e-4)
    assert classes == {'cat': 100 * (LEAST - 1) / LEAST, 'cow': 0.0}
