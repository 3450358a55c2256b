"""The checks of the page: a row each that says whether it holds, and the numbers behind it."""

import re
from typing import Any

from page_reader import Reader

from mobileone_mm.artifact.ladder import Rung
from mobileone_mm.exporter.page_checks import checks_section


def rung(name: str, value: float | None, limit: float, **others: Any) -> Rung:
    return Rung(name, value, limit, 'px', **others)


def widths(html: str) -> list[float]:
    return [float(width) for width in re.findall(r'<i style="width:([\d.]+)%">', html)]


def test_each_check_holds_or_not_and_bars_are_shares_of_the_limits() -> None:
    rungs = [
        *(rung('a', 0.1, 1), rung('b', 3, 2), rung('rows', 1, 0), rung('c', 0, 2)),
        *(rung('d', None, 2, note='not run: no Mac'), rung('n', float('nan'), 1)),
    ]
    html = checks_section(rungs, 'a drawn picture')
    assert widths(html) == [10, 100, 100, 100]  # zero and what was not made have none
    assert re.findall(r'<tr class="(\w+)">', html) == ['held', 'over', 'over', 'held', 'unmade', 'over']
    texts = Reader(html).between('share of its limit', 'Numbers, limits and technical names')
    assert texts == [
        *('a', 'yes', '10.0 %'),
        *('b', 'NO', '150 %'),
        *('rows', 'NO', 'beyond it'),
        *('c', 'yes', 'no difference'),
        *('d', 'not run: no Mac', 'not run'),
        *('n', 'NO', 'beyond it'),
    ]
    assert any(text.endswith('Made on a drawn picture.') for text in Reader(html).texts)


def test_a_check_in_two_units_is_one_row_with_the_worse_of_them() -> None:
    html = checks_section([Rung('a', 0.5, 1.0, 'score'), Rung('a', 3.0, 4.0, 'px')], 'pictures')
    texts = Reader(html).between('share of its limit', 'Numbers, limits and technical names')
    assert texts == ['a', 'yes', '75.0 %']


def test_a_limit_that_was_widened_is_said_where_the_check_is() -> None:
    why = 'limit 1 widened: rounding to float16 alone moves what this model gives by 2 px'
    rungs = [
        Rung('a', 0.5, 1.0, 'score'),
        rung('a', 3, 8, note=why, rounding='float16'),
        rung('b', 0.1, 1, note='c is'),
    ]
    texts = Reader(checks_section(rungs, 'pictures')).between(
        'share of its limit', 'Numbers, limits and technical names'
    )
    assert texts == ['a', why, 'yes', '50.0 %', 'b', 'yes', '10.0 %']


def test_a_check_is_called_by_its_plain_name_and_its_numbers_by_the_one_in_the_file() -> None:
    texts = Reader(checks_section([rung('trained -> fused, float64', 0.1, 1)], 'pictures')).texts
    numbers = texts.index('Numbers, limits and technical names')
    assert texts.index('fused = trained') < numbers < texts.index('trained → fused, float64')


def test_the_numbers_are_short() -> None:
    rungs = [rung('a', 2.07371e-15, 1e-10), rung('b', 255.0, 65504.0), rung('c', 0.078716, 0.05), rung('d', None, 1)]
    cells = re.findall(r'<td class="number(?: limit)?">(.*?)(?: <span.*?)?</td>', checks_section(rungs, 'pictures'))
    small, limit = '2.1 &times; 10<sup>&minus;15</sup>', '10<sup>&minus;10</sup>'
    assert cells == [
        *(small, limit, 'under 0.1 %'),
        *('255', '65,504', '0.4 %'),
        *('0.0787', '0.05', '157 %'),
        *('&ndash;', '1', '&ndash;'),
    ]


def test_a_comparison_of_rows_has_its_psnr() -> None:
    rungs = [rung('a', 0.1, 1, psnr_db=81.4), rung('b', 0.1, 1, note='in a layer, `fp32_ops` helps')]
    html = checks_section(rungs, 'pictures')
    texts = Reader(html).texts
    assert sum('PSNR' in text for text in texts) == 1
    assert 'PSNR 81 dB' in texts
    assert 'in a layer, <code>--fp32-op</code> helps' in html
