"""What a two-sample test says of pipelines that draw alike, and of one whose chances are a little off."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mmengine.dataset import Compose
from mmengine.registry import init_default_scope

from feeding_chains import box_chain, boxed, smooth
from pipeline_draws import apart, distance, drawn, limit

OURS, THEIRS, OFF = 10_000, 1_500, 2_500  # draws: mmdet's take most of the time
SIZE = (60, 45)  # px
BOXES = np.array([[4.0, 3, 52, 41], [20, 8, 40, 44]])  # large ones, of which mmdet finds crops soon
Samples = dict[str, Any]


def info(tmp_path: Path) -> Callable[[], dict[str, Any]]:
    smooth(*SIZE).save(tmp_path / 'one.png')
    return boxed(tmp_path / 'one.png', BOXES)


def sample(info: Callable[[], dict[str, Any]], steps: list[dict[str, Any]], seeds: range, one_warp: bool) -> Samples:
    init_default_scope('mmdet')
    wrapped = [{'type': 'mobileone_mm.OneWarp', 'transforms': steps}] if one_warp else steps
    return drawn(Compose(wrapped), [info], seeds)


@pytest.fixture(scope='module')
def mmdets(tmp_path_factory: pytest.TempPathFactory) -> Samples:
    return sample(info(tmp_path_factory.mktemp('one')), box_chain(side=32), range(THEIRS), one_warp=False)


def refused(ours: Samples, theirs: Samples) -> set[str]:
    return {name for name, (found, most) in apart(ours, theirs).items() if found > most}


def test_ours_draws_as_mmdet_does(mmdets: Samples, tmp_path: Path) -> None:
    ours = sample(info(tmp_path), box_chain(side=32), range(10**6, 10**6 + OURS), one_warp=True)
    assert refused(ours, mmdets) == set()


@pytest.mark.parametrize(
    ('step', 'changed'),
    [
        (2, {'prob': 0.7}),
        (3, {'min_crop_size': 0.5}),
        (5, {'direction': ['vertical']}),
    ],
    ids=str,
)
def test_a_chance_that_is_off_is_caught(step: int, changed: dict[str, Any], mmdets: Samples, tmp_path: Path) -> None:
    steps = copy.deepcopy(box_chain(side=32))
    steps[step].update(changed)
    ours = sample(info(tmp_path), steps, range(10**6, 10**6 + OFF), one_warp=True)
    assert refused(ours, mmdets)


def test_distances_by_hand() -> None:
    assert distance(np.array([1.0, 2, 3, 4]), np.array([3.0, 4, 5, 6, np.nan])) == 0.5
    assert distance(np.array([1.0, 1, 2]), np.array([1.0, 2, 1])) == 0
    assert limit(10_000, 10_000) == pytest.approx(0.02757, abs=1e-5)


def test_the_test_has_the_power_that_is_said() -> None:
    """Of uniform values and of ones of which a twentieth lies elsewhere, and of the same ones."""
    rng = np.random.default_rng(0)
    caught, false = 0, 0
    for _ in range(100):
        one, same, other = rng.uniform(size=(3, 10_000))
        other[rng.uniform(size=len(other)) < 0.056] = 0  # at 0, the functions lie 0.056 apart
        caught += distance(one, other) > limit(10_000, 10_000)
        false += distance(one, same) > limit(10_000, 10_000)
    assert caught >= 99
    assert false <= 1
