"""The cross-entropy with class weights: torch's own value and gradient, and mmseg's wherever mmseg's works."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.registry import init_default_scope
from mmseg.models.losses import CrossEntropyLoss as MMSegLoss
from mmseg.registry import MODELS as MMSEG_MODELS
from torch import Tensor
from torch.nn import functional

from mobileone_mm.errors import ConfigError
from mobileone_mm.models.losses.cross_entropy import CrossEntropyLoss

CLASSES = 4
IGNORED = 255
WEIGHTS = [0.5, 1.0, 2.0, 0.25]


def scores_and_labels(ignored: bool = True) -> tuple[Tensor, Tensor]:
    """Scores (2, 4, 5, 6) of float64 that want a gradient, and labels, a quarter of them ignored."""
    generator = torch.Generator().manual_seed(0)
    scores = torch.randn(2, CLASSES, 5, 6, dtype=torch.float64, generator=generator).requires_grad_()
    labels = torch.randint(0, CLASSES, (2, 5, 6), generator=generator)
    if ignored:
        labels[torch.rand(labels.shape, generator=generator) < 0.25] = IGNORED
    return scores, labels


def value_and_gradient(loss: Tensor, scores: Tensor) -> tuple[Tensor, Tensor]:
    (gradient,) = torch.autograd.grad(loss, scores)
    return loss.detach(), gradient


def assert_same(ours: Tensor, other: Tensor, scores: Tensor) -> None:
    for one, two in zip(value_and_gradient(ours, scores), value_and_gradient(other, scores), strict=True):
        torch.testing.assert_close(one, two, rtol=1e-6, atol=1e-12)  # mmseg adds a float32 eps to what it divides by


@pytest.mark.parametrize('weights', [None, WEIGHTS])
@pytest.mark.parametrize('reduction', ['mean', 'sum'])
def test_with_avg_non_ignore_it_is_torchs(weights: list[float] | None, reduction: str) -> None:
    scores, labels = scores_and_labels()
    loss = CrossEntropyLoss(class_weight=weights, avg_non_ignore=True, reduction=reduction)
    tensor = None if weights is None else torch.tensor(weights, dtype=torch.float64)
    expected = functional.cross_entropy(scores, labels, tensor, ignore_index=IGNORED, reduction=reduction)
    assert_same(loss(scores, labels, ignore_index=IGNORED), expected, scores)


@pytest.mark.parametrize('avg_non_ignore', [False, True])
@pytest.mark.parametrize('weighted_pixels', [False, True])
def test_without_class_weights_it_is_mmsegs(avg_non_ignore: bool, weighted_pixels: bool) -> None:
    scores, labels = scores_and_labels()
    options: dict[str, Any] = {'avg_non_ignore': avg_non_ignore, 'loss_weight': 0.4}
    pixels = torch.rand(labels.shape) if weighted_pixels else None
    found = CrossEntropyLoss(**options)(scores, labels, weight=pixels, ignore_index=IGNORED)
    assert_same(found, MMSegLoss(**options)(scores, labels, weight=pixels, ignore_index=IGNORED), scores)


@pytest.mark.parametrize('avg_non_ignore', [False, True])
def test_where_nothing_is_ignored_class_weights_are_mmsegs(avg_non_ignore: bool) -> None:
    scores, labels = scores_and_labels(ignored=False)
    options: dict[str, Any] = {'avg_non_ignore': avg_non_ignore, 'class_weight': WEIGHTS}
    found = CrossEntropyLoss(**options)(scores, labels, ignore_index=IGNORED)
    assert_same(found, MMSegLoss(**options)(scores, labels, ignore_index=IGNORED), scores)


def test_mmsegs_own_still_fails_where_a_label_is_ignored() -> None:
    # When mmseg mends it, this turns red and ours can go.
    scores, labels = scores_and_labels()
    with pytest.raises(IndexError, match='255'):
        MMSegLoss(class_weight=WEIGHTS)(scores, labels, ignore_index=IGNORED)


def test_by_default_an_ignored_pixel_counts_as_one_in_the_mean() -> None:
    scores, labels = scores_and_labels()
    total = CrossEntropyLoss(class_weight=WEIGHTS, reduction='sum')(scores, labels, ignore_index=IGNORED)
    seen = torch.tensor(WEIGHTS)[labels[labels != IGNORED]].sum() + (labels == IGNORED).sum()
    found = CrossEntropyLoss(class_weight=WEIGHTS)(scores, labels, ignore_index=IGNORED)
    torch.testing.assert_close(found, total / seen)


@pytest.mark.parametrize('avg_non_ignore', [False, True])
def test_a_batch_of_ignored_pixels_has_no_loss(avg_non_ignore: bool) -> None:
    scores, labels = scores_and_labels()
    labels.fill_(IGNORED)
    loss = CrossEntropyLoss(class_weight=WEIGHTS, avg_non_ignore=avg_non_ignore)
    value, gradient = value_and_gradient(loss(scores, labels, ignore_index=IGNORED), scores)
    assert value == 0
    assert not gradient.any()


def test_a_loss_for_each_pixel_and_a_divisor_of_ones_own() -> None:
    scores, labels = scores_and_labels()
    each = CrossEntropyLoss(class_weight=WEIGHTS, reduction='none')(scores, labels, ignore_index=IGNORED)
    assert each.shape == labels.shape
    assert not each[labels == IGNORED].any()
    found = CrossEntropyLoss(class_weight=WEIGHTS)(scores, labels, avg_factor=7.0, ignore_index=IGNORED)
    torch.testing.assert_close(found, each.sum() / 7)
    overridden = CrossEntropyLoss(class_weight=WEIGHTS)(scores, labels, reduction_override='sum', ignore_index=IGNORED)
    torch.testing.assert_close(overridden, each.sum())


def test_half_precision_does_not_overflow() -> None:
    labels = torch.zeros(1, 300, 300, dtype=torch.long)  # 90,000 pixels; half ends at 65,504
    scores = torch.zeros(1, CLASSES, 300, 300, dtype=torch.bfloat16)
    found = CrossEntropyLoss(class_weight=[1.0] * CLASSES)._divisor(labels, scores[:, 0].half(), IGNORED)
    assert found == 90_000


def test_mmseg_builds_it_by_its_scope_and_the_weights_are_in_no_checkpoint() -> None:
    init_default_scope('mmseg')
    loss = MMSEG_MODELS.build({'type': 'mobileone_mm.CrossEntropyLoss', 'class_weight': WEIGHTS, 'use_sigmoid': False})
    assert type(loss) is CrossEntropyLoss
    assert type(MMSEG_MODELS.build({'type': 'CrossEntropyLoss'})) is MMSegLoss
    assert loss.state_dict() == {}


@pytest.mark.parametrize('ending', ['npy', 'json', 'yaml'])
def test_weights_come_from_a_file_too(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f'weights.{ending}'
    if ending == 'npy':
        np.save(path, np.array(WEIGHTS))
    else:
        path.write_text(json.dumps(WEIGHTS))
    loss = CrossEntropyLoss(class_weight=str(path))
    assert loss.class_weight is not None
    assert loss.class_weight.tolist() == WEIGHTS


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'use_sigmoid': True}, "use_sigmoid=True, .*expected False.*type='CrossEntropyLoss', mmseg's own"),
        ({'use_mask': True}, 'use_mask=True given'),
        ({'reduction': 'average'}, "reduction='average' given, expected one of none, mean, sum"),
        ({'class_weight': [1.0, -1.0]}, 'expected a list of numbers from 0'),
        ({'class_weight': [1.0, float('nan')]}, 'expected a list of numbers from 0'),
        ({'class_weight': [0.0, 0.0]}, 'not all of them 0'),
        ({'class_weight': []}, 'expected a list of numbers from 0'),
        ({'class_weight': ['a']}, 'expected a list of numbers from 0'),
        ({'class_weight': 'weights.pkl'}, r'expected a list of numbers, or a \.npy, \.json or \.yaml file'),
        ({'class_weight': 'nowhere.npy'}, "class_weight='nowhere.npy' cannot be read"),
    ],
)
def test_arguments_that_do_not_fit_are_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        CrossEntropyLoss(**options)


def test_another_number_of_weights_than_classes_is_named() -> None:
    scores, labels = scores_and_labels()
    with pytest.raises(ConfigError, match='class_weight with 2 entries given, expected 4'):
        CrossEntropyLoss(class_weight=[1.0, 2.0])(scores, labels, ignore_index=IGNORED)


def test_importing_it_needs_no_mmseg() -> None:
    code = 'import mobileone_mm.models.losses.cross_entropy, sys; raise SystemExit("mmseg" in sys.modules)'
    assert subprocess.run([sys.executable, '-c', code], check=False).returncode == 0
