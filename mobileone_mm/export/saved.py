"""The upper rungs of the ladder: the saved package, executed, against the graph that it was made from.

Letters as in `graphs`: N priors, C classes, K confidence columns.
"""

import math
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torchvision.ops import box_convert, nms

from mobileone_mm.export.features import Array
from mobileone_mm.export.info import (
    CONFIDENCE,
    CONFIDENCE_THRESHOLD,
    COORDINATES,
    IMAGE,
    RAW_CONFIDENCE,
    RAW_COORDINATES,
    ArtifactInfo,
)
from mobileone_mm.export.interpret import Interpreter, Step, open_interpreter
from mobileone_mm.export.probe import Picture, drawn_picture, read_picture
from mobileone_mm.export.runtime import open_artifact
from mobileone_mm.export.suppress import Suppression
from mobileone_mm.export.verify import Boxes, Rung, largest, verify

FLOAT32_SCORE_LIMIT = 1e-4  # score; package executed in float32 against the graph with the same constants
FLOAT32_BOX_LIMIT = 0.05  # px of the input picture; the same
PACKAGE_SCORE_LIMIT = 0.02  # score; float16 package against the float32 graph (a trained S0 showed 0.006)
PACKAGE_BOX_LIMIT = 1.0  # px of the input picture; the same (0.47)
PROBE_THRESHOLD = 0.05  # score; boxes below it are background, and where they lie says nothing
LARGEST_HALF = 65504.0  # largest float16
NEAR_LARGEST = LARGEST_HALF / 4  # devices may accumulate in float16

OVERFLOW_RUNG = 'saved package, largest value'
FLOAT32_RUNG = 'graph -> saved package, float32'
FLOAT16_RUNG = 'graph -> saved package, float16'
ROUNDING_RUNG = 'saved package, float32 -> float16'
SUPPRESSION_RUNG = 'saved package, suppression'
COREML_RUNG = 'graph -> saved package, Core ML'


@dataclass(frozen=True)
class Peak:
    """The largest magnitude at one place of a program; infinite where it holds no number."""

    place: str
    value: float


@dataclass(frozen=True)
class Execution:
    """One picture through the ML program of a package.

    Attributes:
        full: its outputs by name, where nothing is rounded but the constants.
        half: its outputs by name, in the program's own float16.
        peaks: of every float16 output of an operation, in order, where nothing is rounded.
    """

    full: Mapping[str, Array]
    half: Mapping[str, Array]
    peaks: tuple[Peak, ...]


def package_rungs(
    package: Path, info: ArtifactInfo, pictures: Sequence[Picture], raw: Sequence[Boxes], stored: Sequence[Boxes]
) -> list[Rung]:
    """Judge a saved package by the graph's boxes: `raw`, and `stored` by the graph with the package's own constants."""
    suppression, runs = _executed(package, pictures)
    full = [(boxes, _boxes(run.full)) for boxes, run in zip(stored, runs, strict=True)]
    half = [(boxes, _boxes(run.half)) for boxes, run in zip(raw, runs, strict=True)]
    return [
        overflow_rung([run.peaks for run in runs]),
        *float32_rungs(full, info.input_size),
        *float16_rungs(FLOAT16_RUNG, half, info.input_size),
        suppression_rung(suppression, [run.half for run in runs], info),
        *coreml_rungs(package, pictures, raw, info.input_size),
    ]


def reclimb(path: str | Path, images: Sequence[str | Path] = ()) -> tuple[ArtifactInfo, list[Rung]]:
    """Judge a saved package by itself: the contract, and what needs neither config nor checkpoint.

    Raises:
        ExportError: it cannot be opened, or a rule is broken.
        DataError: a picture cannot be read.
    """
    info = verify(path)
    pictures = [read_picture(image, info.input_size) for image in images] or [drawn_picture(info.input_size)]
    suppression, runs = _executed(path, pictures)
    return info, [
        overflow_rung([run.peaks for run in runs]),
        *float16_rungs(ROUNDING_RUNG, [(_boxes(run.full), _boxes(run.half)) for run in runs], info.input_size),
        suppression_rung(suppression, [run.half for run in runs], info),
    ]


