"""One self-contained page about an export: what it is, what was compared, and what it looks like.

The frame and its style stand in templates/report.html; what changes is built here, every value escaped.
"""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any

import cv2

from mobileone_mm.artifact.card import EXPERIMENTAL, Card
from mobileone_mm.artifact.ladder import as_dicts
from mobileone_mm.atomic import replacing
from mobileone_mm.evaluation.scores import Row, Scores, short
from mobileone_mm.exporter.page_parts import bar, bars, number, percent, section, small, table
from mobileone_mm.exporter.report import Report
from mobileone_mm.outputs import PAGE
from mobileone_mm.pictures.drawing import PALETTE, resized
from mobileone_mm.pictures.reading import Picture, channels_swapped
from mobileone_mm.tasks.by_name import task_named
from mobileone_mm.tasks.task import Looking

PICTURE_SIDE = 640  # px of a picture's longer side in the page
JPEG_QUALITY = 88  # of 100
MOST_PAIRS = 12  # pictures in a page; beyond it grows too heavy to send
SHORT_HASH = 12  # hex digits
SIDES = ('trained', 'exported')


@dataclass(frozen=True)
class Pair:
    """What the trained model and the exported file find in one picture.

    Attributes:
        name: of the picture.
        picture: uint8 RGB (H, W, 3), as both took it.
        trained: by the trained model.
        exported: by the exported file, under the same rules.
    """

    name: str
    picture: Picture
    trained: Any
    exported: Any


def write_page(path: Path, report: Report, pairs: Sequence[Pair], snippet: tuple[str, str]) -> None:
    """Write the page about an export.

    Args:
        path: the page, ending in .html.
        report: what was written and measured.
        pairs: pictures with what was found in them before and after; those that differ are shown first.
        snippet: what to do with the file, and the lines of code for it.
    """
    html = page(report, pairs, snippet)
    with replacing(path, PAGE) as fresh:
        fresh.write_text(html, encoding='utf-8')


def page(report: Report, pairs: Sequence[Pair], snippet: tuple[str, str]) -> str:
    """The page as HTML."""
    info, name, ladder = report.info, report.artifact.name, as_dicts(report.rungs)
    whole = all(_state(rung) != 'over' for rung in ladder)
    sections = [
        _ladder(ladder),
        *([_scores(report.scores)] if report.scores else []),
        *([_pictures(pairs, info)] if pairs else []),
        _use(*snippet),
        _operations(report.operations),
        _time(report.seconds),
    ]
    frame = Template(resources.files(__package__).joinpath('templates/report.html').read_text(encoding='utf-8'))
    return frame.substitute(
        title=escape(f'{name} - export report'),
        kind=escape(f'{info.task} · export report'),
        name=escape(name),
        mood='good' if whole else 'bad',
        verdict=' '.join([verdict(ladder), *([scored(report.scores)] if report.scores else [])]),
        facts=_facts(report),
        sections='\n'.join(sections),
        versions='\n'.join(f'<div><dt>{escape(k)}</dt><dd>{escape(v)}</dd></div>' for k, v in info.versions.items()),
    )


def verdict(rungs: Sequence[Mapping[str, Any]]) -> str:
    """The ladder in one sentence of HTML."""
    made = [rung for rung in rungs if rung['value'] is not None]
    over = [rung for rung in made if _state(rung) == 'over']
    unmade = f'; {len(rungs) - len(made)} not made' if len(made) < len(rungs) else ''
    if over:
        names = ', '.join(_name(rung) for rung in over)
        return f'<b>Do not use it:</b> {len(over)} of {len(made)} comparisons are beyond their limits: {names}{unmade}.'
    closest = max(made, key=_share)
    place = f'{_name(closest)}, took {percent(_share(closest))} of its limit ({escape(closest["unit"])})'
    return f'<b>Sound:</b> all {len(made)} comparisons are within their limits; the closest, {place}{unmade}.'


