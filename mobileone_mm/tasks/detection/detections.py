"""What a detector finds in one picture, by any artefact or the model itself, under one rule: one label a box.

Letters: M boxes found, N raw boxes, C classes, K confidence columns (the classes first, then padding).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from mmengine.config import Config

from mobileone_mm.artifact.card import (
    CONFIDENCE,
    CONFIDENCE_THRESHOLD,
    COORDINATES,
    IMAGE,
    IOU_THRESHOLD,
    RAW_CONFIDENCE,
    RAW_COORDINATES,
)
from mobileone_mm.artifact.inputs import Array
from mobileone_mm.artifact.ladder import Boxes
from mobileone_mm.errors import ConfigError
from mobileone_mm.exporter import verify
from mobileone_mm.pictures.reading import Picture
from mobileone_mm.targets.opening import Artifact
from mobileone_mm.tasks.detection.suppression import rows_to_keep


@dataclass(frozen=True)
class Detections:
    """Boxes of one picture, the most confident first.

    Attributes:
        boxes: (M, 4) float64 left, top, right, bottom, fractions of the picture, clipped to 0..1.
        scores: (M,) float64, 0..1.
        labels: (M,) int64, index of the class.
    """

    boxes: npt.NDArray[np.float64]
    scores: npt.NDArray[np.float64]
    labels: npt.NDArray[np.int64]


@dataclass(frozen=True)
class Rules:
    """Which raw boxes become detections.

    Attributes:
        score_threshold: 0..1; boxes below it go.
        iou_threshold: 0..1; of two boxes of one class that overlap more, the less confident one goes.
        limit: most boxes a picture.
    """

    score_threshold: float
    iou_threshold: float
    limit: int


def rules_of(config: Config) -> Rules:
    """What the config's model is tested with.

    Raises:
        ConfigError: its `test_cfg` does not say.
    """
    test = config.model.get('test_cfg') or {}
    score: Any = test.get('score_thr')
    iou: Any = (test.get('nms') or {}).get('iou_threshold')
    limit: Any = test.get('max_per_img')
    if not (_is_fraction(score) and _is_fraction(iou) and type(limit) is int and limit > 0):
        raise ConfigError(
            f'{config.filename}: model.test_cfg has score_thr={score!r}, nms.iou_threshold={iou!r} and '
            f'max_per_img={limit!r}, expected two numbers in 0..1 and a number of boxes, such as '
            "test_cfg=dict(score_thr=0.02, nms=dict(type='nms', iou_threshold=0.45), max_per_img=200)"
        )
    return Rules(float(score), float(iou), limit)


def _is_fraction(value: Any) -> bool:
    return type(value) in (int, float) and 0 <= value <= 1


def of_artifact(artifact: Artifact, picture: Picture, rules: Rules) -> Detections:
    """What an artefact finds in a picture of its input size; its own default thresholds are not used.

    Raises:
        DataError: the picture is not what it takes.
    """
    thresholds = {IOU_THRESHOLD: rules.iou_threshold, CONFIDENCE_THRESHOLD: rules.score_threshold}
    taken = {feature.name for feature in artifact.inputs}
    outputs = artifact.predict({IMAGE: picture, **{name: value for name, value in thresholds.items() if name in taken}})
    if CONFIDENCE in outputs:
        return _detections(outputs[CONFIDENCE], outputs[COORDINATES], rules.limit)
    return _suppressed(outputs[RAW_CONFIDENCE], outputs[RAW_COORDINATES], rules)


def of_model(model: Any, picture: Picture, rules: Rules) -> Detections:
    """What a detector in torch, trained or fused, finds in a picture of its input size."""
    return of_boxes(verify.trained_boxes(model, picture), rules)


def of_boxes(raw: Boxes, rules: Rules) -> Detections:
    """What is found in a picture whose raw boxes are these."""
    return _suppressed(raw.confidence, raw.coordinates, rules)


def _suppressed(confidence: Array, coordinates: Array, rules: Rules) -> Detections:
    rows = rows_to_keep(confidence, coordinates, rules.iou_threshold, rules.score_threshold)
    return _detections(confidence[rows], coordinates[rows], rules.limit)


def _detections(confidence: Array, coordinates: Array, limit: int) -> Detections:
    """From boxes (M, 4) as centre x, centre y, width, height and scores (M, K) that stay, best first."""
    scores, boxes = confidence[:limit].astype(np.float64), coordinates[:limit].astype(np.float64)
    centres, halves = boxes[:, :2], boxes[:, 2:] / 2
    corners = np.concatenate((centres - halves, centres + halves), axis=1).clip(0, 1)
    # max and argmax of no rows at all are defined only along the columns.
    return Detections(corners, scores.max(axis=1), scores.argmax(axis=1).astype(np.int64))
