"""Checks before anything is converted: the trained model against its fused form, and that against the graph."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor, nn

from mobileone_mm.artifact.inputs import Picture
from mobileone_mm.artifact.ladder import PICTURES, REPORT_IT, Rung
from mobileone_mm.artifact.room import FLOAT16, Noise
from mobileone_mm.artifact.runner import Outputs
from mobileone_mm.errors import ExportError
from mobileone_mm.openmmlab.inputs import preprocessed
from mobileone_mm.parity import FLOAT64_RELATIVE_LIMIT, Parity
from mobileone_mm.pictures.synthetic import drawn_picture
from mobileone_mm.reparam import fuse_compared, own_rounding
from mobileone_mm.targets.target import Described
from mobileone_mm.tasks.layers import Values, in_float32, layer_rung
from mobileone_mm.tasks.rounding import compared, noise_of
from mobileone_mm.tasks.task import Graph, Size, Task, run_graph
from mobileone_mm.threads import one_thread

FUSED_RUNG = 'trained -> fused, float64'
LAYERS_RUNG = 'trained -> graph, layer by layer'
GRAPH_RUNG = 'trained -> graph, float32'

# Of the range. With the last digit of its input and of all its numbers nudged, a model moved about as far as with its
# norms folded; an S4 with random weights folded up to 7.5 times as far. A wrong fold passes 1e-3.
FUSED_ROOM = 64
FUSED_MOST = 1e-6


@dataclass(frozen=True)
class Fused:
    """A fused model, and what its graph is compared with.

    Attributes:
        model: in float64.
        rung: the model against the trained one.
        trained: what the trained model gives for each picture.
        outputs: what the fused model gives for the first one when its layers pass on float32.
        values: what they pass on.
    """

    model: Any
    rung: Rung
    trained: Sequence[Outputs]
    outputs: Outputs
    values: Values


def fused_of(task: Task, options: Any, model: Any, pictures: Sequence[Picture], was_fused: bool) -> Fused:
    """Fuse a model, in float64, where it stays; `options` are the task's."""
    with one_thread():
        trained = [task.export.reference(model.double(), picture, options) for picture in pictures]
        # One picture says all about a fold; the others are for what comes out.
        inputs = preprocessed(model, pictures[0])
        fused, parity = fuse_compared(model, inputs)
        rung = Rung(FUSED_RUNG, None, FLOAT64_RELATIVE_LIMIT, 'of range', 'not run: the checkpoint was fused before')
        if not was_fused:
            rung = _rung(parity, model, inputs)
        outputs, values = in_float32(fused, lambda: task.export.reference(fused, pictures[0], options))
    return Fused(fused, rung, trained, outputs, values)


@dataclass(frozen=True)
class Checked:
    """A graph, checked against its model.

    Attributes:
        graph: in float32.
        raw: what it gives for each picture.
        noise: how far rounding alone moves that.
        rungs: of the model and the graph.
    """

    graph: Graph
    raw: Sequence[Outputs]
    noise: Noise
    rungs: Sequence[Rung]


def checked_graph(
    task: Task, options: Any, fused: Fused, size: Size, pictures: Sequence[Picture], described: Described
) -> Checked:
    """The graph of a fused model, which goes to float32, for a file of this description.

    Raises:
        ExportError: the model gives the same whatever it is shown.
    """
    graph = task.export.graph(fused.model.float(), size, options).eval()
    raw = [run_graph(graph, picture) for picture in pictures]
    _require_sight(graph, pictures[0], raw[0])
    # The drawn one too, since what a card keeps of that is compared whenever the file is verified.
    looked_at = {picture.tobytes(): picture for picture in (*pictures, drawn_picture(size))}
    half = described.precision == FLOAT16
    noise = noise_of(task, graph, list(looked_at.values()), half, described.fp32_ops)
    pairs = list(zip(fused.trained, raw, strict=True))
    rungs = [
        fused.rung,
        layer_rung(LAYERS_RUNG, graph, pictures[0], fused.outputs, fused.values),
        *compared(task, GRAPH_RUNG, pairs, size, 'graph', noise),
    ]
    return Checked(graph, raw, noise, rungs)


def _require_sight(graph: Graph, picture: Picture, outputs: Outputs) -> None:
    """Refuse a network, such as one of zeros, of which every form is equal to every other, and none is of use."""
    negative = run_graph(graph, 255 - picture)
    if all(np.array_equal(negative[name], values) for name, values in outputs.items()):
        raise ExportError(
            'the model gives exactly the same for a picture and for its negative, so it sees nothing: its weights may '
            'be zeros, or it died in training; look at the checkpoint, or take an earlier one'
        )


def _rung(parity: Parity, model: nn.Module, inputs: Tensor) -> Rung:
    """Trained against fused model as a fraction of the output's range, with room for what the last digit does."""
    found, limit = parity.relative, FLOAT64_RELATIVE_LIMIT
    if found <= limit:  # the nudge takes as long as the model
        return Rung(FUSED_RUNG, found, limit, 'of range')
    moved = own_rounding(model, inputs).relative
    if not FUSED_ROOM * moved > limit:
        return Rung(FUSED_RUNG, found, limit, 'of range', cure=REPORT_IT)
    note = f'limit {limit:g} widened: another last digit in float64 alone moves what this model gives by {moved:.1g}'
    return Rung(FUSED_RUNG, found, float(f'{min(FUSED_ROOM * moved, FUSED_MOST):.2g}'), 'of range', note, cure=PICTURES)
