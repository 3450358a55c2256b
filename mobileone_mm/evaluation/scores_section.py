"""What a page says of scores: of a file, of the model it was made from, and of each class alone."""

from mobileone_mm.evaluation.scores import Row, Scores, short
from mobileone_mm.openmmlab.metrics import number_of
from mobileone_mm.pages.parts import bars, breakable, fold, plain, prose, section, table

MOST_CLASSES = 30  # beyond it, those that the model is better at are folded away
OPEN_CLASSES = 12
MINUS = '\N{MINUS SIGN}'


def scored(scores: Scores) -> str:
    """What the file scores, by each of its rules, and what it is compared with, in one sentence of HTML."""
    model, file = scores.rows[0], scores.rows[-1]
    own = [row for row in scores.rows if row.name == file.name]
    by_rule = [(_dashed(scores.number(row, scores.main)), f' with {plain(row.rule)}') for row in own]
    numbers = ', '.join(number + (rule if len(own) > 1 else '') for number, rule in by_rule)
    said = f'It scores {plain(short(scores.main))} {numbers}'
    if model.name != file.name:
        said += f'; the {plain(model.name)}, {_dashed(scores.number(model, scores.main))}'
    return f'{said}.'


def scores_section(scores: Scores) -> str:
    """The metrics of all that was scored, and the score of each class alone."""
    metrics = list(dict.fromkeys(metric for row in scores.rows for metric in row.metrics))
    lines = []
    for above, row in zip((None, *scores.rows), scores.rows, strict=False):
        cells = ''.join(f'<td class="number">{_points(scores, row, above, metric)}</td>' for metric in metrics)
        lines.append(f'<tr><th scope="row">{breakable(row.name)}<small>{plain(row.rule)}</small></th>{cells}</tr>')
    titles = ''.join(f'<th class="number">{plain(short(metric))}</th>' for metric in metrics)
    used = f'{scores.pictures} of {scores.total} pictures'
    unit = 'points of 100' if scores.percent else 'fractions of 1; a point is 0.01'
    compared = ', and the difference from the row above' if len(scores.rows) > 1 else ''
    what = f"The config's own metric on {used} of its test data{compared}. Scores are {unit}."
    intro = ' '.join([what, *(f'{note.removesuffix(".")}.' for note in scores.notes)])
    body = table('scores', f'<th>model</th>{titles}', lines) + _classes(scores)
    return section('Scores', prose(intro), body)


def _points(scores: Scores, row: Row, above: Row | None, metric: str) -> str:
    value, before = scores.points(row, metric), None if above is None else scores.points(above, metric)
    shown = _dashed(scores.number(row, metric))
    if value is None or before is None:
        return shown
    return f'{shown}<small>{_change(before, value)}</small>'


def _classes(scores: Scores) -> str:
    """The score of each class alone, the lowest first."""
    trained = scores.class_points(scores.rows[0]) if len(scores.rows) > 1 else {}
    file = scores.class_points(scores.rows[-1])
    if not file:
        return ''
    rows = [
        (
            name,
            points,
            number_of(scores.rows[-1].classes[name], scores.percent)
            + (f' ({_change(trained[name], points)})' if name in trained else ''),
        )
        for name, points in sorted(file.items(), key=lambda item: item[1])
    ]
    beside = ', in brackets the difference from the model' if len(scores.rows) > 1 else ''
    title = f'<h3>{plain(scores.class_metric)} of each class</h3><p>The lowest first{beside}.</p>'
    if len(rows) <= MOST_CLASSES:
        return title + bars(rows, 100)
    rest = rows[OPEN_CLASSES:]
    return title + bars(rows[:OPEN_CLASSES], 100) + fold(f'{len(rest)} more classes', bars(rest, 100))


def _change(before: float, after: float) -> str:
    change = round(after - before, 2) + 0.0  # no -0.00
    return f'{change:+.2f} points'.replace('-', MINUS)


def _dashed(number: str) -> str:
    return '&ndash;' if number == '-' else number
