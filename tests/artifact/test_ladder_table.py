"""The ladder as text: a line a check, its note below, no line wider than a terminal."""

import pytest

from mobileone_mm.artifact.columns import WIDTH
from mobileone_mm.artifact.ladder import Rung, table
from mobileone_mm.exporter.model_checks import FUSED_RUNG
from mobileone_mm.targets.coreml import rungs

LONG = 'in conv_12_cast_fp16 (conv), layer backbone.stage1.0.reparam_conv: ' + ', '.join(['it overflows float16'] * 9)


def test_a_line_for_each_check() -> None:
    lines = table([Rung('a -> b', 0.25, 1.0, 'px'), Rung('b -> c', None, 1.0, 'px', 'not run: why', 81.4)]).splitlines()
    assert [line.split() for line in lines] == [
        ['check', 'worst', 'limit', 'unit', 'PSNR', 'dB'],
        ['a', '->', 'b', '2.5e-01', '1.0e+00', 'px'],
        ['b', '->', 'c', '-', '1.0e+00', 'px', '81'],
        ['not', 'run:', 'why'],
    ]
    assert lines[3].startswith('    not')


@pytest.mark.parametrize(
    'name', [FUSED_RUNG, rungs.PACKED_RUNG.format('palette8'), rungs.COMPRESSED_RUNG.format('palette8')]
)
def test_it_fits_a_terminal_and_columns_stand_below_each_other(name: str) -> None:
    lines = table([Rung(name, 65504.0, 1e-10, 'magnitude', LONG, 314.2), Rung('a', 1.0, 1.0, 'px')]).splitlines()
    assert max(map(len, lines)) <= WIDTH
    heads, first, *notes, last = lines
    for title, value in (('worst', '6.6e+04'), ('limit', '1.0e-10')):
        assert heads.index(title) + len(title) == first.index(value) + len(value)
    assert first.index('magnitude') == heads.index('unit') == last.index('px')
    assert len(first) == len(heads)
    assert ' '.join(line.strip() for line in notes) == LONG
    assert all(line.startswith('    ') for line in notes)
