"""What the page is built of: texts that stay texts, numbers that are short, bars."""

import re

import pytest

from mobileone_mm.pages.parts import bar, bars, breakable, number, percent, plain, prose

RIGHT_TO_LEFT = '\u202e'  # turns what follows it


@pytest.mark.parametrize(
    ('text', 'said'),
    [
        ('<b>&"\'', '&lt;b&gt;&amp;&quot;&#x27;'),
        (f'a{RIGHT_TO_LEFT}b\nc\x00', 'a\ufffdb\ufffdc\ufffd'),
        ('क्\u200dष', 'क्\u200dष'),
        ('Ünïçödé 猫 🐈', 'Ünïçödé 猫 🐈'),
    ],
)
def test_a_text_is_escaped_and_what_cannot_be_seen_is_marked(text: str, said: str) -> None:
    assert plain(text) == said


def test_a_path_breaks_between_its_parts_and_is_the_same_when_copied() -> None:
    broken = breakable('/work_dirs/a/best_mAP.pth <_>')
    assert broken == '/work_<wbr>dirs/<wbr>a/<wbr>best_<wbr>mAP.pth &lt;_&gt;'
    assert broken.replace('<wbr>', '') == plain('/work_dirs/a/best_mAP.pth <_>')


def test_options_in_a_sentence_are_code() -> None:
    assert prose('`fp32_ops` a<b, `x') == '<code>--fp32-op</code> a&lt;b, `x'


@pytest.mark.parametrize(
    ('value', 'said'),
    [
        (2.07371e-15, '2.1 &times; 10<sup>&minus;15</sup>'),
        (1e-10, '10<sup>&minus;10</sup>'),
        (0.078716, '0.0787'),
        (0.0, '0'),
        (255.0, '255'),
        (65504.0, '65,504'),
        (float('nan'), 'no number'),
        (float('inf'), 'no number'),
        (None, '&ndash;'),
    ],
)
def test_numbers_are_short(value: float | None, said: str) -> None:
    assert number(value) == said


@pytest.mark.parametrize(
    ('share', 'said'),
    [
        (0.0, '0 %'),
        (1e-9, 'under 0.1 %'),
        (0.25, '25.0 %'),
        (1.0, '100 %'),
        (3.2, '320 %'),
        (float('inf'), 'beyond it'),
    ],
)
def test_shares_in_percent(share: float, said: str) -> None:
    assert percent(share) == said


def widths(html: str) -> list[float]:
    return [float(width) for width in re.findall(r'<i style="width:([\d.]+)%">', html)]


def test_a_bar_is_filled_by_its_share_and_no_further() -> None:
    assert [widths(bar(share)) for share in (0, 0.1, 1, 7, float('inf'))] == [[], [10], [100], [100], [100]]


def test_bars_are_shares_of_the_largest_or_of_what_fills_them() -> None:
    rows = [('a', 5.0, '5'), ('b', 10.0, '10'), ('none', 0.0, '0')]
    assert widths(bars(rows)) == [50, 100]
    assert widths(bars(rows, 100)) == [5, 10]
    assert widths(bars([])) == []
