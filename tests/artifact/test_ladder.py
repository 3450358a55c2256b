"""The ladder: its numbers, its table, and where it stops."""

import json
import math
import re

import numpy as np
import pytest

from mobileone_mm.artifact.columns import WIDTH
from mobileone_mm.artifact.ladder import (
    PLAIN_NAMES,
    Rung,
    as_dicts,
    cure_of,
    failure,
    largest,
    legend,
    plain_name,
    psnr_of,
    require_rungs,
    table,
)
from mobileone_mm.errors import ParityError
from mobileone_mm.exporter.model_checks import FUSED_RUNG
from mobileone_mm.targets.coreml import rungs

RAMP = np.array([0.5, 0.25, 0.0, -0.5])
LONG = 'in conv_12_cast_fp16 (conv), layer backbone.stage1.0.reparam_conv: ' + ', '.join(['it overflows float16'] * 9)


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
    with pytest.raises(ParityError, match=r'^a: no number, limit 1 px \('):
        require_rungs([rung])


def test_a_rung_that_was_not_made_stops_nothing_and_one_that_is_off_does() -> None:
    require_rungs([Rung('a', None, 1.0, 'px', 'not run'), Rung('b', 1.0, 1.0, 'px')])
    with pytest.raises(ParityError, match=r'^b: 2 px, limit 1 px \(why; what helps\)$'):
        require_rungs(
            [Rung('a', 1.0, 1.0, 'px'), Rung('b', 2.0, 1.0, 'px', 'why', cure='what helps'), Rung('c', 9.0, 1.0, 'px')]
        )
    with pytest.raises(ParityError, match=r'^b: 2 px, limit 1 px \(what helps\); or else$'):
        require_rungs([Rung('b', 2.0, 1.0, 'px', cure='what helps')], 'or else')


def test_a_line_for_each_check() -> None:
    lines = table([Rung('a -> b', 0.25, 1.0, 'px'), Rung('b -> c', None, 1.0, 'px', 'not run: why', 81.4)]).splitlines()
    assert [line.split() for line in lines] == [
        ['check', 'worst', 'limit', 'unit', 'PSNR', 'dB'],
        ['a', '->', 'b', '2.5e-01', '1.0e+00', 'px'],
        ['b', '->', 'c', '-', '1.0e+00', 'px', '81'],
        ['not', 'run:', 'why'],
    ]
    assert lines[3].startswith('    not')


def test_a_name_stands_once_above_its_units() -> None:
    lines = table([Rung('a', 0.5, 1.0, 'score'), Rung('a', 0.25, 1.0, 'px'), Rung('b', 0.0, 1.0, 'px')]).splitlines()
    assert [line.split()[0] for line in lines[1:]] == ['a', '2.5e-01', 'b']


@pytest.mark.parametrize(
    ('name', 'said'),
    [
        (FUSED_RUNG, 'fused = trained'),
        (rungs.COMPRESSED_RUNG.format('int8'), 'file with int8 weights close to graph'),
        (rungs.PACKED_RUNG.format('palette6'), "palette6 weights close to the model's"),
        ('mine -> yours', 'mine -> yours'),
    ],
)
def test_names_are_plain_words(name: str, said: str) -> None:
    assert plain_name(name) == said


@pytest.mark.parametrize(
    'name', [FUSED_RUNG, rungs.PACKED_RUNG.format('palette8'), rungs.COMPRESSED_RUNG.format('palette8')]
)
def test_it_fits_a_terminal_and_columns_stand_below_each_other(name: str) -> None:
    lines = table([Rung(name, 65504.0, 1e-10, 'magnitude', LONG, 314.2), Rung('a', 1.0, 1.0, 'px')]).splitlines()
    assert max(map(len, lines)) <= WIDTH
    heads, first, failed, *notes, last = lines
    assert failed == '    FAILED'
    for title, value in (('worst', '6.6e+04'), ('limit', '1.0e-10')):
        assert heads.index(title) + len(title) == first.index(value) + len(value)
    assert first.index('magnitude') == heads.index('unit') == last.index('px')
    assert len(first) == len(heads)
    assert ' '.join(line.strip() for line in notes) == LONG
    assert all(line.startswith('    ') for line in notes)


def test_the_legend_says_what_the_units_in_use_mean() -> None:
    said = legend([Rung('a', 0.5, 1.0, unit) for unit in ('px', 'of max', 'magnitude', 'of max', 'score')])
    expected = "of max: as a fraction of the layer's largest output; magnitude: the largest absolute value"
    assert ' '.join(said.split()) == expected
    assert said.count('of max') == 1
    assert 'of range' not in said
    assert max(map(len, said.splitlines())) <= WIDTH
    assert legend([Rung('a', 0.5, 1.0, 'px')]) == ''


def test_rungs_as_json_can_hold_them() -> None:
    made = as_dicts([Rung('a', 0.25, 1.0, 'px'), Rung('b', None, 1.0, 'px', 'not run', 81.4)])
    assert [Rung(**one) for one in json.loads(json.dumps(made))] == [
        Rung('a', 0.25, 1.0, 'px'),
        Rung('b', None, 1.0, 'px', 'not run', 81.4),
    ]


@pytest.mark.parametrize(
    ('value', 'limit', 'said'),
    [
        (1.0000001, 1.0, '1.0000001 px, limit 1 px'),
        (1.0 + 2**-52, 1.0, '1.0000000000000002 px, limit 1 px'),
        (1.04, 1.0, '1.04 px, limit 1 px'),
        (0.031, 0.02, '0.031 px, limit 0.02 px'),
        (65505.0, 65504.0, '6.6e+04 px, limit 65504 px'),
        (3.0, 0, '3 px, limit 0 px'),
    ],
)
def test_a_value_beyond_its_limit_looks_like_it(value: float, limit: float, said: str) -> None:
    rung = Rung('a', value, limit, 'px', cure='do that')
    with pytest.raises(ParityError, match=f'^a: {re.escape(said)} \\(do that\\)$'):
        require_rungs([rung])
    assert failure(rung) == f'FAILED: a ({said})'
    assert table([rung]).splitlines()[1].split()[1] == said.split()[0]


def test_every_failure_names_what_is_likely_to_help() -> None:
    for name in (*PLAIN_NAMES, 'of a task to come'):
        for kind in ('int8', 'palette8'):
            rung = Rung(name.format(kind), 2.0, 1.0, 'px', 'it overflows; `precision` fp32')
            assert cure_of(rung) or name == 'saved package, largest value', name  # whose note says it
    assert cure_of(Rung('a', 2.0, 1.0, 'px', cure='this')) == 'this'


def test_json_has_no_number_where_there_is_none() -> None:
    (known, unknown) = as_dicts([Rung('a', 2.0, 1.0, 'px'), Rung('b', math.nan, 1.0, 'px', 'why')])
    assert known == {'name': 'a', 'value': 2.0, 'limit': 1.0, 'unit': 'px', 'note': '', 'psnr_db': None}
    assert (unknown['value'], unknown['note']) == (None, 'failed: no number; why')
    json.dumps((known, unknown), allow_nan=False)
