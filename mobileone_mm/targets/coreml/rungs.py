"""The upper rungs of the ladder for a Core ML package: the saved file, executed, against the graph it was made from.

Letters as in `graphs`: N priors, C classes, K confidence columns.
"""

import math
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from torch import Tensor

from mobileone_mm.artifact.card import (
    CONFIDENCE,
    CONFIDENCE_THRESHOLD,
    COORDINATES,
    IMAGE,
    ArtifactInfo,
)
from mobileone_mm.artifact.inputs import Array
from mobileone_mm.artifact.ladder import (
    COMPRESSED_LIMITS,
    FLOAT16_LIMITS,
    FLOAT32_LIMITS,
    PROBE_THRESHOLD,
    Boxes,
    Limits,
    Pairs,
    Rung,
    row_rungs,
)
from mobileone_mm.exporter.verify import graph_boxes, verify
from mobileone_mm.pictures.reading import Picture, drawn_picture, read_picture
from mobileone_mm.targets.coreml.interpreter import Interpreter, Step, open_interpreter
from mobileone_mm.targets.opening import open_artifact
from mobileone_mm.tasks.detection.fingerprint import fingerprint_rungs
from mobileone_mm.tasks.detection.graph import PACKED, DetectorGraph, as_stored
from mobileone_mm.tasks.detection.kept import COREML_RUNG, boxes_of, detection_rungs, distance, suppression_rung
from mobileone_mm.tasks.detection.suppression import Suppression

LARGEST_HALF = 65504.0  # largest float16
NEAR_LARGEST = LARGEST_HALF / 4  # devices may accumulate in float16
# RMS error of a constant as a fraction of its RMS, in the worst tensor: what the type rounds, or three to five times
# what detectors showed (0.034, 0.009 and 0.038); a tensor of another model is off by 1 and more.
CONSTANT_LIMITS: Mapping[str, float] = {
    'float32': 0.0,
    'float16': 1e-3,
    'int8': 0.1,
    'palette8': 0.05,
    'palette6': 0.15,
}

OVERFLOW_RUNG = 'saved package, largest value'
CONSTANTS_RUNG = 'graph -> saved package, constants'
PACKED_RUNG = 'graph -> saved package, {} constants'
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
        full: its outputs by name, where nothing is rounded but the constants.
        own: its outputs by name, in the program's own precision.
        peaks: of every float16 output of an operation, in order, where nothing is rounded.
    """

    full: Mapping[str, Array]
    own: Mapping[str, Array]
    peaks: tuple[Peak, ...]


def package_rungs(
    package: Path, info: ArtifactInfo, graph: DetectorGraph, pictures: Sequence[Picture], raw: Sequence[Boxes]
) -> list[Rung]:
    """Judge a saved package by the graph, and by `raw`, the boxes that it gives for the pictures."""
    interpreter = open_interpreter(package)
    runs = [execute(interpreter, picture, info.layers) for picture in pictures]
    same, errors = as_stored(graph, interpreter.program.constants, info.precision == 'float16')
    stored = [graph_boxes(same, picture, len(info.classes)) for picture in pictures]
    own = [boxes_of(run.own) for run in runs]
    return [
        *overflow_rungs(runs),
        *_constant_rungs(info, errors),
        *row_rungs(FLOAT32_RUNG, _pairs(stored, [boxes_of(run.full) for run in runs]), info.input_size, FLOAT32_LIMITS),
        *_own_rungs(info, runs, raw),
        *_stage_rungs(interpreter, info, runs),
        *coreml_rungs(package, pictures, own, info.input_size),
    ]


def _constant_rungs(info: ArtifactInfo, errors: Mapping[str, float]) -> list[Rung]:
    """The worst constant; of compressed ones apart, whose limit would let a moved prior or mean through."""
    packed = {name: error for name, error in errors.items() if name.endswith(PACKED)}
    plain = {name: error for name, error in errors.items() if name not in packed}
    parts = [(CONSTANTS_RUNG, plain, info.precision), (PACKED_RUNG.format(info.weights), packed, info.weights)]
    return [
        Rung(name, error, CONSTANT_LIMITS[kind], 'of RMS', f'{constant} is farthest' if error else '')
        for name, part, kind in parts
        for constant, error in sorted(part.items(), key=lambda item: -item[1])[:1]
    ]


def _own_rungs(info: ArtifactInfo, runs: Sequence[Execution], raw: Sequence[Boxes]) -> list[Rung]:
    """What the package's own precision and its compression cost, against the graph."""
    own = _pairs(raw, [boxes_of(run.own) for run in runs])
    if info.weights in COMPRESSED_LIMITS:
        name, limits = COMPRESSED_RUNG.format(info.weights), COMPRESSED_LIMITS[info.weights]
        return [*rounding_rungs(info, runs), *row_rungs(name, own, info.input_size, limits, PROBE_THRESHOLD)]
    if info.precision == 'float32':
        return []
    return row_rungs(FLOAT16_RUNG, own, info.input_size, FLOAT16_LIMITS, PROBE_THRESHOLD)


