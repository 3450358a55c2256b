"""The page about an export: whole, by itself, every value escaped, and the pictures show what was found."""

import base64
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from mobileone_mm.artifact.ladder import Rung, plain_name
from mobileone_mm.errors import UsageError
from mobileone_mm.evaluation.scores import Row, Scores
from mobileone_mm.exporter.page import page, write_page
from mobileone_mm.exporter.page_pictures import MOST_PAIRS, PICTURE_SIDE, Pair
from mobileone_mm.exporter.report import Report
from mobileone_mm.pictures.drawing import MARK
from mobileone_mm.tasks.detection.agreement import SCORE_TOLERANCE
from mobileone_mm.tasks.detection.detections import Detections

EVIL = '<b>&"'  # a class name that breaks a page that does not escape
VOID = {'meta', 'img'}
LOADING = {'src', 'href', 'srcset', 'data', 'poster', 'action', 'background'}  # attributes that make a browser fetch
SAND = (200, 150, 100)  # RGB
SQUARE = (0.25, 0.25, 0.75, 0.75)
CORNER = (0.8, 0.8, 0.95, 0.95)
DASH, MINUS = '\N{EN DASH}', '\N{MINUS SIGN}'
NOISE = 40  # grey levels; what JPEG leaves of a difference of none


class Reader(HTMLParser):
    """Reads a page strictly: every tag is closed in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len({name for name, _ in attrs}) == len(attrs), f'{tag}: an attribute stands twice'
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data.strip())

    @property
    def images(self) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.tags if tag == 'img']


def found(*rows: tuple[tuple[float, ...], float, int]) -> Detections:
    boxes, scores, labels = zip(*rows, strict=True) if rows else ((), (), ())
    return Detections(np.array(boxes).reshape(-1, 4), np.array(scores, dtype=float), np.array(labels, dtype=np.int64))


def pair(trained: Detections, exported: Detections, name: str = 'a.png') -> Pair:
    return Pair(name, np.tile(np.array(SAND, np.uint8), (64, 96, 1)), trained, exported)


ALIKE = pair(found((SQUARE, 0.9, 0)), found((SQUARE, 0.9 - SCORE_TOLERANCE / 2, 0)))
ONE_MISSES = pair(found((SQUARE, 0.9, 0), (CORNER, 0.6, 1)), found((SQUARE, 0.9, 0)), 'b.png')


SNIPPET = ('Copy it into the app:', 'let detector = "<Detector>" && true')


@pytest.fixture(scope='module')
def report(exported: Report) -> Report:
    """A real report, but of a class with an evil name."""
    return replace(exported, info=replace(exported.info, classes=(EVIL, 'square', 'triangle')))


def html_of(report: Report, pairs: Sequence[Pair] = (), **changes: Any) -> str:
    return page(replace(report, **changes), pairs, SNIPPET)


def decoded(image: Mapping[str, str | None]) -> 'np.ndarray[Any, Any]':
    source = image['src']
    assert source is not None
    kind, _, data = source.partition(',')
    assert kind == 'data:image/jpeg;base64'
    picture = cv2.imdecode(np.frombuffer(base64.b64decode(data, validate=True), np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    assert (str(picture.shape[1]), str(picture.shape[0])) == (image['width'], image['height'])
    return picture


def reddish(picture: 'np.ndarray[Any, Any]') -> int:
    """Pixels of the colour that marks what differs."""
    rgb = [int(MARK[start : start + 2], 16) for start in (1, 3, 5)]
    return int((np.abs(picture.astype(int) - rgb[::-1]).max(axis=2) < NOISE).sum())


def test_the_page_is_whole_and_loads_nothing(report: Report, tmp_path: Path) -> None:
    write_page(tmp_path / 'report.html', report, [ALIKE, ONE_MISSES], SNIPPET)
    html = (tmp_path / 'report.html').read_text(encoding='utf-8')
    reader = Reader(html)
    assert html.startswith('<!DOCTYPE html>\n<html lang="en">')
    assert not {tag for tag, _ in reader.tags} & {'script', 'link', 'iframe', 'object', 'base'}
    for tag, attributes in reader.tags:
        for name in LOADING & set(attributes):
            assert (attributes[name] or '').startswith('data:'), f'{tag} loads {attributes[name]}'
    assert not re.search(r'url\(|@import', html)
    assert not re.search(r'\$[a-z{]', html)  # a placeholder that was forgotten
    ids = [attributes['id'] for _, attributes in reader.tags if 'id' in attributes]
    assert len(set(ids)) == len(ids)


def test_every_value_is_there_and_escaped(report: Report, exported: Report) -> None:
    reader = Reader(html_of(report, [ALIKE]))
    texts = set(reader.texts)
    names = {rung.name.replace('->', '→') for rung in exported.rungs} | {plain_name(r.name) for r in exported.rungs}
    assert names | {rung.note for rung in exported.rungs if rung.note} <= texts
    assert {rung.unit for rung in exported.rungs} <= texts
    assert {EVIL, 'square', 'triangle', *report.operations, *report.seconds} <= texts
    assert {exported.info.config, exported.info.checkpoint, *exported.info.versions.values()} <= texts
    assert f'sha256 {exported.info.checkpoint_sha256[:12]}' in texts
    assert set(SNIPPET) <= texts
    assert f'{EVIL} 0.90' in str(reader.images[0]['alt'])
    # The verdict alone has a <b> with text in it that is not a picture's name.
    assert sum(tag == 'b' for tag, _ in reader.tags) == 2


def test_operations_are_ordered_by_count_and_stations_as_they_ran(report: Report) -> None:
    texts = Reader(html_of(report)).texts
    operations = sorted(report.operations.items(), key=lambda item: -item[1])
    places = [texts.index(name, texts.index('Operations')) for name, _ in operations]
    assert places == sorted(places)
    assert [texts[place + 1] for place in places] == [str(count) for _, count in operations]
    stations = [texts.index(name, texts.index('Time')) for name in report.seconds]
    assert stations == sorted(stations)


def test_pictures_are_the_same_where_detections_are(report: Report) -> None:
    same = pair(found((SQUARE, 0.9, 0)), found((SQUARE, 0.9, 0)))
    left, right = map(decoded, Reader(html_of(report, [same])).images)
    assert max(left.shape) == PICTURE_SIDE
    assert (left == right).all()
    assert reddish(left) == 0
    assert np.abs(left[-1, 0].astype(int) - SAND[::-1]).max() < NOISE
    # Something is drawn.
    assert (np.abs(left.astype(int) - SAND[::-1]).max(axis=2) > NOISE).sum() > 500


def test_what_differs_is_red_where_it_is(report: Report) -> None:
    reader = Reader(html_of(report, [ONE_MISSES]))
    left, right = map(decoded, reader.images)
    assert [image['alt'] for image in reader.images] == [
        f'b.png, trained model: {EVIL} 0.90, square 0.60',
        f'b.png, exported file: {EVIL} 0.90',
    ]
    assert reddish(left) > 100
    assert reddish(right) == 0
    height, width = left.shape[:2]
    changed = np.argwhere(np.abs(left.astype(int) - right).max(axis=2) > NOISE)
    # The corner's frame, and its label above, which runs to the left where there is no room.
    assert (changed >= (0.65 * height, 0.5 * width)).all()
    assert 'boxes: trained 2, exported 1, in agreement 1; largest difference 0 in score, 0 px' in reader.texts


def test_those_that_differ_come_first_and_the_number_is_limited(report: Report) -> None:
    pairs = [replace(ALIKE, name=f'{index}.png') for index in range(MOST_PAIRS)] + [ONE_MISSES]
    reader = Reader(html_of(report, pairs))
    assert len(reader.images) == 2 * MOST_PAIRS
    names = [text for text in reader.texts if text.endswith('.png')]
    assert names == ['b.png', *(f'{index}.png' for index in range(MOST_PAIRS - 1))]
    assert any(f'{MOST_PAIRS} of {MOST_PAIRS + 1} are shown' in text for text in reader.texts)


def test_without_pictures_and_scores_there_are_no_such_sections(report: Report) -> None:
    texts = Reader(html_of(report)).texts
    assert not {'Pictures', 'Scores'} & set(texts)
    assert {'Checks', 'Use it', 'Operations', 'Time', 'Made with'} <= set(texts)


def rung(name: str, value: float | None, limit: float, **others: Any) -> Rung:
    return Rung(name, value, limit, 'px', **others)


def widths(html: str) -> Iterable[float]:
    return [float(width) for width in re.findall(r'<i style="width:([\d.]+)%">', html)]


def test_bars_are_shares_of_the_limits(report: Report) -> None:
    rungs = [rung('a', 0.1, 1), rung('b', 3, 2), rung('rows', 1, 0), rung('c', 0, 2), rung('d', None, 2)]
    html = html_of(report, rungs=rungs, operations={}, seconds={})
    assert widths(html) == [10, 100, 100]  # zero and what was not made have none
    assert re.findall(r'<tr class="(\w+)">', html) == ['held', 'over', 'over', 'held', 'unmade']
    assert 'class="verdict bad"' in html


def test_numbers_are_short(report: Report) -> None:
    rungs = [rung('a', 2.07371e-15, 1e-10), rung('b', 255.0, 65504.0), rung('c', 0.078716, 0.05), rung('d', None, 1)]
    html = html_of(report, rungs=rungs)
    cells = re.findall(r'<td class="number(?: limit)?">(.*?)(?: <span.*?)?</td>', html)
    small, limit = '2.1 &times; 10<sup>&minus;15</sup>', '10<sup>&minus;10</sup>'
    assert cells == [small, limit, '255', '65,504', '0.0787', '0.05', '&ndash;', '1']


def scores_of(*rows: Row, percent: bool = False, notes: tuple[str, ...] = ()) -> Scores:
    return Scores('d.mlpackage', 'c.py', 'coco/mAP', rows, 4, 9, {}, percent, notes)


@pytest.mark.parametrize(('percent', 'whole'), [(False, 1.0), (True, 100.0)])
@pytest.mark.parametrize(
    ('shares', 'sentence'),
    [
        ([0.61234, 0.6, 0.60107], 'It scores 60.11 points of mAP, the model that it was made from 61.23.'),
        ([0.60107], 'It scores 60.11 points of mAP.'),
        ([0.6, None], f'It scores {DASH} points of mAP, the model that it was made from 60.00.'),
    ],
)
def test_the_score_stands_at_the_top(
    report: Report, shares: list[float | None], sentence: str, percent: bool, whole: float
) -> None:
    rows = [Row('x', 'y', {} if share is None else {'coco/mAP': share * whole, 'b': 0.9}, 0.1) for share in shares]
    texts = Reader(html_of(report, scores=scores_of(*rows, percent=percent))).texts
    assert any(text.endswith(sentence) for text in texts[: texts.index('Checks')])


def row(name: str, rule: str, main: float | None, small: float | None = None) -> Row:
    metrics = {'coco/mAP': main, 'coco/mAP_s': small}
    return Row(name, rule, {key: value for key, value in metrics.items() if value is not None}, 0.1)


def test_scores_are_points_with_the_difference_from_the_row_above(report: Report) -> None:
    rows = [
        row('trained', 'several', 0.61234, -1.0),
        row('trained', 'one label', 0.6),
        row(EVIL, 'one label', 0.60107, math.nan),
        row(EVIL, 'in less', 0.601069, math.nan),
        row('nothing found', 'one label', None),
    ]
    reader = Reader(html_of(report, scores=scores_of(*rows, notes=('A note.',))))
    start = reader.texts.index('Scores')
    texts = [text for text in reader.texts[start : reader.texts.index('Use it')] if text]
    assert '4 of 9 pictures' in texts[1]
    assert texts[1].endswith('A note.')
    assert texts[2:] == [
        *('model', 'mAP', 'mAP_s'),
        *('trained', 'several', '61.23', DASH),
        *('trained', 'one label', '60.00', f'{MINUS}1.23', DASH),
        *(EVIL, 'one label', '60.11', '+0.11', DASH),
        *(EVIL, 'in less', '60.11', '+0.00', DASH),
        *('nothing found', 'one label', DASH, DASH),
    ]


def test_a_metric_in_percent_is_in_points_as_it_stands(report: Report) -> None:
    reader = Reader(html_of(report, scores=scores_of(row('a', 'r', 74.1), row('b', 'r', 73.85), percent=True)))
    start = reader.texts.index('Scores')
    texts = [text for text in reader.texts[start : reader.texts.index('Use it')] if text]
    assert texts[2:] == ['model', 'mAP', 'a', 'r', '74.10', 'b', 'r', '73.85', f'{MINUS}0.25']


@pytest.mark.parametrize(('weights', 'said'), [('palette8', 'palette8'), ('palette6', 'palette6 (experimental)')])
def test_weights_are_named(weights: str, said: str, report: Report) -> None:
    texts = Reader(html_of(report, info=replace(report.info, weights=weights))).texts
    assert f'computes in float16, weights {said}' in texts


def test_an_older_page_is_replaced_and_nothing_else(report: Report, tmp_path: Path) -> None:
    path = tmp_path / 'report.html'
    write_page(path, report, [], SNIPPET)
    write_page(path, report, [], SNIPPET)
    path.write_text('<!DOCTYPE html><title>my own</title>')
    with pytest.raises(
        UsageError, match=r'report\.html: this file is not a page about an export written by mobileone_mm'
    ):
        write_page(path, report, [], SNIPPET)
    assert 'my own' in path.read_text()


def test_a_comparison_of_rows_has_its_psnr(report: Report) -> None:
    rungs = [rung('a', 0.1, 1, psnr_db=81.4), rung('b', 0.1, 1, note='in a layer')]
    texts = Reader(html_of(report, rungs=rungs)).texts
    assert 'PSNR 81 dB' in texts
    assert 'in a layer' in texts
    assert sum('PSNR' in text for text in texts) == 1
