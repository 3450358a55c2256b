"""What a page says of a model's mistakes: each class, precision and recall, confusion, the worst pictures."""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from mobileone_mm.errors import MobileOneError
from mobileone_mm.evaluation.judgement import Judgement, OfClass, Worst
from mobileone_mm.pages.frame import chips
from mobileone_mm.pages.images import Shown, figure
from mobileone_mm.pages.parts import bars, breakable, fold, plain, section, table
from mobileone_mm.pages.plots import Line, plot, plots
from mobileone_mm.pictures.colours import hexadecimal
from mobileone_mm.pictures.drawing import resized
from mobileone_mm.pictures.reading import read_picture
from mobileone_mm.tasks.ranked import curve, f1_scores

SIDE = 640  # px of a picture's longer side in the page
MOST_CLASSES = 30  # in a table; beyond it, those with higher scores are folded away
OPEN_CLASSES = 12
MOST_SQUARE = 15  # classes of a confusion matrix; more are hard to read, and are listed instead
MOST_COUNTED = 99_999  # in a confusion matrix; larger numbers are hard to compare, and stand as shares of their row
MOST_LISTED = 20  # confusions
MOST_CURVES = 7  # classes; beyond it, those with the lowest scores
CURVE_POINTS = 200
Values = npt.NDArray[np.float64]
STEP = 0.01
THRESHOLDS: Values = np.linspace(STEP, 1 - STEP, 99)  # of scores


def sections(judgement: Judgement, where: str) -> list[str]:
    """All of them, as far as there is something to be said.

    Args:
        judgement: of one picture or more.
        where: which pictures, in words.
    """
    drawn = [classes_section(judgement, where)]
    if judgement.ranked is not None and len(judgement.ranked.labels):
        drawn.append(curves_section(judgement))
    if len(judgement.counts) > 1:
        drawn.append(confusion_section(judgement))
    if judgement.worst and _draws(judgement):
        drawn.append(worst_section(judgement, where))
    return drawn


def _draws(judgement: Judgement) -> bool:
    """Whether what draws on pictures is installed."""
    try:
        judgement.judging.require()
    except MobileOneError:
        return False
    return True


def classes_section(judgement: Judgement, where: str) -> str:
    """A row for each class, the lowest score first."""
    judging = judgement.judging
    every = judgement.of_classes()
    rows = sorted(
        (one for one in every if one.annotated or one.found), key=lambda one: (math.isnan(one.score), one.score)
    )
    heads = ''.join(
        f'<th class="number">{plain(title)}</th>'
        for title in (judging.score, 'recall', 'precision', f'{judging.unit} annotated', 'found')
    )
    heads = f'<th>class</th>{heads}'
    lines = [_class_row(one, judging.percent) for one in rows]
    body = table('scores', heads, lines if len(lines) <= MOST_CLASSES else lines[:OPEN_CLASSES])
    if len(lines) > MOST_CLASSES:
        rest = lines[OPEN_CLASSES:]
        body += fold(f'{len(rest)} more classes', table('scores', heads, rest))
    intro = f'On {where}, the lowest {judging.score} first. {judging.explained}'
    if absent := len(every) - len(rows):
        intro += f' {absent} of {len(every)} classes are in none of them, and were not found.'
    return section('Classes', plain(intro), body)


def _class_row(one: OfClass, percent: bool) -> str:
    shares = (_shown(value, percent) for value in (one.score, one.recall, one.precision))
    values = *shares, f'{one.annotated:,}', f'{one.found:,}'
    cells = ''.join(f'<td class="number">{value}</td>' for value in values)
    return f'<tr><th scope="row">{breakable(one.name)}</th>{cells}</tr>'


def _shown(value: float, percent: bool) -> str:
    if math.isnan(value):
        return '&ndash;'
    return f'{100 * value:.2f}' if percent else f'{value:.3f}'


def curves_section(judgement: Judgement) -> str:
    """Precision against recall, of the classes that have something to find."""
    ranked, judging = judgement.ranked, judgement.judging
    assert ranked is not None, 'it was asked before'
    annotated, without = judgement.annotated(), []
    lines: dict[int, Line] = {}  # by label
    known = [(label, one) for label, one in enumerate(judgement.of_classes()) if one.annotated]
    for label, one in sorted(known, key=lambda pair: pair[1].score)[:MOST_CURVES]:
        recall, precision = curve(ranked, label, annotated[label])
        right = np.flatnonzero(np.diff(recall, prepend=0.0))  # between two of them, recall stands still
        if len(right):
            kept = right[np.linspace(0, len(right) - 1, min(len(right), CURVE_POINTS)).round().astype(int)]
            x, y = [0.0, *recall[kept].tolist()], [float(precision[0]), *precision[kept].tolist()]
            lines[label] = Line(one.name, x, y, f'{judging.score} {_shown(one.score, judging.percent)}')
        else:
            without.append(one.name)
    intro = 'Precision against recall: from the most confident predictions (left) to the least.'
    if len(known) > MOST_CURVES:
        intro += f' The {MOST_CURVES} classes with the lowest scores.'
    if without:
        intro += f' No curve where nothing right was found: {", ".join(without)}.'
    drawn = []
    if lines:
        drawn.append(plot('Precision against recall', [*lines.values()], 'recall', 1.0, whole=False, up='precision'))
    if lines and judging.nothing:  # of boxes alone a threshold decides whether they count
        by_class = {label: f1_scores(ranked, label, annotated[label], THRESHOLDS) for label, _ in known}
        mean: Values = np.mean(list(by_class.values()), axis=0)
        least = float(ranked.scores.min())  # below it, nothing is known
        best = _best(mean, least)
        shown = [(line.name, by_class[label]) for label, line in lines.items()]
        if len(known) > 1:
            shown.append(('mean of the classes', mean))
        drawn.append(_f1_plot(shown, least))
        if mean[best]:
            which = 'The mean F1 of the classes' if len(known) > 1 else 'F1'
            intro += (
                f' {which} is highest, {mean[best]:.3f}, if only boxes with a score of {THRESHOLDS[best]:.2f} or more '
                'count: a threshold for an app to begin with.'
            )
    return section('Precision and recall', plain(intro), plots(drawn))