def rounding_rungs(info: ArtifactInfo, runs: Sequence[Execution]) -> list[Rung]:
    """What the package's own precision costs against an execution that rounds nothing; nothing if it rounds nothing."""
    if info.precision == 'float32':
        return []
    pairs = [(boxes_of(run.full), boxes_of(run.own)) for run in runs]
    return row_rungs(ROUNDING_RUNG, pairs, info.input_size, FLOAT16_LIMITS, PROBE_THRESHOLD)


def _stage_rungs(interpreter: Interpreter, info: ArtifactInfo, runs: Sequence[Execution]) -> list[Rung]:
    stage = interpreter.suppression
    assert stage is not None, 'the contract asks for it'
    kept = [partial(_kept, stage, run) for run in runs]
    return [suppression_rung([(suppress, run.own) for suppress, run in zip(kept, runs, strict=True)], info)]


def _kept(stage: Suppression, run: Execution, thresholds: dict[str, float]) -> Mapping[str, Array]:
    return stage({**run.own, **thresholds})


def reclimb(path: str | Path, images: Sequence[str | Path] = ()) -> tuple[ArtifactInfo, list[Rung]]:
    """Judge a saved package by itself: the contract, and what needs neither config nor checkpoint.

    Raises:
        ExportError: it cannot be opened, or a rule is broken.
        DataError: a picture cannot be read.
    """
    info = verify(path)
    drawn = drawn_picture(info.input_size)
    pictures = [read_picture(image, info.input_size) for image in images] or [drawn]
    interpreter = open_interpreter(path)
    runs = [execute(interpreter, picture, info.layers) for picture in pictures]
    probe = boxes_of(interpreter.raw({IMAGE: drawn}))
    return info, [
        *overflow_rungs(runs),
        *fingerprint_rungs(info.probe, probe, len(info.classes), info.input_size, _limits(info)),
        *rounding_rungs(info, runs),
        *_stage_rungs(interpreter, info, runs),
        *coreml_rungs(Path(path), pictures, [boxes_of(run.own) for run in runs], info.input_size),
    ]


def _limits(info: ArtifactInfo) -> Limits:
    """How far the package may be from the graph."""
    uncompressed = FLOAT32_LIMITS if info.precision == 'float32' else FLOAT16_LIMITS
    return COMPRESSED_LIMITS.get(info.weights, uncompressed)


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
        note += f': it overflows float16, and what follows from it are no numbers; {_cures(beyond)}'
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
    if not layers:
        return '--precision fp32 keeps the whole program in float32'
    flags = ' '.join(f"--fp32-op '{layer}'" for layer in layers)
    what = 'that layer' if len(layers) == 1 else f'these {len(layers)} layers'
    return f'{flags} keeps {what} in float32, --precision fp32 the whole program'


def _pairs(expected: Sequence[Boxes], found: Sequence[Boxes]) -> Pairs:
    return list(zip(expected, found, strict=True))


def coreml_rungs(
    package: Path, pictures: Sequence[Picture], own: Sequence[Boxes], input_size: tuple[int, int]
) -> list[Rung]:
    """What Core ML itself detects with the saved package against the raw rows that were computed here; macOS only."""
    if platform.system() != 'Darwin':
        return detection_rungs(COREML_RUNG, [], f'not run: Core ML predicts on macOS only, this is {platform.system()}')
    found = [
        distance(detections, rows, input_size)
        for detections, rows in zip(_coreml(package, pictures), own, strict=True)
        if len(detections.confidence)
    ]
    return detection_rungs(
        COREML_RUNG, found, f'not run: Core ML finds no box above {PROBE_THRESHOLD} in these pictures'
    )


def _coreml(package: Path, pictures: Sequence[Picture]) -> list[Boxes]:
    artifact = open_artifact(package)
    outputs = [artifact.predict({IMAGE: picture, CONFIDENCE_THRESHOLD: PROBE_THRESHOLD}) for picture in pictures]
    return [Boxes(out[CONFIDENCE].astype(np.float64), out[COORDINATES].astype(np.float64)) for out in outputs]
