"""The page about a training: how far it is, its curves, and what the model sees and mistakes."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mobileone_mm.evaluation.judgement import Judgement
from mobileone_mm.evaluation.judgement_sections import sections
from mobileone_mm.openmmlab import metrics
from mobileone_mm.outputs import TRAINING_MARK
from mobileone_mm.pages.frame import chips, fact, framed
from mobileone_mm.pages.images import image
from mobileone_mm.pages.parts import plain, section, table
from mobileone_mm.pages.plots import plot, plots
from mobileone_mm.pictures.reading import Picture
from mobileone_mm.watching.curves import Curves, line_of

MOST_PARTS = 7  # of a loss that are drawn beside it
MOST_RESULTS = 6  # lines in one plot of metrics

NO_CURVES = (
    "Nothing has been logged yet, or the config's visualizer keeps no local files, from which the curves are drawn: "
    "that takes vis_backends=[dict(type='LocalVisBackend')]."
)


@dataclass(frozen=True)
class Batches:
    """The pictures that a run trained on first.

    Attributes:
        pictures: uint8 RGB (H, W, 3) each, augmented, with what is annotated.
        shown: what is drawn on them, in words.
        broad: whether each of them is two side by side.
        legend: names of classes with their colours, #rrggbb; empty where the pictures say all.
    """

    pictures: Sequence[Picture]
    shown: str
    broad: bool
    legend: Mapping[str, str]


@dataclass(frozen=True)
class Training:
    """What the page says.

    Attributes:
        name: of the config.
        task: 'detection', 'segmentation', 'classification', or empty for what else mmengine trains.
        place: how far it is, in words.
        over: whether it has ended as it should.
        unit: what its curves are against: 'epoch' or 'step'.
        facts: of each, what it is, its value and a note, which may be empty.
        paths: titles with paths.
        curves: what was logged.
        window: steps that a logged loss is the mean of.
        main: the metric that counts; None before the first validation.
        best: the best value of it so far, in words; empty where nobody keeps it.
        batches: None where there is nothing that draws them.
        judgement: of the last validation that was judged; None before the first.
        judged: which one that is, in words.
        notes: what is left out, and why.
    """

    name: str
    task: str
    place: str
    over: bool
    unit: str
    facts: Sequence[tuple[str, str, str]]
    paths: Mapping[str, Path]
    curves: Curves
    window: int = 1
    main: str | None = None
    best: str = ''
    batches: Batches | None = None
    judgement: Judgement | None = None
    judged: str = ''
    notes: Sequence[str] = field(default=())


def page(training: Training) -> str:
    """The page as HTML."""
    drawn = [_curves(training)]
    if training.curves.results:
        drawn.append(_results(training))
    if training.judgement is not None and training.judgement.pictures:
        where = f'{training.judgement.pictures} validation pictures after {training.judged}'
        drawn += sections(training.judgement, where)
    if training.batches is not None and training.batches.pictures:
        drawn.append(_batches(training.batches))
    if training.notes:
        drawn.append(section('Left out', ' '.join(plain(note) for note in training.notes), ''))
    return framed(
        TRAINING_MARK,
        f'{training.name} - training',
        ' · '.join(filter(None, [training.task, 'training'])),
        training.name,
        _answer(training),
        [
            *(fact(*row) for row in training.facts),
            *(fact(term, str(path), wide=True) for term, path in training.paths.items()),
        ],
        drawn,
    )


def _answer(training: Training) -> str:
    lines = [f'<p><b>{plain(training.place)}</b></p>']
    if training.main is not None and training.main in training.curves.results:
        x, y = training.curves.results[training.main]
        said = f'{metrics.name(training.main)} {metrics.value(training.main, y[-1])} after {training.unit} {x[-1]:g}'
        lines.append(f'<p>{plain(said)}{plain(f"; the best: {training.best}" if training.best else "")}.</p>')
    return f'<div class="verdict {"good" if training.over else "plain"}">{"".join(lines)}</div>'


def _curves(training: Training) -> str:
    curves, drawn = training.curves, []
    if curves.losses:
        parts = list(curves.losses.items())[: 1 + MOST_PARTS]
        lines = [line_of(name, points, f'{points[1][-1]:.4g}') for name, points in parts]
        drawn.append(plot('Loss', lines, training.unit))
    for fractions, unit in ((True, 'fractions of 1'), (False, 'points of 100')):
        of_unit = {
            key: points
            for key, points in curves.results.items()
            if metrics.is_fraction(key) == fractions and any(map(math.isfinite, points[1]))
        }
        order = sorted(of_unit, key=lambda key: key != training.main)[:MOST_RESULTS]  # stable
        lines = [
            line_of(metrics.name(key), of_unit[key], metrics.value(key, of_unit[key][1][-1]), dots=True)
            for key in order
        ]
        if lines:
            drawn.append(plot(f'Metrics, in {unit}', lines, training.unit))
    if curves.rates:
        lines = [line_of(name, points, f'{points[1][-1]:.3g}') for name, points in curves.rates.items()]
        largest = max(rate for _, rates in curves.rates.values() for rate in rates)
        drawn.append(plot('Learning rate', lines[:MOST_RESULTS], training.unit, top=largest))
    if not drawn:
        return section('Curves', plain(NO_CURVES), '')
    intro = 'Beside each name, its last value.'
    if curves.losses and training.window > 1:
        intro += f" Losses are means of the last {training.window} steps, as in mmengine's log."
    return section('Curves', plain(intro), plots(drawn))


def _results(training: Training) -> str:
    """All metrics: of the last validation, and the highest so far."""
    rows = []
    for key, (x, y) in sorted(training.curves.results.items(), key=lambda item: item[0] != training.main):
        known = [(value, -place) for place, value in zip(x, y, strict=True) if value == value]
        highest = max(known, default=None)
        where = f'<small>{plain(f"{training.unit} {-highest[1]:g}")}</small>' if highest else ''
        cells = f'{_number(key, y[-1])}</td><td class="number">{_number(key, highest[0] if highest else y[-1])}{where}'
        rows.append(f'<tr><th scope="row">{plain(metrics.name(key))}</th><td class="number">{cells}</td></tr>')
    heads = '<th>metric</th><th class="number">last</th><th class="number">highest</th>'
    return section('Validation', 'What the last validation gave, and the highest so far.', table('scores', heads, rows))


def _number(key: str, value: float) -> str:
    said = metrics.value(key, value)
    return '&ndash;' if said == '-' else said


def _batches(batches: Batches) -> str:
    count = len(batches.pictures)
    intro = f'The first {count} pictures that this run trained on, after augmentation, with their {batches.shown}.'
    images = ''.join(
        image(picture, f'training picture {number} with its {batches.shown}')
        for number, picture in enumerate(batches.pictures, 1)
    )
    tiles = f'<div class="tiles{" broad" if batches.broad else ""}">{images}</div>'
    legend = chips(list(batches.legend), list(batches.legend.values())) if batches.legend else ''
    return section('Training pictures', plain(intro), f'{tiles}{legend}')
