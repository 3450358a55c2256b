"""Core ML's suppression stage: built behind a program with raw boxes, read back from a package, and run.

Field by field: coremltools' NonMaximumSuppression.proto.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

from mobileone_mm.errors import ExportError
from mobileone_mm.targets.coreml.library import coremltools
from mobileone_mm.tasks.detection.rows import BOX, RAW_CONFIDENCE, RAW_COORDINATES
from mobileone_mm.tasks.detection.suppression import (
    CONFIDENCE,
    CONFIDENCE_THRESHOLD,
    COORDINATES,
    IOU_THRESHOLD,
    rows_to_keep,
)

STAGE = 'nonMaximumSuppression'
UNBOUNDED = -1  # upper bound of a size range


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


def suppression_stage(
    rows: int, labels: Sequence[str], spec_version: int, iou_threshold: float, confidence_threshold: float
) -> Any:
    """The stage (`Model_pb2.Model`) behind a program that gives `rows` boxes, with one label a column."""
    spec = coremltools().proto.Model_pb2.Model(specificationVersion=spec_version)
    _add_array(spec.description.input, RAW_CONFIDENCE, (rows, len(labels)))
    _add_array(spec.description.input, RAW_COORDINATES, (rows, BOX))
    for name in (IOU_THRESHOLD, CONFIDENCE_THRESHOLD):
        spec.description.input.add(name=name).type.doubleType.SetInParent()
    add_boxes(spec.description.output, len(labels))
    stage = spec.nonMaximumSuppression
    stage.pickTop.perClass = True
    stage.stringClassLabels.vector.extend(labels)
    stage.iouThreshold, stage.confidenceThreshold = iou_threshold, confidence_threshold
    stage.confidenceInputFeatureName, stage.coordinatesInputFeatureName = RAW_CONFIDENCE, RAW_COORDINATES
    stage.iouThresholdInputFeatureName = IOU_THRESHOLD
    stage.confidenceThresholdInputFeatureName = CONFIDENCE_THRESHOLD
    stage.confidenceOutputFeatureName, stage.coordinatesOutputFeatureName = CONFIDENCE, COORDINATES
    return spec


def _add_array(features: Any, name: str, shape: tuple[int, int]) -> None:
    array = features.add(name=name).type.multiArrayType
    array.dataType = array.FLOAT32
    array.shape.extend(shape)


def add_boxes(features: Any, columns: int) -> None:
    """Add the two outputs, whose number of rows is known at run time only."""
    for name, width in ((CONFIDENCE, columns), (COORDINATES, BOX)):
        array = features.add(name=name).type.multiArrayType
        array.dataType = array.FLOAT32
        array.shapeRange.sizeRanges.add(lowerBound=0, upperBound=UNBOUNDED)
        array.shapeRange.sizeRanges.add(lowerBound=width, upperBound=width)