def _best(f1: Values, least: float) -> int:
    """The place of the threshold with the highest F1, of several in a row the middle one."""
    known = np.flatnonzero(THRESHOLDS >= least - STEP)
    if not len(known):
        return len(THRESHOLDS) - 1
    first = int(known[f1[known].argmax()])
    lower = np.flatnonzero(f1[first:] < f1[first])
    return first + (int(lower[0]) - 1 if len(lower) else len(f1) - 1 - first) // 2


def _f1_plot(shown: Sequence[tuple[str, Values]], least: float) -> str:
    """F1 against the threshold: of the classes that have curves, in the same colours, and their mean."""
    lines = []
    for name, f1 in shown:
        best = _best(f1, least)
        lines.append(Line(name, THRESHOLDS.tolist(), f1.tolist(), f'{f1[best]:.3f} at {THRESHOLDS[best]:.2f}'))
    return plot('F1 against the threshold', lines, 'least score that counts', 1.0, whole=False, up='F1')


def confusion_section(judgement: Judgement) -> str:
    """What was taken for what: a square of few classes, else the most frequent mistakes."""
    judging = judgement.judging
    mistakes = judgement.confusions()
    unit = judging.unit
    listed = [(f'{row} → {column}', float(count), f'{count:,}') for row, column, count in mistakes[:MOST_LISTED]]
    names = [*judgement.classes, *filter(None, [judging.nothing])]
    seen = [index for index in range(len(names)) if judgement.counts[index].any() or judgement.counts[:, index].any()]
    if len(seen) > MOST_SQUARE:
        intro = f'What is annotated, what it was found as, and how many {unit}; the most frequent mistakes first.'
        return section('Confusion', plain(intro), bars(listed))
    heads = ''.join(f'<th class="number">{breakable(names[index])}</th>' for index in seen)
    heads = f'<th>annotated ↓ found →</th>{heads}'
    square = judgement.counts[np.ix_(seen, seen)]
    shares = bool(square.max() > MOST_COUNTED)
    rows = [
        _square_row(names[index], counts, row, index == len(judgement.classes), shares)
        for row, (index, counts) in enumerate(zip(seen, square.tolist(), strict=True))
    ]
    numbers = f'percent of the {unit} of the row' if shares else unit
    intro = f'Rows: what is annotated. Columns: what it was found as, in {numbers}. '
    intro += 'The stronger the colour, the larger the share of the row.'
    if len(judgement.classes) in seen:
        intro += ' The last column is what was missed, the last row what was wrongly found.'
    return section('Confusion', plain(intro), table('square', heads, rows))


def _square_row(name: str, counts: Sequence[int], row: int, nothing: bool, shares: bool) -> str:
    total = max(1, sum(counts))
    cells = []
    for column, count in enumerate(counts):
        if nothing and column == row:
            cells.append('<td></td>')
            continue
        kind = 'none' if not count else 'right' if column == row else 'wrong'
        said = f'{100 * count / total:.1f}' if shares and count else f'{count:,}'
        cells.append(f'<td class="number {kind}" style="--share:{100 * count / total:.0f}%">{said}</td>')
    return f'<tr><th scope="row">{breakable(name)}</th>{"".join(cells)}</tr>'


def worst_section(judgement: Judgement, where: str) -> str:
    """The pictures with the worst mistakes."""
    intro = f'Of {where}, {judgement.judging.worst}. Mistakes are red.'
    if judgement.judging.nothing:
        intro += (
            ' On the left, these are boxes that were missed; on the right, boxes that were found where nothing, or '
            'something else, is annotated. If such a box has a high score, look whether an annotation is missing.'
        )
    figures = [_figure(one, judgement) for one in judgement.worst]
    body = '\n'.join(html for html, _ in figures)
    if all(pictures == 1 for _, pictures in figures):
        body = f'<div class="tiles large">{body}</div>'
    return section('Worst pictures', plain(intro), f'{_legend(judgement)}{body}')


def _legend(judgement: Judgement) -> str:
    """The classes that are on the worst pictures, with their colours."""
    colours = judgement.judging.colours(len(judgement.classes))
    if not colours:
        return ''
    seen = sorted({int(label) for one in judgement.worst for label in one.judged.pairs[:, :2].flat})
    return chips([judgement.classes[label] for label in seen], [hexadecimal(colours[label]) for label in seen])


def _figure(one: Worst, judgement: Judgement) -> tuple[str, int]:
    """The figure as HTML, and how many pictures are on it."""
    picture = resized(read_picture(one.path), SIDE)
    drawn = judgement.judging.draw(picture, one.judged, judgement.classes)
    shown = [Shown(title, said, image, f'{one.path.name}, {title}: {said}') for title, image, said in drawn]
    caption = f'<b>{plain(one.path.name)}</b> <span class="differs">{plain(one.judged.said)}</span>'
    return figure(shown, caption), len(shown)
