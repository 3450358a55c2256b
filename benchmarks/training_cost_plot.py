"""The plot of the training benchmark: time and memory of a step over the number of branches."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

Line = Sequence[tuple[float, float]]  # points: k, and what was measured


def cost_over_branches(panels: Mapping[str, Mapping[str, Line]]) -> bytes:
    """A PNG file with a panel for each kind of cost.

    Args:
        panels: lines by the name of what was trained, by the panel's title.
    """
    from matplotlib import pyplot

    figure = figure_of(panels)
    file = io.BytesIO()
    figure.savefig(file, format='png', dpi=100)
    pyplot.close(figure)
    return file.getvalue()


def figure_of(panels: Mapping[str, Mapping[str, Line]]) -> Any:
    """The figure of `cost_over_branches`, for the caller to close."""
    import matplotlib as mpl

    mpl.use('Agg')
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, len(panels), figsize=(10, 4), layout='constrained', squeeze=False)
    for axis, (title, lines) in zip(axes[0], panels.items(), strict=True):
        axis.set(title=title, xlabel='convolutional branches of a block, k')
        axis.grid(alpha=0.3)
        for name, line in lines.items():
            style = {'linestyle': '--', 'color': 'black'} if name == 'fused' else {'marker': 'o'}
            axis.plot(*zip(*line, strict=True), label=name, **style)
        axis.set_xticks(sorted({k for line in lines.values() for k, _ in line}))
        axis.set_ylim(bottom=0)
    axes[0][0].legend()
    return figure
