"""The plot of the latency benchmark: accuracy against time, every network named beside its point."""

import io
from collections.abc import Mapping, Sequence
from itertools import groupby, pairwise
from typing import Any

OURS = 'MobileOne'
# Where a name may stand beside its point, the best first: alignment, and shift in points.
PLACES = [
    (side, (sign * right, up))
    for right, up in ((9, 0), (9, 9), (9, -9), (4, 13), (4, -13), (9, 19), (9, -19), (9, 29), (9, -29))
    for side, sign in (('left', 1), ('right', -1))
]
PIECES = 40  # that a line is taken to consist of
SIZE = 8  # px: of a piece, and of a point
FARTHER = 0.5  # pieces of lines that a name rather covers than stand at the next place


def accuracy_against_latency(
    names: Sequence[str], accuracies: Sequence[float], panels: Mapping[str, Sequence[float]]
) -> bytes:
    """A PNG file with a panel for each kind of times.

    Args:
        names: of the networks; those of one family, up to the last hyphen, stand together and are joined by a line.
        accuracies: of the networks, in percent.
        panels: times of the networks in ms, by the panel's title.
    """
    import matplotlib as mpl

    mpl.use('Agg')
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, len(panels), figsize=(13, 6), sharey=True, layout='constrained')
    for axis, (title, times) in zip(axes, panels.items(), strict=True):
        axis.set(title=title, xscale='log', xlabel='latency of a picture of 224 x 224 px, ms (logarithmic)')
        _set_ticks(axis, times)
        axis.grid(alpha=0.3)
        axis.margins(x=0.2, y=0.08)
        for family, members in groupby(range(len(names)), key=lambda index: names[index].rpartition('-')[0]):
            indices = list(members)
            style = {'linewidth': 2.5, 'color': 'black', 'zorder': 3} if family == OURS else {'linewidth': 1}
            axis.plot([times[one] for one in indices], [accuracies[one] for one in indices], marker='o', **style)
    axes[0].set_ylabel("top-1 on ImageNet, % (the paper's)")
    figure.canvas.draw()  # places are known only then
    for axis in axes:
        label(axis, names)
    file = io.BytesIO()
    figure.savefig(file, format='png', dpi=100)
    pyplot.close(figure)
    return file.getvalue()


def _set_ticks(axis: Any, times: Sequence[float]) -> None:
    """At 1, 2 and 5 of every power of ten in reach."""
    ticks = [step * 10.0**power for power in range(-3, 5) for step in (1, 2, 5)]
    axis.xaxis.set_major_formatter('{x:g}')
    axis.xaxis.set_minor_formatter('')
    axis.set_xticks([tick for tick in ticks if min(times) / 2 <= tick <= 2 * max(times)])


def label(axis: Any, names: Sequence[str]) -> None:
    """Write names beside the points of all lines, each where it covers the least and is not far off."""
    from matplotlib.patheffects import withStroke

    renderer = axis.figure.canvas.get_renderer()
    places = [axis.transData.transform(line.get_xydata()) for line in axis.lines]
    kept_free = [_around(place) for line in places for place in line]
    drawn = [
        _around(start + (end - start) * step / PIECES)
        for line in places
        for start, end in pairwise(line)
        for step in range(PIECES)
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
                sum(box.overlaps(one) for one in drawn) + FARTHER * rank,
            )
            for rank, box in enumerate(boxes)
        ]
        best = costs.index(min(costs))
        for text in texts[:best] + texts[best + 1 :]:
            text.remove()
        texts[best].set_path_effects([withStroke(linewidth=2.5, foreground='white')])
        kept_free.append(boxes[best])


def _around(place: Any) -> Any:
    from matplotlib.transforms import Bbox

    return Bbox.from_bounds(place[0] - SIZE / 2, place[1] - SIZE / 2, SIZE, SIZE)