def scored(scores: Scores) -> str:
    """What the file scores, and the model that it was made from, in one sentence of HTML."""
    model, file = (_shown(scores.points(row, scores.main)) for row in (scores.rows[0], scores.rows[-1]))
    said = f'It scores {file} points of {escape(short(scores.main))}'
    if len(scores.rows) > 1:
        said += f', the model that it was made from {model}'
    return f'{said}.'


def _facts(report: Report) -> str:
    info = report.info
    weights = f'{info.weights}{" (experimental)" if info.weights in EXPERIMENTAL else ""}'
    width, height = info.input_size
    thresholds = [(name, value) for name, value in info.settings.items() if name.endswith('threshold')]
    wide = ' class="wide"'
    rows = [
        ('', 'Size', f'{report.bytes / 1e6:.1f} MB', f'{report.bytes:,} bytes'),
        ('', 'Input', f'{width}x{height} px', f'{info.crop}: stretched, not cropped'),
        (
            '',
            'Target',
            info.target,
            f'computes in {info.precision}, weights {weights}',
        ),
        ('', 'Outputs', ', '.join(f'{count:,} {name}' for name, count in report.facts.items()), ''),
        (wide, 'Config', info.config, ''),
        (wide, 'Checkpoint', info.checkpoint, f'sha256 {info.checkpoint_sha256[:SHORT_HASH]}'),
        *(('', name.replace('_', ' ').capitalize(), f'{value}', 'default of the file') for name, value in thresholds),
    ]
    facts = [
        f'<div{kind}><dt>{escape(term)}</dt><dd>{escape(text)}{small(note)}</dd></div>'
        for kind, term, text, note in rows
    ]
    chips = ''.join(
        f'<li style="--colour:{PALETTE[index % len(PALETTE)]}">{escape(name)}</li>'
        for index, name in enumerate(info.classes)
    )
    count = f'{len(info.classes)} classes' if len(info.classes) > 1 else '1 class'
    return '\n'.join([*facts, f'<div{wide}><dt>{count}</dt><dd><ul class="classes">{chips}</ul></dd></div>'])


def _pictures(pairs: Sequence[Pair], info: Card) -> str:
    look = task_named(info.task).look
    compared = [
        look.agree(pair.trained, pair.exported, (pair.picture.shape[1], pair.picture.shape[0])) for pair in pairs
    ]
    order = sorted(range(len(pairs)), key=lambda index: -_differing(compared[index]))  # stable
    shown = order[:MOST_PAIRS]
    intro = f'Boxes that differ have a red frame. All pictures together: {look.total(compared).said(*SIDES)}.'
    if look.total(compared).pixels:
        intro += (
            ' Where two boxes of one class overlap and have nearly one score, rounding decides which of them stays: '
            'such a pair is pixels apart, though each of their raw boxes is within the limits above.'
        )
    if len(shown) < len(pairs):
        intro += f' {len(shown)} of {len(pairs)} are shown, those that differ first.'
    figures = [_figure(pairs[index], compared[index], info.classes, look) for index in shown]
    return section('Pictures', escape(intro), '\n'.join(figures))


def _differing(compared: Any) -> int:
    return int(compared.left_differs.sum() + compared.right_differs.sum())


def _figure(pair: Pair, compared: Any, classes: Sequence[str], look: Looking) -> str:
    canvas = resized(pair.picture, PICTURE_SIDE)
    images = ''.join(
        f'<div><span>{side}</span><img src="{_data_uri(image)}" width="{image.shape[1]}" height="{image.shape[0]}" '
        f'alt="{escape(f"{pair.name}, {side}: {look.said(found, classes)}")}"></div>'
        for side, image, found in zip(
            SIDES,
            look.draw_pair(canvas, pair.trained, pair.exported, classes, compared),
            (pair.trained, pair.exported),
            strict=True,
        )
    )
    mood = ' class="differs"' if _differing(compared) else ''
    caption = f'<b>{escape(pair.name)}</b> <span{mood}>{escape(look.total([compared]).said(*SIDES))}</span>'
    return f'<figure><div class="pair">{images}</div><figcaption>{caption}</figcaption></figure>'


