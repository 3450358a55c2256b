"""What a detector finds in one picture, by any artefact or the model itself, under one rule: one label a box.

Letters: M boxes found, N raw boxes, C classes, K confidence columns (the classes first, then padding).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from mmengine.config import Config

from mobileone_mm.artifact.card import IMAGE, Card
from mobileone_mm.artifact.inputs import Array, Picture
from mobileone_mm.artifact.runner import Outputs, Runner
from mobileone_mm.errors import ConfigError
from mobileone_mm.tasks.detection.options import require_fraction
from mobileone_mm.tasks.detection.rows import RAW_CONFIDENCE, RAW_COORDINATES, Size, in_pixels
from mobileone_mm.tasks.detection.suppression import (
    CONFIDENCE,
    CONFIDENCE_THRESHOLD,
    COORDINATES,
    IOU_THRESHOLD,
    rows_to_keep,
)

MOST_BOXES = 200  # a picture, by an artifact, which names no limit
SHOWN_SCORE = 0.3  # threshold to look at a model with; the one that its config tests with lets hundreds through


@dataclass(frozen=True)
class Detections:
    """Boxes of one picture, the most confident first.

    Attributes:
        boxes: (M, 4) float64 left, top, right, bottom, fractions of the picture, clipped to 0..1.
        scores: (M,) float64, 0..1; NaN of boxes that were not found but annotated.
        labels: (M,) int64, index of the class.
    """

    boxes: npt.NDArray[np.float64]
    scores: npt.NDArray[np.float64]
    labels: npt.NDArray[np.int64]


@dataclass(frozen=True)
class Rules:
    """Which raw boxes become detections.

    Attributes:
        score_threshold: 0..1; boxes below it are dropped.
        iou_threshold: 0..1; of two boxes of one class that overlap more, the less confident one goes.
        limit: most boxes per picture.
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


def shown_rules_of(config: Config) -> Rules:
    """What a model is looked at with: the config's rules, but only boxes that it is fairly sure of."""
    return replace(rules_of(config), score_threshold=SHOWN_SCORE)


def rules_of_card(card: Card) -> Rules:
    """An artifact's own thresholds."""
    return Rules(card.settings['confidence_threshold'], card.settings['iou_threshold'], MOST_BOXES)


def changed(rules: Rules, values: Mapping[str, Any]) -> Rules:
    """Rules with some of their values replaced, by name.

    Raises:
        UsageError: a threshold is out of range.
    """
    for name, value in values.items():
        require_fraction(name, value)
    return replace(rules, **values)


def _is_fraction(value: Any) -> bool:
    return type(value) in (int, float) and 0 <= value <= 1


def predict(runner: Runner, picture: Picture, rules: Rules) -> Detections:
    """What an artifact finds in a picture of its input size; its own default thresholds are not used.

    Raises:
        DataError: the picture is not what it takes.
    """
    thresholds = {IOU_THRESHOLD: rules.iou_threshold, CONFIDENCE_THRESHOLD: rules.score_threshold}
    given = {name: value for name, value in thresholds.items() if name in runner.inputs}
    return decode(runner.predict({IMAGE: picture, **given}), rules)


def decode(outputs: Outputs, rules: Rules) -> Detections:
    """What is found in a picture: from raw rows, or from those that a suppression under these rules has left."""
    if CONFIDENCE in outputs:
        return _detections(outputs[CONFIDENCE], outputs[COORDINATES], rules.limit)
    confidence, coordinates = outputs[RAW_CONFIDENCE], outputs[RAW_COORDINATES]
    rows = rows_to_keep(confidence, coordinates, rules.iou_threshold, rules.score_threshold)
    return _detections(confidence[rows], coordinates[rows], rules.limit)


def _detections(confidence: Array, coordinates: Array, limit: int) -> Detections:
    """From boxes (M, 4) as centre x, centre y, width, height and scores (M, K) that stay, best first."""
    scores, boxes = confidence[:limit].astype(np.float64), coordinates[:limit].astype(np.float64)
    centres, halves = boxes[:, :2], boxes[:, 2:] / 2
    corners = np.concatenate((centres - halves, centres + halves), axis=1).clip(0, 1)
    # max and argmax of no rows at all are defined only along the columns.
    return Detections(corners, scores.max(axis=1), scores.argmax(axis=1).astype(np.int64))


def truth(entry: Mapping[str, Any], data_sample: Any) -> Detections | None:
    """The annotated boxes of a picture, scores NaN; None where its entry in the data set has no annotations.

    From the entry, whose boxes are in px of the file: the data sample's are so only if no step of the pipeline has
    moved them.
    """
    if 'instances' not in entry:
        return None
    counted = [one for one in entry['instances'] if not one.get('ignore_flag', 0)]
    height, width = data_sample.ori_shape
    boxes = np.array([one['bbox'] for one in counted], dtype=np.float64).reshape(-1, 4)
    labels = np.array([one['bbox_label'] for one in counted], dtype=np.int64)
    return Detections((boxes / (width, height, width, height)).clip(0, 1), np.full(len(counted), np.nan), labels)


@dataclass(frozen=True)
class Found:
    """Boxes in a picture, under the names that `supervision.Detections` has for them.

    Attributes:
        xyxy: (M, 4) float32 left, top, right, bottom, in px of the picture.
        confidence: (M,) float32, 0..1, falling.
        class_id: (M,) int64, index of the class.
        data: `class_name`, (M,) names of the classes.
    """

    xyxy: npt.NDArray[np.float32]
    confidence: npt.NDArray[np.float32]
    class_id: npt.NDArray[np.int64]
    data: Mapping[str, npt.NDArray[Any]]


def for_person(found: Detections, classes: Sequence[str], size: Size) -> Any:
    """Detections in px of a picture of `size`: `supervision.Detections` where that is installed, else `Found`."""
    fields: dict[str, Any] = {
        'xyxy': in_pixels(found.boxes, size).astype(np.float32),
        'confidence': found.scores.astype(np.float32),
        'class_id': found.labels,
        'data': {'class_name': np.array([classes[label] for label in found.labels], dtype=str)},
    }
    try:
        from supervision import Detections as Supervised
    except ImportError:
        return Found(**fields)
    return Supervised(**fields)