def _executed(path: str | Path, pictures: Sequence[Picture]) -> tuple[Suppression, list[Execution]]:
    interpreter = open_interpreter(path)
    assert interpreter.suppression is not None, 'the contract asks for it'
    return interpreter.suppression, [execute(interpreter, picture) for picture in pictures]


def execute(interpreter: Interpreter, picture: Picture) -> Execution:
    """Run the ML program of a package in both precisions."""
    inputs = {IMAGE: picture}
    peaks: list[Peak] = []

    def watch(step: Step, output: Tensor) -> None:
        if step.half:
            peaks.append(Peak(str(step), _magnitude(output)))

    full = interpreter.raw(inputs, 'float32', watch)
    return Execution(full, interpreter.raw(inputs), tuple(peaks))


def _magnitude(value: Tensor) -> float:
    largest = float(value.abs().max())
    return largest if math.isfinite(largest) else math.inf


def _boxes(raw: Mapping[str, Array]) -> Boxes:
    return Boxes(raw[RAW_CONFIDENCE].astype(np.float64), raw[RAW_COORDINATES].astype(np.float64))


def overflow_rung(peaks: Sequence[Sequence[Peak]]) -> Rung:
    """The first value of a program that leaves float16, or else the largest of all; one list of peaks a picture."""
    worst = [max(peak, key=lambda peak: peak.value) for peak in zip(*peaks, strict=True)]
    beyond = [peak for peak in worst if peak.value > LARGEST_HALF]
    peak = beyond[0] if beyond else max(worst, key=lambda peak: peak.value)
    note = f'in {peak.place}'
    if beyond:
        note += ': it overflows float16, and what follows from it are no numbers'
    elif peak.value > NEAR_LARGEST:
        note += ': above a quarter of the limit, so a device that accumulates in float16 may overflow'
    return Rung(OVERFLOW_RUNG, peak.value, LARGEST_HALF, 'magnitude', note)


def float32_rungs(pairs: Sequence[tuple[Boxes, Boxes]], input_size: tuple[int, int]) -> list[Rung]:
    """Every row of the program against the same row of a graph with the same constants."""
    score, box = _distances(pairs, input_size)
    return [
        Rung(FLOAT32_RUNG, score, FLOAT32_SCORE_LIMIT, 'score'),
        Rung(FLOAT32_RUNG, box, FLOAT32_BOX_LIMIT, 'px'),
    ]


def float16_rungs(name: str, pairs: Sequence[tuple[Boxes, Boxes]], input_size: tuple[int, int]) -> list[Rung]:
    """Every score of the program in float16, and every box whose score is above `PROBE_THRESHOLD` on either side."""
    score, box = _distances(pairs, input_size, PROBE_THRESHOLD)
    note = '' if box is not None else f'not run: no score above {PROBE_THRESHOLD} in these pictures'
    return [
        Rung(name, score, PACKAGE_SCORE_LIMIT, 'score'),
        Rung(name, box, PACKAGE_BOX_LIMIT, 'px', note),
    ]


def _distances(
    pairs: Sequence[tuple[Boxes, Boxes]], input_size: tuple[int, int], threshold: float = -math.inf
) -> tuple[float, float | None]:
    """Largest error of all scores, and in px of the boxes above the threshold; None if there are none."""
    scores, boxes, compared = [], [], False
    for expected, found in pairs:
        assert expected.coordinates.shape == found.coordinates.shape
        padding = found.confidence.shape[1] - expected.confidence.shape[1]
        confidence = np.pad(expected.confidence, ((0, 0), (0, padding)))
        scores.append(found.confidence - confidence)
        error = (found.coordinates - expected.coordinates) * (*input_size, *input_size)
        above = np.maximum(confidence.max(axis=1), found.confidence.max(axis=1)) > threshold
        compared = compared or bool(above.any())
        boxes.append(np.where(above[:, None] | ~np.isfinite(error), error, 0))
    box = largest(boxes)
    return largest(scores), box if compared or math.isnan(box) else None


