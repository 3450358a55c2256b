"""Curves as SVG in a page, drawn by matplotlib; colours follow the page, in the dark too."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from io import StringIO
from typing import Any

from mobileone_mm.pages.parts import plain

WIDTH, HEIGHT = 480, 270  # of the picture's own units; a page shows it at 360 to 500 px
TEXT = 14  # of these units: no less than 10 px on a phone
LEAST_SPAN = 0.1  # of the largest value: what the y axis spans at least, so that what hardly changes looks like it
MARGIN = 0.05  # of what an axis spans, on either side of the lines
COLOURS = ('#3f6fb5', '#d1672f', '#2f9a73', '#9661c4', '#b58a12', '#c4488a', '#4d97a8', '#7d7d76')
# What matplotlib draws in these, the page has in colours of its own.
THEMED = {'#010203': 'var(--soft)', '#010204': 'var(--line)'}
INK, GRID = THEMED
# Around the drawing itself: a head for files, a style that would be the whole page's, names that are in each plot, and
# a font beside that of the page.
FILE_HEAD = re.compile(r'^.*?<svg[^>]*>', re.DOTALL)
FOREIGN = re.compile(
    r'<metadata>.*?</metadata>|<style[^>]*>.*?</style>|\sid="[a-z.]+[0-9a-z]*_\d+"|font-family: [^;"]*;|<g/>', re.DOTALL
)


@dataclass(frozen=True)
class Line:
    """A curve.

    Attributes:
        name: what it shows.
        x: rising.
        y: as many; NaN leaves a gap.
        said: its last or best value, or what else stands beside its name.
        dots: whether each point is marked.
    """

    name: str
    x: Sequence[float]
    y: Sequence[float]
    said: str = ''
    dots: bool = False


def plot(
    title: str, lines: Sequence[Line], along: str, top: float | None = None, whole: bool = True, up: str = ''
) -> str:
    """A plot with its title, and what its lines are: one figure, as HTML.

    The x axis begins at 0, so that a single point, or a curve that begins late, stands where it belongs.

    Args:
        title: what is shown.
        lines: one or more.
        along: what the x axis counts.
        top: the largest value that the y axis has room for, which then begins at 0; None for what the lines need.
        whole: whether the x axis counts in whole numbers; else it shows a fraction, 0..1.
        up: what the y axis shows; empty where the title says it.
    """
    colours = [COLOURS[index % len(COLOURS)] for index in range(len(lines))]
    said = f'{title}, against {along}: ' + ', '.join(f'{line.name} {line.said}'.strip() for line in lines)
    names = ''.join(
        f'<li style="--colour:{colour}">{plain(line.name)}{f" <b>{plain(line.said)}</b>" if line.said else ""}</li>'
        for line, colour in zip(lines, colours, strict=True)
    )
    drawing = _svg(lines, colours, (along, up), top, whole, said)
    return f'<figure class="plot"><h3>{plain(title)}</h3>{drawing}<ul class="classes">{names}</ul></figure>'


def plots(drawn: Sequence[str]) -> str:
    """Plots in as many columns as have room."""
    return f'<div class="plots">{"".join(drawn)}</div>'


def _svg(
    lines: Sequence[Line], colours: Sequence[str], names: tuple[str, str], top: float | None, whole: bool, said: str
) -> str:
    import matplotlib  # late, as it takes a moment
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    # Texts stay texts, none is read as a formula, and the same lines give the same file.
    own: Any = {'svg.fonttype': 'none', 'text.parse_math': False, 'svg.hashsalt': said, 'font.size': TEXT}
    with matplotlib.rc_context(own):
        figure = Figure(figsize=(WIDTH / 72, HEIGHT / 72), layout='constrained')  # matplotlib counts 72 to the inch
        FigureCanvasSVG(figure)
        axes = figure.subplots()
        figure.patch.set_visible(False)
        axes.patch.set_visible(False)
        for line, colour in zip(lines, colours, strict=True):
            axes.plot(
                line.x,
                line.y,
                color=colour,
                linewidth=2,
                marker='o' if line.dots or len(line.x) == 1 else None,
                markersize=4,
            )
        axes.set_ylim(*_shown(lines, top))
        last = (max((line.x[-1] for line in lines), default=0) or 1) if whole else 1
        axes.set_xlim(-MARGIN * last, (1 + MARGIN) * last)
        along, up = names
        axes.set_xlabel(along, color=INK)
        axes.set_ylabel(up, color=INK)
        axes.tick_params(colors=INK, length=0)
        axes.grid(color=GRID, linewidth=1)
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=whole))
        axes.xaxis.set_major_formatter('{x:,.0f}' if whole else '{x:g}')
        axes.yaxis.set_major_locator(MaxNLocator(5))
        axes.yaxis.set_major_formatter('{x:g}')  # no factor of all numbers, which stands apart from them
        for spine in axes.spines.values():
            spine.set_visible(False)
        text = StringIO()
        figure.savefig(text, format='svg', transparent=True)
    return _inline(text.getvalue(), said)


def _shown(lines: Sequence[Line], top: float | None) -> tuple[float, float]:
    """Both ends of the y axis."""
    if top is not None:
        return 0.0, (1 + MARGIN) * top
    values = [value for line in lines for value in line.y if math.isfinite(value)] or [0.0]
    low, high = min(values), max(values)
    span = max(high - low, LEAST_SPAN * (max(abs(low), abs(high)) or 1.0))
    around = (span - (high - low)) / 2 + MARGIN * span
    return low - around, high + around


def _inline(svg: str, said: str) -> str:
    """A drawing as a part of a page."""
    svg = FOREIGN.sub('', svg)
    for drawn, themed in THEMED.items():
        svg = svg.replace(drawn, themed)
    start = f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{plain(said)}">'
    return FILE_HEAD.sub(lambda _: start, svg, count=1).strip()
