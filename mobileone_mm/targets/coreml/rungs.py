"""Checks of a saved Core ML package: the file, executed, against the graph it was made from, or by itself."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from torch import Tensor

from mobileone_mm.artifact.card import IMAGE, Card
from mobileone_mm.artifact.inputs import Picture
from mobileone_mm.artifact.ladder import Rung, first_failed
from mobileone_mm.artifact.runner import Outputs
from mobileone_mm.pictures.synthetic import drawn_picture
from mobileone_mm.targets.coreml.interpreter import Interpreter, Step
from mobileone_mm.targets.coreml.stored import PACKED, as_stored
from mobileone_mm.tasks.by_name import task_named
from mobileone_mm.tasks.layers import Values, layer_rung
from mobileone_mm.tasks.rounding import compared_by, probe_compared, relief
from mobileone_mm.tasks.task import Graph, Pairs, run_graph

LARGEST_HALF = 65504.0  # largest float16
NEAR_LARGEST = LARGEST_HALF / 4  # devices may accumulate in float16
# Error of a number as a fraction of it, in the worst constant: twice what the type rounds; and of compressed constants,
# RMS error as a fraction of their RMS: three to five times what detectors showed (0.034, 0.009 and 0.038). A tensor of
# another model is off by 1 and more.
CONSTANT_LIMITS: Mapping[str, float] = {
    'float32': 0.0,
    'float16': 1e-3,
    'int8': 0.1,
    'palette8': 0.05,
    'palette6': 0.15,
}

WEIGHTED = ('conv', 'conv_transpose', 'linear')  # operations that are layers with weights

MOST_NAMED = 12  # layers; beyond it, they are most of a model

OVERFLOW_RUNG = 'saved package, largest value'
CONSTANTS_RUNG = 'graph -> saved package, constants'
PACKED_RUNG = 'graph -> saved package, {} constants'
LAYERS_RUNG = 'graph -> saved package, layer by layer'
FLOAT32_RUNG = 'graph -> saved package, float32'
FLOAT16_RUNG = 'graph -> saved package, float16'
ROUNDING_RUNG = 'saved package, float32 -> float16'
COMPRESSED_RUNG = 'graph -> saved package, {} weights'


@dataclass(frozen=True)
class Peak:
    """The largest magnitude at one place of a program; infinite where it holds no number.

    Attributes:
        place: the operation.
        layers: of the torch model: the operation's own, if it has one, and those that read what it gives.
        value: the magnitude.
    """

    place: str
    layers: tuple[str, ...]
    value: float


@dataclass(frozen=True)
class Execution:
    """One picture through the ML program of a package.

    Attributes:
        full: its outputs, where nothing is rounded but the constants.
        own: its outputs, in the program's own precision.
        peaks: of every float16 output of an operation, in order, where nothing is rounded.
    """

    full: Outputs
    own: Outputs
    peaks: tuple[Peak, ...]


def execute_all(interpreter: Interpreter, pictures: Sequence[Picture], card: Card) -> list[Execution]:
    """Each picture through the ML program of a package."""
    return [execute(interpreter, picture, card.layers) for picture in pictures]


def rungs_by_graph(
    interpreter: Interpreter,
    card: Card,
    graph: Graph,
    pictures: Sequence[Picture],
    raw: Sequence[Outputs],
    runs: Sequence[Execution],
) -> list[Rung]:
    """Checks of an executed package by its graph, and by `raw`, what that gives for the pictures."""
    same, errors = as_stored(graph, interpreter.program.constants, card.precision == 'float16')
    stored = [run_graph(same, picture) for picture in pictures]
    full = _pairs(stored, [run.full for run in runs])
    return [
        *overflow_rungs(runs),
        *_constant_rungs(card, errors),
        layer_rung(LAYERS_RUNG, same, pictures[0], *layer_values(interpreter, pictures[0], card.layers)),
        *compared_by(card, FLOAT32_RUNG, full, 'float32'),
        *_relieved(card, graph, pictures, _own_rungs(card, runs, raw)),
    ]


def _relieved(card: Card, graph: Graph, pictures: Sequence[Picture], made: list[Rung]) -> list[Rung]:
    """The same rungs; those that float16 fails name the layers that help."""
    rounded = [rung for rung in made if rung.name in (FLOAT16_RUNG, ROUNDING_RUNG) and not rung.cure]
    failed = [rung for rung in rounded if first_failed([rung])]
    if not failed or not all(math.isfinite(rung.value or 0) for rung in failed):  # what overflows is named by its rung
        return made
    cure = relief(task_named(card.task), graph, pictures, failed, card.fp32_ops)
    return [replace(rung, cure=cure) if rung in failed else rung for rung in made]


def _constant_rungs(card: Card, errors: Mapping[str, float]) -> list[Rung]:
    """The worst constant; of compressed ones apart, whose limit would let a moved prior or mean through."""
    packed = {name: error for name, error in errors.items() if name.endswith(PACKED)}
    plain = {name: error for name, error in errors.items() if name not in packed}
    parts = [
        (CONSTANTS_RUNG, plain, card.precision, 'of number'),
        (PACKED_RUNG.format(card.weights), packed, card.weights, 'of RMS'),
    ]
    return [
        Rung(name, error, CONSTANT_LIMITS[kind], unit, f'{constant} is farthest' if error else '')
        for name, part, kind, unit in parts
        for constant, error in sorted(part.items(), key=lambda item: -item[1])[:1]
    ]


def _own_rungs(card: Card, runs: Sequence[Execution], raw: Sequence[Outputs]) -> list[Rung]:
    """What the package's own precision and its compression cost, against the graph."""
    own = _pairs(raw, [run.own for run in runs])
    if card.weights != card.precision:
        name = COMPRESSED_RUNG.format(card.weights)
        return [*rounding_rungs(card, runs), *compared_by(card, name, own, card.weights)]
    if card.precision == 'float32':
        return []
    return compared_by(card, FLOAT16_RUNG, own, 'float16')


