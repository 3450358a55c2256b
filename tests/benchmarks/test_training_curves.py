"""The benchmark of training curves: the same training in each way, and how its table counts differences."""

import pytest

from training_curves import REFERENCE, RUNS, losses, table_of


@pytest.fixture(scope='module')
def expected() -> list[float]:
    return losses('s0', REFERENCE, 2)


def test_a_step_changes_the_loss(expected: list[float]) -> None:
    assert expected[0] != expected[1]


@pytest.mark.parametrize('run', RUNS)
def test_all_runs_start_from_the_same_loss(expected: list[float], run: str) -> None:
    assert losses('s0', run, 1) == pytest.approx(expected[:1], abs=1e-4)


def test_the_table_shows_differences() -> None:
    lines = table_of([1.0, 3.0], {'moments': [1.0, 3.5]}).splitlines()
    assert lines[2:] == ['| 1 | 1.0000 | 0.0e+00 |', '| 2 | 3.0000 | 5.0e-01 |', '| mean | 2.0000 | 2.5e-01 |']