def _data_uri(picture: Picture) -> str:
    done, jpeg = cv2.imencode('.jpg', channels_swapped(picture), [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    assert done, 'OpenCV writes JPEG'
    return f'data:image/jpeg;base64,{base64.b64encode(jpeg.tobytes()).decode()}'


def _ladder(rungs: Sequence[Mapping[str, Any]]) -> str:
    rows = [_ladder_row(rung) for rung in rungs]
    heads = '<th>comparison</th><th>share of its limit</th><th class="number">worst</th><th class="number">limit</th>'
    intro = (
        'Each form of the model against the one before it. The bar is the share of its limit that the worst value '
        'took; a striped one was not made.'
    )
    return section('Ladder', intro, table('ladder', heads, rows))


def _ladder_row(rung: Mapping[str, Any]) -> str:
    closeness = 'not made' if rung['value'] is None else percent(_share(rung))
    note = rung['note'] if rung['psnr_db'] is None else f'PSNR {rung["psnr_db"]:.0f} dB'
    return (
        f'<tr class="{_state(rung)}"><th scope="row">{_name(rung)}{small(note)}</th>'
        f'<td><span class="share">{bar(_share(rung))}<span class="percent">{closeness}</span></span></td>'
        f'<td class="number">{number(rung["value"])}</td>'
        f'<td class="number limit">{number(rung["limit"])} <span class="unit">{escape(rung["unit"])}</span></td></tr>'
    )


def _scores(scores: Scores) -> str:
    metrics = list(dict.fromkeys(metric for row in scores.rows for metric in row.metrics))
    lines = []
    for above, row in zip((None, *scores.rows), scores.rows, strict=False):
        cells = ''.join(f'<td class="number">{_points(scores, row, above, metric)}</td>' for metric in metrics)
        lines.append(f'<tr><th scope="row">{escape(row.name)}{small(row.rule)}</th>{cells}</tr>')
    titles = ''.join(f'<th class="number">{escape(short(metric))}</th>' for metric in metrics)
    used = f'{scores.pictures} of {scores.total} pictures'
    what = (
        f"The config's own metric on {used} of its test data, in points of 100, and the difference from the row above."
    )
    intro = ' '.join([what, *scores.notes])
    return section('Scores', escape(intro), table('scores', f'<th>model</th>{titles}', lines))


def _points(scores: Scores, row: Row, above: Row | None, metric: str) -> str:
    value, before = scores.points(row, metric), None if above is None else scores.points(above, metric)
    if value is None or before is None:
        return _shown(value)
    change = round(value - before, 2) + 0.0  # no -0.00
    return f'{_shown(value)}<small>{change:+.2f}</small>'.replace('-', '&minus;')


def _shown(points: float | None) -> str:
    return '&ndash;' if points is None else f'{points:.2f}'


def _use(intro: str, lines: str) -> str:
    return section('Use it', escape(intro), f'<pre tabindex="0"><code>{escape(lines)}</code></pre>')


def _operations(counts: Mapping[str, int]) -> str:
    intro = f'{sum(counts.values())} in the program, constants left out; the most frequent first.'
    ordered = sorted(counts.items(), key=lambda item: -item[1])
    return section('Operations', intro, bars([(name, count, f'{count}') for name, count in ordered]))


def _time(seconds: Mapping[str, float]) -> str:
    intro = f'The export took {sum(seconds.values()):.1f} s.'
    return section('Time', intro, bars([(name, value, f'{value:.2f} s') for name, value in seconds.items()]))


def _state(rung: Mapping[str, Any]) -> str:
    if rung['value'] is None:
        return 'unmade'
    return 'held' if rung['value'] <= rung['limit'] else 'over'


def _share(rung: Mapping[str, Any]) -> float:
    """Part of the limit that the value takes; 0 without a value, and 1 for what is beyond a limit of zero."""
    if not rung['value']:
        return 0.0
    return float(rung['value'] / rung['limit']) if rung['limit'] else 1.0


def _name(rung: Mapping[str, Any]) -> str:
    return escape(rung['name'].replace('->', '→'))