def rounding_rungs(card: Card, runs: Sequence[Execution]) -> list[Rung]:
    """What the package's own precision costs against an execution that rounds nothing; nothing if it rounds nothing."""
    if card.precision == 'float32':
        return []
    pairs = [(run.full, run.own) for run in runs]
    return compared_by(card, ROUNDING_RUNG, pairs, 'float16')


def rungs_by_itself(interpreter: Interpreter, card: Card, runs: Sequence[Execution]) -> list[Rung]:
    """Checks of an executed package that need neither its graph nor its model."""
    outputs = interpreter.raw({IMAGE: drawn_picture(card.input_size)})
    return [
        *overflow_rungs(runs),
        *probe_compared(card, outputs, card.weights),
        *rounding_rungs(card, runs),
    ]


def execute(interpreter: Interpreter, picture: Picture, layers: Mapping[str, str]) -> Execution:
    """Run the ML program of a package in both precisions; `layers` names what computes a value."""
    inputs = {IMAGE: picture}
    peaks: list[Peak] = []
    readers = _readers(interpreter.program.steps, layers)

    def watch(step: Step, output: Tensor) -> None:
        if step.half:
            own = [layers[step.output]] if step.output in layers else []
            peaks.append(Peak(str(step), (*own, *readers.get(step.output, ())), _magnitude(output)))

    full = interpreter.raw(inputs, 'float32', watch)
    return Execution(full, interpreter.raw(inputs), tuple(peaks))


def layer_values(interpreter: Interpreter, picture: Picture, layers: Mapping[str, str]) -> tuple[Outputs, Values]:
    """What the ML program gives where nothing is rounded but the constants, and what its layers give on the way."""
    values: dict[str, Tensor] = {}

    def keep(step: Step, output: Tensor) -> None:
        if step.operation in WEIGHTED and step.output in layers:
            values[layers[step.output]] = output

    return interpreter.raw({IMAGE: picture}, 'float32', keep), values


def _readers(steps: Sequence[Step], layers: Mapping[str, str]) -> dict[str, list[str]]:
    """Layers of the operations that read a value, by its name."""
    readers: dict[str, list[str]] = {}
    for step in steps:
        for names in step.arguments.values():
            for name in [names] if isinstance(names, str) else names:
                if step.output in layers:
                    readers.setdefault(name, []).append(layers[step.output])
    return readers


def _magnitude(value: Tensor) -> float:
    largest = float(value.abs().max())
    return largest if math.isfinite(largest) else math.inf


def overflow_rungs(runs: Sequence[Execution]) -> list[Rung]:
    """The first value of a program that leaves float16, or else the largest of all; none where nothing is float16."""
    worst = [max(peak, key=lambda peak: peak.value) for peak in zip(*(run.peaks for run in runs), strict=True)]
    if not worst:
        return []
    beyond = [peak for peak in worst if peak.value > LARGEST_HALF]
    peak = beyond[0] if beyond else max(worst, key=lambda peak: peak.value)
    note = f'in {peak.place}{f", layer {peak.layers[0]}" if peak.layers else ""}'
    if beyond:
        note += f': it overflows float16, so everything computed from it is infinite or NaN; {_cures(beyond)}'
    elif peak.value > NEAR_LARGEST:
        near = [peak for peak in worst if peak.value > NEAR_LARGEST]
        note += f': a device that accumulates in float16 may overflow; {_cures(near)}'
    return [Rung(OVERFLOW_RUNG, peak.value, LARGEST_HALF, 'magnitude', note)]


def near_overflow(rungs: Sequence[Rung]) -> list[Rung]:
    """The rungs that hold, but whose value a device may be unable to hold."""
    return [rung for rung in rungs if rung.name == OVERFLOW_RUNG and rung.holds and (rung.value or 0) > NEAR_LARGEST]


def _cures(peaks: Sequence[Peak]) -> str:
    """What keeps all of these values in float32: the layers that give them and those that take them."""
    layers = dict.fromkeys(layer for peak in peaks for layer in peak.layers)
    if not 0 < len(layers) <= MOST_NAMED:
        return '`precision` fp32 keeps the whole program in float32'
    named = ' '.join(f"`fp32_ops` '{layer}'" for layer in layers)
    what = 'that layer' if len(layers) == 1 else f'these {len(layers)} layers'
    return f'{named} keeps {what} in float32, `precision` fp32 the whole program'


def _pairs(expected: Sequence[Outputs], found: Sequence[Outputs]) -> Pairs:
    return list(zip(expected, found, strict=True))
