"""The table and the report, against what they have to say of numbers written by hand."""

import math
from collections.abc import Mapping

import pytest

from mobileone_mm.evaluation.scores import Row, Scores

MODEL, FILE, SEVERAL, ONE = 'trained model (best.pth)', 'ssd.mlpackage', 'several labels', 'one label'


def scores_of(*rows: Row) -> Scores:
    rules = {'score threshold': 0.02, 'boxes a picture': 200}
    return Scores('out/ssd.mlpackage', 'ssd.py', 'coco/bbox_mAP', rows, 5, 60, rules, ('a note',))


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
        '5 of 60 pictures; score threshold 0.02, boxes a picture 200',
        '                                          bbox_mAP      AP50     small     other  s a picture',
        'trained model (best.pth)  several labels    0.5000    0.7500         -    0.2500        0.125',
        'trained model (best.pth)  one label         0.4960         -         -         -        0.125',
        'ssd.mlpackage             one label         0.4985         -         -         -        0.125',
        'points of bbox_mAP:',
        '  -0.40  one label instead of several labels, in trained model (best.pth)',
        '  +0.25  ssd.mlpackage instead of trained model (best.pth), both with one label',
        '  -0.15  in all, from the first row to the last',
    ]


def test_no_difference_has_no_sign_of_its_own() -> None:
    table = scores_of(row(MODEL, ONE, 0.5), row(FILE, ONE, 0.5 - 1e-7)).table()
    assert table.endswith(f'\n  +0.00  {FILE} instead of {MODEL}, both with one label')


@pytest.mark.parametrize(
    ('rows', 'expected'),
    [
        ((row(FILE, ONE, 0.5),), []),
        ((row(FILE, SEVERAL, 0.5), row(FILE, ONE, 0.25)), [(f'one label instead of several labels, in {FILE}', -25)]),
        ((row(MODEL, ONE, None), row(FILE, ONE, 0.25)), [(f'{FILE} instead of {MODEL}, both with one label', None)]),
        (
            (row('a', SEVERAL, 0.0), row('a', ONE, 0.125), row('b', SEVERAL, 0.25), row('b', ONE, 1.0)),
            [
                ('one label instead of several labels, in a', 12.5),
                ('b instead of a, both with several labels', 25),
                ('b instead of a, both with one label', 87.5),
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
    assert report['differences'] == [{'what': f'{FILE} instead of {MODEL}, both with one label', 'points': -25}]
    assert (report['pictures'], report['pictures_in_set'], report['seconds_a_picture']) == (5, 60, 0.125)
    assert (report['main_metric'], report['notes']) == ('coco/bbox_mAP', ['a note'])
