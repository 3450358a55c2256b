"""The scores of the page, against numbers written by hand."""

import math
import re

import pytest
from page_reader import EVIL, Reader

from mobileone_mm.evaluation.scores import Row, Scores
from mobileone_mm.evaluation.scores_section import MOST_CLASSES, OPEN_CLASSES, scored, scores_section

DASH, MINUS = '\N{EN DASH}', '\N{MINUS SIGN}'


def scores_of(*rows: Row, percent: bool = False, notes: tuple[str, ...] = ()) -> Scores:
    return Scores('d.mlpackage', 'c.py', 'coco/mAP', rows, 4, 9, {}, percent, notes, class_metric='AP')


@pytest.mark.parametrize(
    ('shares', 'percent', 'sentence'),
    [
        ([0.61234, 0.6, 0.60107], False, 'It scores mAP 0.6011; the trained &lt;model&gt;, 0.6123.'),
        ([61.234, 60, 60.107], True, 'It scores mAP 60.11; the trained &lt;model&gt;, 61.23.'),
        ([0.60107], False, 'It scores mAP 0.6011.'),
        ([0.6, None], False, 'It scores mAP &ndash;; the trained &lt;model&gt;, 0.6000.'),
    ],
)
def test_the_score_in_a_sentence(shares: list[float | None], percent: bool, sentence: str) -> None:
    names = ['trained <model>'] * (len(shares) - 1) + ['d.mlpackage']
    scored_by = [{} if share is None else {'coco/mAP': share, 'b': 0.9} for share in shares]
    rows = [Row(name, 'y', metrics, 0.1) for name, metrics in zip(names, scored_by, strict=True)]
    assert scored(scores_of(*rows, percent=percent)) == sentence


def test_a_model_that_is_scored_by_two_rules_is_compared_with_no_other() -> None:
    rows = [Row('best.pth', rule, {'coco/mAP': share}, 0.1) for rule, share in (('<its>', 0.5), ("a phone's", 0.6))]
    assert scored(scores_of(*rows)) == 'It scores mAP 0.5000 with &lt;its&gt;, 0.6000 with a phone&#x27;s.'


def row(name: str, rule: str, main: float | None, small: float | None = None) -> Row:
    metrics = {'coco/mAP': main, 'coco/mAP_s': small}
    return Row(name, rule, {key: value for key, value in metrics.items() if value is not None}, 0.1)


def texts_of(scores: Scores) -> list[str]:
    return Reader(scores_section(scores)).texts


def test_scores_are_fractions_with_the_difference_from_the_row_above() -> None:
    rows = [
        row('trained', 'several', 0.61234, -1.0),
        row('trained', 'one label', 0.6),
        row(EVIL, 'one label', 0.60107, math.nan),
        row(EVIL, 'in less', 0.601069, math.nan),
        row('nothing found', 'one label', None),
    ]
    title, intro, *table = texts_of(scores_of(*rows, notes=('A note.',)))
    assert title == 'Scores'
    assert '4 of 9 pictures' in intro
    assert 'Scores are fractions of 1; a point is 0.01.' in intro
    assert intro.endswith('A note.')
    assert table == [
        *('model', 'mAP', 'mAP_s'),
        *('trained', 'several', '0.6123', DASH),
        *('trained', 'one label', '0.6000', f'{MINUS}1.23 points', DASH),
        *(EVIL, 'one label', '0.6011', '+0.11 points', DASH),
        *(EVIL, 'in less', '0.6011', '+0.00 points', DASH),
        *('nothing found', 'one label', DASH, DASH),
    ]


def test_a_metric_in_percent_is_in_points_as_it_stands() -> None:
    _, intro, *table = texts_of(scores_of(row('a', 'r', 74.1), row('b', 'r', 73.85), percent=True))
    assert 'Scores are points of 100.' in intro
    assert table == ['model', 'mAP', 'a', 'r', '74.10', 'b', 'r', '73.85', f'{MINUS}0.25 points']


def with_classes(name: str, classes: dict[str, float]) -> Row:
    return Row(name, 'r', {'coco/mAP': 0.5}, 0.1, classes)


def test_each_class_alone_the_lowest_first() -> None:
    trained = with_classes('trained', {'cat': 0.9, 'dog': 0.4, EVIL: 0.1})
    file = with_classes('file', {'cat': 0.875, 'dog': 0.4, EVIL: 0.2, 'new': 0.3, 'not there': -1.0})
    html = scores_section(scores_of(trained, file))
    texts = Reader(html).texts
    assert texts[texts.index('AP of each class') + 2 :] == [
        *(EVIL, '0.2000 (+10.00 points)'),
        *('new', '0.3000'),
        *('dog', '0.4000 (+0.00 points)'),
        *('cat', f'0.8750 ({MINUS}2.50 points)'),
    ]
    assert re.findall(r'<i style="width:([\d.]+)%">', html) == ['20.00', '30.00', '40.00', '87.50']


def test_a_file_that_is_scored_alone_has_no_differences() -> None:
    note = 'It is scored alone; `checkpoint` puts the model beside it'
    html = scores_section(scores_of(with_classes('file', {'cat': 0.9}), notes=(note,)))
    texts = Reader(html).texts
    assert 'difference' not in html
    assert texts[-2:] == ['cat', '0.9000']
    assert '<code>checkpoint</code> puts the model beside it.' in html


@pytest.mark.parametrize(('count', 'folded'), [(MOST_CLASSES, 0), (MOST_CLASSES + 1, MOST_CLASSES + 1 - OPEN_CLASSES)])
def test_of_many_classes_the_best_are_folded_away(count: int, folded: int) -> None:
    classes = {f'class {index}': index / 100 for index in range(count)}
    html = scores_section(scores_of(with_classes('file', classes)))
    before, _, behind = html.partition('<details>')
    assert [part.count('<li>') for part in (before, behind)] == [count - folded, folded]
    assert (f'{folded} more classes' in behind) == (folded > 0)
