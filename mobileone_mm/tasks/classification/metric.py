"""Rankings as mmpretrain's metrics take them."""

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmengine.evaluator import Evaluator

from mobileone_mm.openmmlab.test_data import Samples
from mobileone_mm.tasks.classification.ranking import Ranking

RULE = 'most probable class'
LEAST = 10  # pictures of a class, below which its own score is chance


def rule_change(_classes: int) -> str:
    """What an export does otherwise than mmpretrain's own test: nothing."""
    return ''


def to_sample(found: Ranking, data_sample: Any) -> Any:
    """A copy of a `DataSample` with a ranking."""
    sample = copy.deepcopy(data_sample)
    return sample.set_pred_score(torch.from_numpy(found.probabilities.copy())).set_pred_label(found.best)


def limit_metric(_evaluator: Evaluator, _samples: Samples) -> None:
    """Nothing: mmpretrain's metrics count the pictures that they are given."""


def evaluated(evaluator: Evaluator, count: int, classes: Sequence[str]) -> tuple[dict[str, float], Mapping[str, float]]:
    """The metrics of `count` pictures, and the top-1 of each class alone that has `LEAST` of them, in percent."""
    from mmpretrain.evaluation import Accuracy  # late: who scores nothing needs no mmpretrain

    right: dict[str, list[bool]] = {name: [] for name in classes}
    for judge in evaluator.metrics:
        if isinstance(judge, Accuracy):
            for result in judge.results:
                label = int(result['gt_label'])
                right[classes[label]].append('pred_score' in result and int(result['pred_score'].argmax()) == label)
    of_classes = {name: 100 * sum(found) / len(found) for name, found in right.items() if len(found) >= LEAST}
    return dict(evaluator.evaluate(count)), of_classes
