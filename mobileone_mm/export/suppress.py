"""The suppression stage of a Core ML detector, as coremltools' NonMaximumSuppression.proto describes it. NumPy only.

Assumed where the proto is silent or contradicts itself, until a Mac says otherwise:

- A box has one label, the class of its largest confidence; of equal ones, the first.
- A box stays if that confidence is at or above the confidence threshold, both as doubles.
- Of two boxes with one label, the less confident goes if their IoU is above (not at) the IoU threshold; a box that is
  gone suppresses no other. Boxes are not clipped before; two boxes without area have no overlap.
- Boxes come out by falling confidence; of equal ones, the one with the smaller row first, which also wins.

Letters: N boxes in, K confidence columns.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mobileone_mm.errors import ExportError

UNBOUNDED = -1  # upper bound of a size range
STAGE = 'nonMaximumSuppression'


@dataclass(frozen=True)
class Suppression:
    """A suppression stage with the names that it reads and writes, and its default thresholds."""

    confidence_input: str
    coordinates_input: str
    iou_threshold_input: str
    confidence_threshold_input: str
    confidence_output: str
    coordinates_output: str
    iou_threshold: float
    confidence_threshold: float
    per_class: bool

    def __call__(self, values: Mapping[str, Any]) -> dict[str, npt.NDArray[Any]]:
        """Rows of confidence (N, K) and coordinates (N, 4) that stay; a threshold that is not given has its default."""
        confidence, coordinates = values[self.confidence_input], values[self.coordinates_input]
        rows = rows_to_keep(
            confidence,
            coordinates,
            float(values.get(self.iou_threshold_input, self.iou_threshold)),
            float(values.get(self.confidence_threshold_input, self.confidence_threshold)),
            self.per_class,
        )
        return {self.confidence_output: confidence[rows], self.coordinates_output: coordinates[rows]}


def read_suppression(spec: Any) -> Suppression:
    """Read a suppression stage (`Model_pb2.Model`).

    Raises:
        ExportError: its number of boxes is limited, which would need padding.
    """
    stage = spec.nonMaximumSuppression
    for feature in spec.description.output:
        ranges = feature.type.multiArrayType.shapeRange.sizeRanges
        if not ranges or ranges[0].upperBound != UNBOUNDED:
            raise ExportError(f'suppression: {feature.name} has a limited number of boxes, expected any number')
    return Suppression(
        confidence_input=stage.confidenceInputFeatureName,
        coordinates_input=stage.coordinatesInputFeatureName,
        iou_threshold_input=stage.iouThresholdInputFeatureName,
        confidence_threshold_input=stage.confidenceThresholdInputFeatureName,
        confidence_output=stage.confidenceOutputFeatureName,
        coordinates_output=stage.coordinatesOutputFeatureName,
        iou_threshold=stage.iouThreshold,
        confidence_threshold=stage.confidenceThreshold,
        per_class=stage.pickTop.perClass,
    )


def rows_to_keep(
    confidence: npt.NDArray[Any],
    coordinates: npt.NDArray[Any],
    iou_threshold: float,
    confidence_threshold: float,
    per_class: bool = True,
) -> npt.NDArray[np.intp]:
    """Rows that stay, in the order they come out.

    Args:
        confidence: (N, K), 0..1.
        coordinates: (N, 4) centre x, centre y, width, height.
        iou_threshold: 0..1.
        confidence_threshold: 0..1.
        per_class: whether only boxes with one label suppress each other.
    """
    best = confidence.max(axis=1).astype(np.float64)
    labels = confidence.argmax(axis=1) if per_class else np.zeros(len(best), np.intp)
    left = np.argsort(-best, kind='stable')
    left = left[best[left] >= confidence_threshold]
    kept = []
    while len(left):
        first, left = left[0], left[1:]
        kept.append(first)
        overlaps = _iou(coordinates[first], coordinates[left])
        left = left[(labels[left] != labels[first]) | (overlaps <= iou_threshold)]
    return np.array(kept, np.intp)


def _iou(box: npt.NDArray[Any], others: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Intersection over union of one box (4,) with others (n, 4); 0 where neither has an area."""
    centre, size = box[:2].astype(np.float64), box[2:].astype(np.float64)
    centres, sizes = others[:, :2].astype(np.float64), others[:, 2:].astype(np.float64)
    low = np.maximum(centre - size / 2, centres - sizes / 2)
    high = np.minimum(centre + size / 2, centres + sizes / 2)
    shared = (high - low).clip(min=0).prod(axis=1)
    union = size.prod() + sizes.prod(axis=1) - shared
    overlap: npt.NDArray[np.float64] = np.divide(shared, union, out=np.zeros_like(union), where=union > 0)
    return overlap
