"""The table and the report, against what they have to say of numbers written by hand."""

import math
from collections.abc import Mapping
from dataclasses import replace

import pytest

from mobileone_mm.artifact.columns import WIDTH
from mobileone_mm.evaluation.scores import Row, Scores

MODEL, FILE, SEVERAL, ONE = 'trained model (best.pth)', 'ssd.mlpackage', 'several labels', 'one label'


def scores_of(*rows: Row, percent: bool = False) -> Scores:
    rules = {'score threshold': 0.02, 'boxes per picture': 200}
    return Scores('out/ssd.mlpackage', 'ssd.py', 'coco/bbox_mAP', rows, 5, 60, rules, percent, ('a note',))


def row(name: str, rule: str, main: float | None, **others: float) -> Row:
    metrics: Mapping[str, float] = {**others, **({} if main is None else {'coco/bbox_mAP': main})}
    return Row(name, rule, metrics, 0.125)


def test_table() -> None:
    scores = scores_of(
        row(MODEL, SEVERAL, 0.5, AP50=0.75, small=-1.0, other=0.25, fifth=0.0),
        row(MODEL, ONE, 0.496),
        row(FILE, ONE, 0.4985, AP50=math.nan),
    )
    assert scores.table().splitlines() == [
        '5 of 60 pictures; score threshold 0.02, boxes per picture 200',
        '                  bbox_mAP      AP50     small     other     fifth  s/picture',
        'trained model (best.pth)',
        '  several labels    0.5000    0.7500         -    0.2500    0.0000      0.125',
        '  one label         0.4960         -         -         -         -      0.125',
        'ssd.mlpackage',
        '  one label         0.4985         -         -         -         -      0.125',
        'points of bbox_mAP:',
        '  -0.40  one label instead of several labels, in trained model (best.pth)',
        '  +0.25  ssd.mlpackage compared with trained model (best.pth), both with one',
        '         label',
        '  -0.15  in all, from the first row to the last',
    ]


def test_the_table_fits_a_terminal_whatever_the_metrics_are_called() -> None:
    # COCO's names and the rules of a detector, which are the widest that there are.
    names = [f'coco/bbox_mAP{ending}' for ending in ('', '_50', '_75', '_s', '_m', '_l')]
    several, one, file = 'several labels a box (mmdet)', 'one label a box (Core ML)', 'ssd_mobileone_s2.mlpackage'
    metrics = dict.fromkeys(names, 0.5)
    rows = tuple(Row(*who, metrics, 12.5) for who in ((MODEL, several), (MODEL, one), (file, one)))
    rules = {'score threshold': 0.02, 'IoU threshold': 0.45, 'boxes per picture': 200, 'another rule': 1.0}
    lines = Scores('a', 'b', names[1], rows, 5, 60, rules, False, ()).table().splitlines()
    assert max(map(len, lines)) <= WIDTH
    assert lines[2].split() == ['bbox_mAP_50', 'bbox_mAP', 'bbox_mAP_75', 's/picture']
    assert lines[4].split()[-4:] == ['0.5000', '0.5000', '0.5000', '12.500']
    (first, *_, last) = [index for index, line in enumerate(lines) if line.lstrip().startswith(('-', '+'))]
    said = ' '.join(' '.join(lines[first:last]).split())
    assert said == (f'+0.00 {one} instead of {several}, in {MODEL} +0.00 {file} compared with {MODEL}, both with {one}')


def test_a_metric_in_percent_is_not_multiplied() -> None:
    scores = scores_of(row(MODEL, ONE, 74.1, other=-1.0), row(FILE, ONE, 73.85), percent=True)
    lines = scores.table().splitlines()
    assert lines[1].split()[:3] == ['one', 'label', 'bbox_mAP']  # once, not in each row
    assert lines[3].split() == ['74.10', '-', '0.125']
    assert lines[-1].split(maxsplit=1) == ['-0.25', f'{FILE} compared with {MODEL}']
    (change,) = scores.differences
    assert change.points == pytest.approx(-0.25)
    report = scores.as_dict()
    assert report['percent'] is True
    assert report['rows'][0]['metrics']['coco/bbox_mAP'] == 74.1  # as the host says it


def test_no_difference_has_no_sign_of_its_own() -> None:
    table = scores_of(row(MODEL, ONE, 0.5), row(FILE, ONE, 0.5 - 1e-7)).table()
    assert table.endswith(f'\n  +0.00  {FILE} compared with {MODEL}')


@pytest.mark.parametrize(('change', 'told'), [(0.1, True), (1e-7, False), (-1e-7, False), (-0.1, True)])
def test_a_cause_is_told_where_there_is_a_difference_to_be_seen(change: float, told: bool) -> None:
    rows = (row(MODEL, SEVERAL, 0.5), row(MODEL, ONE, 0.5 + change))
    scores = replace(scores_of(*rows), rule_change='cause')
    what = f'one label instead of several labels, in {MODEL}'
    assert [line.what for line in scores.differences] == [f'{what}: cause' if told else what]
    assert ('cause' in scores.table()) == told


@pytest.mark.parametrize(
    ('rows', 'expected'),
    [
        ((row(FILE, ONE, 0.5),), []),
        ((row(FILE, SEVERAL, 0.5), row(FILE, ONE, 0.25)), [(f'one label instead of several labels, in {FILE}', -25)]),
        ((row(MODEL, ONE, None), row(FILE, ONE, 0.25)), [(f'{FILE} compared with {MODEL}', None)]),
        (
            (row('a', SEVERAL, 0.0), row('a', ONE, 0.125), row('b', SEVERAL, 0.25), row('b', ONE, 1.0)),
            [
                ('one label instead of several labels, in a', 12.5),
                ('b compared with a, both with several labels', 25),
                ('b compared with a, both with one label', 87.5),
                ('one label instead of several labels, in b', 75),
                ('in all, from the first row to the last', 100),
            ],
        ),
    ],
    ids=['alone', 'rule', 'no score', 'two models'],
)
def test_differences(rows: tuple[Row, ...], expected: list[tuple[str, float | None]]) -> None:
    assert [(change.what, change.points) for change in scores_of(*rows).differences] == expected


def test_report_has_every_metric_and_no_nan() -> None:
    report = scores_of(row(MODEL, ONE, 0.5), row(FILE, ONE, 0.25, AP50=math.nan, fifth=-1.0)).as_dict()
    assert report['rows'][1]['metrics'] == {'AP50': None, 'fifth': -1.0, 'coco/bbox_mAP': 0.25}
    assert report['differences'] == [{'what': f'{FILE} compared with {MODEL}', 'points': -25}]
    assert (report['pictures'], report['pictures_in_set'], report['seconds_a_picture']) == (5, 60, 0.125)
    assert (report['main_metric'], report['percent'], report['notes']) == ('coco/bbox_mAP', False, ['a note'])
