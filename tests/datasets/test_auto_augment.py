"""AutoAugment of a strength: the published policy at 1, no amount at 0, and amounts in between by hand."""

from typing import Any

import numpy as np
import pytest
from mmengine.registry import TRANSFORMS, init_default_scope

from mobileone_mm.errors import ConfigError

GREY = (128, 128, 128)
# Policy, step, argument, its value at strength 0.3 and at 1.
AMOUNTS = [
    (0, 0, 'bits', 7, 4),  # 8 bits leave a picture as it is; 6.8 are whole ones
    (3, 0, 'bits', 7, 5),  # 7.1, of which mmpretrain would make 8
    (0, 1, 'angle', 9.0, 30),
    (1, 0, 'thr', 256 - 0.3 * (256 - 256 / 9 * 4), 256 / 9 * 4),  # no value reaches 256
    (14, 0, 'magnitude', 0.12, 0.4),
    (14, 1, 'magnitude', 0.24, 0.8),
    (18, 0, 'magnitude', 0.05, 0.3 / 9 * 5),
]


@pytest.fixture(autouse=True)
def _scope() -> None:
    init_default_scope('mmpretrain')


def built(**options: Any) -> Any:
    return TRANSFORMS.build({'type': 'mobileone_mm.AutoAugment', **options})


def steps_of(augment: Any) -> list[list[Any]]:
    return [list(policy.transforms) for policy in augment.transforms]


@pytest.mark.parametrize(('policy', 'step', 'argument', 'weak', 'full'), AMOUNTS)
def test_amounts_are_scaled(policy: int, step: int, argument: str, weak: float, full: float) -> None:
    for strength, expected in ((0.3, weak), (1.0, full)):
        found = getattr(steps_of(built(strength=strength))[policy][step], argument)
        assert found == pytest.approx(expected, abs=1e-12)


def test_at_full_strength_it_is_the_hosts() -> None:
    theirs = TRANSFORMS.build({'type': 'AutoAugment', 'policies': 'imagenet'})
    ours = steps_of(built())
    assert len(ours) == 25
    for policy, expected in zip(ours, steps_of(theirs), strict=True):
        for step, like in zip(policy, expected, strict=True):
            assert type(step) is type(like)
            assert {**vars(step), 'pad_val': 0} == pytest.approx({**vars(like), 'pad_val': 0})


def test_probabilities_stay() -> None:
    weak, full = (steps_of(built(strength=strength)) for strength in (0.3, 1.0))
    pairs = [(step.prob, like.prob) for a, b in zip(weak, full, strict=True) for step, like in zip(a, b, strict=True)]
    assert len(pairs) == 50
    assert all(prob == like for prob, like in pairs)


def test_without_strength_what_has_an_amount_changes_nothing() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (16, 20, 3), np.uint8)
    counted = 0
    for policy in steps_of(built(strength=0.0)):
        for step in policy:
            if type(step).__name__ in ('Equalize', 'AutoContrast', 'Invert'):
                continue
            step.prob, counted = 1.0, counted + 1
            np.testing.assert_array_equal(step({'img': picture.copy()})['img'], picture)
    assert counted == 28  # of 50, counted by hand


@pytest.mark.parametrize(('options', 'colour'), [({}, GREY), ({'pad_val': (1, 2, 3)}, (1, 2, 3))])
def test_what_a_turn_leaves_empty_is_filled(options: dict[str, Any], colour: tuple[int, ...]) -> None:
    turn = steps_of(built(**options))[0][1]
    turn.prob = 1.0
    turned = turn({'img': np.full((40, 40, 3), 200, np.uint8)})['img']
    assert tuple(turned[0, 0]) == colour


@pytest.mark.parametrize('strength', [-0.1, 1.1, float('nan')])
def test_a_strength_that_is_none_is_refused(strength: float) -> None:
    with pytest.raises(ConfigError, match=r'strength=.* given, expected 0 \(none\) to 1'):
        built(strength=strength)
