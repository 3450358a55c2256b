"""Curves in a page: whole SVG, no foreign text in it, colours of the page."""

import math
import re
from itertools import pairwise
from xml.etree import ElementTree

import pytest
from page_reader import EVIL, Reader

from mobileone_mm.pages.plots import COLOURS, HEIGHT, Line, plot, plots

MINUS = '\N{MINUS SIGN}'
RISING = [0.0, 1.0, 2.0, 3.0]
LINES = [Line(f'loss {EVIL}', RISING, [4.0, 2.0, math.nan, 1.0], '1.00'), Line('$x^2$', RISING, [1.0] * 4, dots=True)]


def drawing(html: str) -> ElementTree.Element:
    (svg,) = re.findall(r'<svg.*</svg>', html, re.DOTALL)
    named = svg.replace('<svg ', '<svg xmlns:xlink="http://www.w3.org/1999/xlink" ', 1)
    return ElementTree.fromstring(named)


def test_a_plot_is_whole_and_brings_no_style_of_its_own() -> None:
    html = plot(f'Loss {EVIL}', LINES, 'epoch')
    reader = Reader(html)
    assert not {tag for tag, _ in reader.tags} & {'script', 'style', 'metadata', 'image', 'a'}
    assert 'font-family' not in html
    assert '<?xml' not in html
    assert '<!DOCTYPE' not in html
    assert [texts for texts in reader.texts if EVIL in texts] == [f'Loss {EVIL}', f'loss {EVIL}']
    assert drawing(html).get('viewBox') == '0 0 480 270'


def test_what_a_line_shows_stands_below_it_as_it_is() -> None:
    reader = Reader(plot('Loss', LINES, 'epoch'))
    assert {'1.00', '$x^2$', 'epoch'} <= set(reader.texts)  # no formula
    (svg,) = (attributes for tag, attributes in reader.tags if tag == 'svg')
    assert svg['aria-label'] == f'Loss, against epoch: loss {EVIL} 1.00, $x^2$'
    assert [attributes['style'] for tag, attributes in reader.tags if tag == 'li'] == [
        f'--colour:{colour}' for colour in COLOURS[:2]
    ]


def test_axes_have_the_colours_of_the_page_and_lines_their_own() -> None:
    html = plot('Loss', LINES, 'epoch')
    strokes = set(re.findall(r'(?:stroke|fill): ([^;"]+)', html))
    assert {'var(--soft)', 'var(--line)', *COLOURS[:2]} <= strokes
    assert not strokes & {'#010203', '#010204', '#ffffff'}


def test_points_lie_where_they_belong() -> None:
    html = plot('Loss', [Line('a', RISING, [0.0, 1.0, 0.0, 4.0])], 'epoch', top=4)
    (path,) = (one.get('d') for one in drawing(html).iter() if COLOURS[0] in (one.get('style') or ''))
    points = [tuple(map(float, pair)) for pair in re.findall(r'[ML] (\S+) (\S+)', path or '')]
    across = [right[0] - left[0] for left, right in pairwise(points)]
    up = [points[0][1] - y for _, y in points]
    assert across == pytest.approx([across[0]] * 3, abs=1e-3)
    assert across[0] > 0
    assert up == pytest.approx([0, up[3] / 4, 0, up[3]], abs=1e-3)
    assert 0 < up[3] < HEIGHT


def test_the_names_in_two_plots_of_a_page_do_not_meet() -> None:
    html = plots([plot('Loss', LINES, 'epoch'), plot('Metrics', LINES, 'epoch'), plot('One', LINES[:1], 'epoch')])
    ids = [attributes['id'] for _, attributes in Reader(html).tags if 'id' in attributes]
    assert ids
    assert len(ids) == len(set(ids))
    used = {name for pair in re.findall(r'url\(#(\w+)\)|xlink:href="#(\w+)"', html) for name in pair if name}
    assert used <= set(ids)


def test_the_same_lines_give_the_same_drawing() -> None:
    assert plot('Loss', LINES, 'epoch') == plot('Loss', LINES, 'epoch')


def test_one_point_is_seen() -> None:
    assert 'xlink:href' in plot('Loss', [Line('a', [1.0], [1.0])], 'epoch')  # a dot; a line of one point is nothing


def ticks(html: str) -> list[str]:
    """The numbers along the x axis."""
    texts = Reader(html).texts
    return texts[1 : texts.index('epoch')]


def test_one_point_stands_where_it_belongs_and_not_in_a_world_of_its_own() -> None:
    assert ticks(plot('Loss', [Line('a', [1.0], [8.0])], 'epoch')) == ['0', '1']
    assert ticks(plot('Loss', [Line('a', [200.0], [8.0])], 'epoch')) == ['0', '50', '100', '150', '200']
    assert ticks(plot('Loss', [Line('a', [160_000.0], [8.0])], 'epoch'))[-1] == '160,000'


def test_the_axis_of_a_fraction_ends_at_1() -> None:
    assert ticks(plot('Recall', [Line('a', [0.0, 0.3], [1.0, 1.0])], 'epoch', whole=False))[-1] == '1'


def test_small_numbers_stand_whole_at_their_ticks() -> None:
    texts = Reader(plot('Rate', [Line('a', RISING, [0.0, 8e-5, 4e-5, 1e-6])], 'epoch', top=8e-5)).texts
    assert {f'4e{MINUS}05', f'8e{MINUS}05'} <= set(texts)


@pytest.mark.parametrize('value', [0.3235, 62.0, -3.0, 0.0])
def test_what_hardly_changes_looks_like_it(value: float) -> None:
    flat = drawing(plot('mAP', [Line('a', RISING, [value, value, value, value * 1.001])], 'epoch'))
    (path,) = (one.get('d') for one in flat.iter() if COLOURS[0] in (one.get('style') or ''))
    heights = [float(y) for y in re.findall(r'[ML] \S+ (\S+)', path or '')]
    assert max(heights) - min(heights) < 0.02 * HEIGHT
    assert 0.2 * HEIGHT < heights[0] < 0.8 * HEIGHT


def test_both_axes_are_named_where_the_title_does_not_say_it() -> None:
    assert 'precision' in Reader(plot('A curve', LINES, 'recall', up='precision')).texts
