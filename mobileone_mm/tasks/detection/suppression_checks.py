"""Checks of what comes out behind the suppression: which rows stay, and whether they are those that went in."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torchvision.ops import box_convert, nms

from mobileone_mm.artifact.card import Card
from mobileone_mm.artifact.inputs import Array
from mobileone_mm.artifact.ladder import Rung
from mobileone_mm.artifact.runner import Outputs
from mobileone_mm.tasks.detection.rows import LIMITS, PROBE_THRESHOLD, RAW_CONFIDENCE, RAW_COORDINATES, Size, in_pixels
from mobileone_mm.tasks.detection.suppression import CONFIDENCE, CONFIDENCE_THRESHOLD, COORDINATES

Suppress = Callable[[dict[str, float]], Outputs]  # thresholds to the rows of one picture that stay

SUPPRESSION_RUNG = 'saved file, suppression'
COREML_RUNG = 'executed here -> Core ML'
NEAR = LIMITS['float16']  # how far detections may be from the rows that they came from


def suppression_rung(runs: Sequence[tuple[Suppress, Outputs]], card: Card) -> Rung:
    """What a file's suppression keeps of its raw boxes, against torchvision's suppression of each class.

    At the file's own thresholds, which the metadata name, and at a low one that leaves more to suppress.
    """
    differing = 0
    for suppress, outputs in runs:
        for given, threshold in (
            ({}, card.settings['confidence_threshold']),
            ({CONFIDENCE_THRESHOLD: PROBE_THRESHOLD}, PROBE_THRESHOLD),
        ):
            found = suppress(given)
            rows = expected_rows(outputs, card.settings['iou_threshold'], threshold)
            differing += _differing(found[CONFIDENCE], outputs[RAW_CONFIDENCE][rows])
            differing += _differing(found[COORDINATES], outputs[RAW_COORDINATES][rows])
    return Rung(SUPPRESSION_RUNG, differing, 0, 'rows')


def expected_rows(raw: Outputs, iou_threshold: float, confidence_threshold: float) -> npt.NDArray[Any]:
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


def detection_rungs(name: str, found: Sequence[tuple[float, float]], without: str) -> list[Rung]:
    """The worst of the pictures' distances in score and px; `without` any, rungs that were not made and say so."""
    score, box = np.max(found, axis=0).tolist() if found else (None, None)
    note = '' if found else without
    return [
        Rung(name, score, NEAR.score, 'score', note),
        Rung(name, box, NEAR.box, 'px', note),
    ]


def distance(detections: Outputs, raw: Outputs, size: Size) -> tuple[float, float]:
    """How far detections are from the raw rows they came from: largest error in score, and in px.

    A detection's row is the one nearest in box and score together, each measured in its limit. No detections: 0, 0.
    """
    rows, places = raw[RAW_CONFIDENCE].astype(np.float64), raw[RAW_COORDINATES].astype(np.float64)
    score_error = box_error = 0.0
    for confidence, coordinates in zip(detections[CONFIDENCE], detections[COORDINATES], strict=True):
        scores = np.abs(rows - confidence[: rows.shape[1]]).max(axis=1)
        boxes = np.abs(in_pixels(places - coordinates, size)).max(axis=1)
        row = int(np.argmin(np.maximum(scores / NEAR.score, boxes / NEAR.box)))
        score_error, box_error = max(score_error, float(scores[row])), max(box_error, float(boxes[row]))
    return score_error, box_error