def suppression_rung(suppression: Suppression, raw: Sequence[Mapping[str, Array]], info: ArtifactInfo) -> Rung:
    """What the package's suppression stage keeps of its raw boxes, against torchvision's suppression of each class.

    At the package's own thresholds, which the metadata name, and at a low one that leaves more to suppress.
    """
    differing = 0
    for outputs in raw:
        for given, threshold in (
            ({}, info.confidence_threshold),
            ({CONFIDENCE_THRESHOLD: PROBE_THRESHOLD}, PROBE_THRESHOLD),
        ):
            found = suppression({**outputs, **given})
            rows = expected_rows(outputs, info.iou_threshold, threshold)
            differing += _differing(found[CONFIDENCE], outputs[RAW_CONFIDENCE][rows])
            differing += _differing(found[COORDINATES], outputs[RAW_COORDINATES][rows])
    return Rung(SUPPRESSION_RUNG, differing, 0, 'rows')


def expected_rows(raw: Mapping[str, Array], iou_threshold: float, confidence_threshold: float) -> npt.NDArray[Any]:
    """Rows that the suppression stage has to keep, in order, by torchvision."""
    best, labels = torch.from_numpy(raw[RAW_CONFIDENCE]).double().max(dim=1)
    boxes = box_convert(torch.from_numpy(raw[RAW_COORDINATES]).double(), 'cxcywh', 'xyxy')
    candidates = torch.nonzero(best >= confidence_threshold)[:, 0]
    kept = []
    for label in sorted(set(labels[candidates].tolist())):
        of_label = candidates[labels[candidates] == label]
        kept.append(of_label[nms(boxes[of_label], best[of_label], iou_threshold)])
    rows = torch.cat(kept).sort().values if kept else candidates
    return rows[best[rows].argsort(descending=True, stable=True)].numpy()


def _differing(found: Array, expected: Array) -> int:
    common = min(len(found), len(expected))
    return int((found[:common] != expected[:common]).any(axis=1).sum()) + abs(len(found) - len(expected))


def coreml_rungs(
    package: Path, pictures: Sequence[Picture], raw: Sequence[Boxes], input_size: tuple[int, int]
) -> list[Rung]:
    """What Core ML itself detects with the saved package against the graph's raw rows; macOS only."""
    if platform.system() != 'Darwin':
        return detection_rungs([], f'not run: Core ML predicts on macOS only, this is {platform.system()}')
    found = [
        distance(detections, rows, input_size)
        for detections, rows in zip(_coreml(package, pictures), raw, strict=True)
        if len(detections.confidence)
    ]
    return detection_rungs(found, f'not run: Core ML finds no box above {PROBE_THRESHOLD} in these pictures')


def detection_rungs(found: Sequence[tuple[float, float]], without: str) -> list[Rung]:
    """The worst of the pictures' distances in score and px; `without` any, rungs that were not made and say so."""
    score, box = np.max(found, axis=0).tolist() if found else (None, None)
    note = '' if found else without
    return [
        Rung(COREML_RUNG, score, PACKAGE_SCORE_LIMIT, 'score', note),
        Rung(COREML_RUNG, box, PACKAGE_BOX_LIMIT, 'px', note),
    ]


def _coreml(package: Path, pictures: Sequence[Picture]) -> list[Boxes]:
    artifact = open_artifact(package)
    outputs = [artifact.predict({IMAGE: picture, CONFIDENCE_THRESHOLD: PROBE_THRESHOLD}) for picture in pictures]
    return [Boxes(out[CONFIDENCE].astype(np.float64), out[COORDINATES].astype(np.float64)) for out in outputs]


def distance(detections: Boxes, raw: Boxes, input_size: tuple[int, int]) -> tuple[float, float]:
    """How far detections are from the raw rows they came from: largest error in score, and in px.

    A detection's row is the one nearest in box and score together, each measured in its limit. No detections: 0, 0.
    """
    pixels = np.array((*input_size, *input_size))
    score_error = box_error = 0.0
    for confidence, coordinates in zip(detections.confidence, detections.coordinates, strict=True):
        scores = np.abs(raw.confidence - confidence[: raw.confidence.shape[1]]).max(axis=1)
        boxes = np.abs((raw.coordinates - coordinates) * pixels).max(axis=1)
        row = int(np.argmin(np.maximum(scores / PACKAGE_SCORE_LIMIT, boxes / PACKAGE_BOX_LIMIT)))
        score_error, box_error = max(score_error, float(scores[row])), max(box_error, float(boxes[row]))
    return score_error, box_error
