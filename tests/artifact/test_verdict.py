"""What the checks of an export come to, in a reader's words."""

import math
from dataclasses import replace
from typing import Any

import pytest

from mobileone_mm.artifact.ladder import Rung
from mobileone_mm.artifact.verdict import SAME_AS_EXPORTED, checked, checks_of, share_of, verdict


def rung(name: str, value: float | None, limit: float = 1.0, **others: Any) -> Rung:
    return Rung(name, value, limit, 'px', **others)


@pytest.mark.parametrize(
    ('rungs', 'stored', 'said'),
    [
        ([rung('a', 0.1), rung('b', 1.0), rung('rows', 0, 0)], 'float16', 'Same as the model you trained: yes'),
        ([rung('a', 0.1), rung('b', None)], 'float32', 'Same as the model you trained: yes'),
        ([rung('a', 0.1)], 'int8', 'Same as the model you trained: yes, within the limits for int8 weights'),
        (
            [replace(rung('a', 0.1), rounding='float16'), replace(rung('b', 0.2), rounding='float16')],
            'int8',
            'Same as the model you trained: yes, within the limits for int8 weights and float16',
        ),
        (
            [rung('a', 0.1), rung('b', 3, note='why', cure='do that'), rung('c', 9)],
            'int8',
            'FAILED: b (3 px, limit 1 px). Same as the model you trained: NO. Why. What helps: do that',
        ),
        (
            [rung('a', math.nan, cure='do that')],
            'float16',
            'FAILED: a (no number, limit 1 px). Same as the model you trained: NO. What helps: do that',
        ),
        (
            [rung('graph -> saved package, int8 weights', 3.0)],
            'int8',
            'FAILED: file with int8 weights close to graph (3 px, limit 1 px). Same as the model you trained: NO. '
            'What helps: `weights` fp16 stores them as they are, palette8 is as small and often closer',
        ),
        (
            [rung('graph -> saved package, palette6 weights', 3.0)],
            'palette6',
            'FAILED: file with palette6 weights close to graph (3 px, limit 1 px). Same as the model you trained: NO. '
            'What helps: `weights` fp16 stores them as they are, palette8 more exactly than palette6',
        ),
    ],
)
def test_the_verdict(rungs: list[Rung], stored: str, said: str) -> None:
    assert verdict(rungs, stored) == said


def test_a_file_is_judged_by_what_it_was() -> None:
    assert verdict([rung('a', 0.1)], 'float16', SAME_AS_EXPORTED) == 'Same as when it was exported: yes'


@pytest.mark.parametrize(
    ('rungs', 'said'),
    [
        ([rung('a', 0.1)], 'checked here: 1 check on 2 pictures'),
        ([rung('a', 0.1), rung('a', 0.2), rung('b', 3.0)], 'checked here: 2 checks on 2 pictures'),
        (
            [rung('a', 0.1), rung('executed here -> Core ML', None, note='not run: no Mac')],
            'checked here: 1 check on 2 pictures; Core ML itself (macOS): not run, no Mac',
        ),
    ],
)
def test_what_was_checked(rungs: list[Rung], said: str) -> None:
    assert checked(rungs, '2 pictures') == said


@pytest.mark.parametrize(
    ('value', 'limit', 'share'),
    [(None, 1, 0), (0, 0, 0), (0.5, 2, 0.25), (3, 2, 1.5), (1, 0, math.inf), (math.nan, 1, math.inf)],
)
def test_the_share_of_a_limit(value: float | None, limit: float, share: float) -> None:
    assert share_of(rung('a', value, limit)) == share


def test_rungs_of_one_name_are_one_check() -> None:
    rungs = [rung('a', 0.5), rung('b', None, note='why'), rung('a', 3.0), rung('c', math.nan)]
    a, b, c = checks_of(rungs)
    assert (a.name, a.made, a.failed, a.share, a.missing) == ('a', True, rungs[2], 3.0, '')
    assert (b.made, b.failed, b.share, b.missing) == (False, None, 0, 'why')
    assert (c.made, c.failed, c.share) == (True, rungs[3], math.inf)
