"""Which of several processes says what went wrong."""

import pytest

from mobileone_mm.errors import CheckpointError, UsageError
from mobileone_mm.training import ranks


@pytest.fixture(params=[0, 1])
def rank(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(ranks, 'PATIENCE', 0)
    monkeypatch.setenv('RANK', str(request.param))
    monkeypatch.setenv('WORLD_SIZE', '2')
    rank: int = request.param
    return rank


@pytest.mark.parametrize('error', [CheckpointError, UsageError])
def test_the_first_speaks_and_another_says_which_it_is(rank: int, error: type[Exception]) -> None:
    with pytest.raises(error) as raised, ranks.one_voice():
        raise error('no key')
    assert str(raised.value) == ('no key', 'process 1: no key')[rank]


def test_ctrl_c_is_for_the_first(rank: int) -> None:
    with pytest.raises((KeyboardInterrupt, SystemExit)) as raised, ranks.one_voice():
        raise KeyboardInterrupt
    assert raised.type is (KeyboardInterrupt, SystemExit)[rank]


@pytest.mark.parametrize(
    ('variables', 'found'),
    [
        ({}, (False, 0, 1)),
        ({'RANK': '3'}, (False, 0, 1)),  # of something else
        ({'RANK': '3', 'WORLD_SIZE': '4'}, (True, 3, 4)),
    ],
)
def test_torchruns_variables_count_together(
    variables: dict[str, str], found: tuple[bool, int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ('RANK', 'WORLD_SIZE'):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert (ranks.launched(), ranks.rank(), ranks.count()) == found
