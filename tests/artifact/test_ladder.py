"""The ladder: its numbers, its table, and where it stops."""

import json
import math

import numpy as np
import pytest

from mobileone_mm.artifact.ladder import Rung, as_dicts, largest, psnr_of, require_rungs, table
from mobileone_mm.errors import ParityError

RAMP = np.array([0.5, 0.25, 0.0, -0.5])


def test_psnr_is_of_the_range_of_what_is_expected() -> None:
    off = RAMP.copy()
    off[1] += 0.01
    assert psnr_of(RAMP, off) == pytest.approx(20 * math.log10(1.0 / (0.01 / math.sqrt(4))))
    assert psnr_of(RAMP, RAMP) is None
    assert psnr_of(RAMP, np.full(4, math.nan)) is None


@pytest.mark.parametrize(
    ('values', 'expected'),
    [
        ([0.5, -2.0], 2.0),
        ([[0.0, 0.0]], 0.0),
        ([1.0, math.nan], math.nan),
        ([math.nan, 1.0], math.nan),
        ([-math.inf, 1.0], math.nan),
    ],
)
def test_the_largest_is_no_number_where_one_is_not(values: object, expected: float) -> None:
    assert largest(np.array(values)) == pytest.approx(expected, nan_ok=True)


def test_nan_does_not_hold() -> None:
    rung = Rung('a', math.nan, 1.0, 'px')
    assert not rung.holds
    with pytest.raises(ParityError, match=r'^a: nan px, limit 1 px$'):
        require_rungs([rung])


def test_a_rung_that_was_not_made_stops_nothing_and_one_that_is_off_does() -> None:
    require_rungs([Rung('a', None, 1.0, 'px', 'not run'), Rung('b', 1.0, 1.0, 'px')])
    with pytest.raises(ParityError, match=r'^b: 2\.00e\+00 px, limit 1 px \(why\)$'):
        require_rungs([Rung('a', 1.0, 1.0, 'px'), Rung('b', 2.0, 1.0, 'px', 'why'), Rung('c', 9.0, 1.0, 'px')])


def test_table_has_a_line_a_rung() -> None:
    lines = table([Rung('a -> b', 0.25, 1.0, 'px'), Rung('b -> c', None, 1.0, 'px', 'not run', 81.4)]).splitlines()
    assert [line.split() for line in lines[1:]] == [
        ['a', '->', 'b', '2.5e-01', '1.0e+00', 'px'],
        ['b', '->', 'c', '-', '1.0e+00', 'px', '81', '(not', 'run)'],
    ]


def test_rungs_as_json_can_hold_them() -> None:
    made = as_dicts([Rung('a', 0.25, 1.0, 'px'), Rung('b', None, 1.0, 'px', 'not run', 81.4)])
    assert [Rung(**one) for one in json.loads(json.dumps(made))] == [
        Rung('a', 0.25, 1.0, 'px'),
        Rung('b', None, 1.0, 'px', 'not run', 81.4),
    ]
