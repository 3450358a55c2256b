"""The plot of the latency benchmark: accuracy against time, every network named beside its point."""

import io
from collections.abc import Mapping, Sequence
from itertools import groupby, pairwise
from typing import Any

OURS = 'MobileOne'
# Where a name may stand beside its point, the best first: alignment, and shift in points.
PLACES = [
    (side, (sign * right, up))
    for right, up in ((7, 0), (5, 8), (5, -8), (0, 11), (0, -11), (7, 16), (7, -16), (7, 24), (7, -24))
    for side, sign in (('left', 1), ('right', -1))
]
PIECE = 4  # px: lines are taken to consist of such squares
POINT = 8  # px: of a point
FEWEST_TICKS = 3
FARTHER = 0.3  # pieces of a thin line that a name rather covers than stand at the next place


def accuracy_against_latency(
    names: Sequence[str], accuracies: Sequence[float], panels: Mapping[str, Sequence[float]]
) -> bytes:
    """A PNG file with a panel for each kind of times.

    Args:
        names: of the networks; those of one family, up to the last hyphen, stand together and are joined by a line.
        accuracies: of the networks, in percent.
        panels: times of the networks in ms, by the panel's title.
    """
    from matplotlib import pyplot

    figure = figure_of(names, accuracies, panels)
    file = io.BytesIO()
    figure.savefig(file, format='png', dpi=100)
    pyplot.close(figure)
    return file.getvalue()


def figure_of(names: Sequence[str], accuracies: Sequence[float], panels: Mapping[str, Sequence[float]]) -> Any:
    """The figure of `accuracy_against_latency`, for the caller to close."""
    import matplotlib as mpl

    mpl.use('Agg')
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, len(panels), figsize=(13, 8), sharey=True, layout='constrained')
    for axis, (title, times) in zip(axes, panels.items(), strict=True):
        axis.set(title=title, xscale='log', xlabel='latency of a picture of 224 x 224 px, ms (logarithmic)')
        axis.grid(alpha=0.3)
        axis.margins(x=0.2, y=0.08)
        for family, members in groupby(range(len(names)), key=lambda index: names[index].rpartition('-')[0]):
            indices = list(members)
            style = {'linewidth': 2.5, 'color': 'black', 'zorder': 3} if family == OURS else {'linewidth': 1}
            axis.plot([times[one] for one in indices], [accuracies[one] for one in indices], marker='o', **style)
        set_ticks(axis)
    axes[0].set_ylabel("top-1 on ImageNet, % (the paper's)")
    figure.canvas.draw()  # places are known only then
    for axis in axes:
        label(axis, names)
    return figure


def set_ticks(axis: Any) -> None:
    """Label 1, 2 and 5 of every power of ten; even steps where the times are too close together for that."""
    from matplotlib.ticker import AutoLocator, FixedLocator

    least, most = axis.get_xlim()
    ticks = [step * 10.0**power for power in range(-3, 5) for step in (1, 2, 5)]
    ticks = [tick for tick in ticks if least <= tick <= most]
    axis.xaxis.set_major_locator(FixedLocator(ticks) if len(ticks) >= FEWEST_TICKS else AutoLocator())
    axis.xaxis.set_major_formatter('{x:g}')
    axis.xaxis.set_minor_formatter('')


def label(axis: Any, names: Sequence[str]) -> None:
    """Write names beside the points of all lines, each where it covers the least and is not far off."""
    from matplotlib.patheffects import withStroke

    renderer = axis.figure.canvas.get_renderer()
    places = {line: axis.transData.transform(line.get_xydata()) for line in axis.lines}
    kept_free = [_around(place, POINT) for line in places.values() for place in line]
    drawn = [
        (line.get_linewidth(), _around(place, PIECE))
        for line, joined in places.items()
        for start, end in pairwise(joined)
        for place in _between(start, end)
    ]
    points = [(line.get_color(), point) for line in axis.lines for point in line.get_xydata()]
    for name, (colour, point) in zip(names, points, strict=True):
        texts = [
            axis.annotate(
                name, point, shift, textcoords='offset points', ha=side, va='center', fontsize=9, zorder=4, color=colour
            )
            for side, shift in PLACES
        ]
        boxes = [text.get_window_extent(renderer) for text in texts]
        costs = [
            (
                not (axis.bbox.x0 <= box.x0 and box.x1 <= axis.bbox.x1),
                sum(box.overlaps(one) for one in kept_free),
                sum(width * box.overlaps(one) for width, one in drawn) + FARTHER * rank,
            )
            for rank, box in enumerate(boxes)
        ]
        best = costs.index(min(costs))
        for text in texts[:best] + texts[best + 1 :]:
            text.remove()
        texts[best].set_path_effects([withStroke(linewidth=2.5, foreground='white')])
        kept_free.append(boxes[best])


def _between(start: Any, end: Any) -> Any:
    """Places on a line, a piece apart."""
    import numpy as np

    return np.linspace(start, end, 1 + int(np.hypot(*(end - start)) / PIECE))


def _around(place: Any, size: float) -> Any:
    from matplotlib.transforms import Bbox

    return Bbox.from_bounds(place[0] - size / 2, place[1] - size / 2, size, size)
