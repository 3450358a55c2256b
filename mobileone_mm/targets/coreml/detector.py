"""What makes a package a detector for Apple's Vision: the suppression stage, thresholds, labels and metadata.

Field by field: coremltools' NonMaximumSuppression.proto; optional thresholds as in Apple's turicreate.
"""

from collections.abc import Sequence
from typing import Any

from mobileone_mm.artifact.card import (
    BOX,
    CONFIDENCE,
    CONFIDENCE_THRESHOLD,
    COORDINATES,
    IMAGE,
    IOU_THRESHOLD,
    RAW_CONFIDENCE,
    RAW_COORDINATES,
    ArtifactInfo,
)
from mobileone_mm.targets.coreml.library import coremltools
from mobileone_mm.tasks.detection.options import DetectorOptions

PAD_TO = 80  # confidence columns; other counts lose detections between the two stages (apple/coremltools#2445)
UNBOUNDED = -1

DESCRIPTIONS = {
    IMAGE: 'Picture, stretched to the input size (scaleFill)',
    CONFIDENCE: 'Boxes x confidence of each class, 0..1',
    COORDINATES: 'Boxes x [centre x, centre y, width, height], fractions of the picture',
    IOU_THRESHOLD: 'Overlap above which the less confident of two boxes with the same label goes (default {:g})',
    CONFIDENCE_THRESHOLD: 'Confidence below which a box goes (default {:g})',
}


def columns_for(classes: Sequence[str], options: DetectorOptions) -> int:
    """How many confidence columns a package for these classes has."""
    return -(-len(classes) // PAD_TO) * PAD_TO if options.pad_classes else len(classes)


def labels_for(classes: Sequence[str], columns: int) -> list[str]:
    """One label a column: the classes, then placeholders that no class is called."""
    prefix = 'unused'
    while any(name.startswith(prefix) for name in classes):
        prefix = f'_{prefix}'
    return [*classes, *(f'{prefix}_{index}' for index in range(len(classes), columns))]


def detector_pipeline(program: Any, info: ArtifactInfo, options: DetectorOptions) -> Any:
    """Put the suppression stage behind an ML program with raw outputs: a `coremltools.models.MLModel` ready to save."""
    ct = coremltools()
    first = program.get_spec()
    rows, columns = (int(size) for size in _output(first, RAW_CONFIDENCE).type.multiArrayType.shape)
    spec = ct.proto.Model_pb2.Model(specificationVersion=options.spec_version)
    spec.pipeline.models.add().CopyFrom(first)
    spec.pipeline.models.append(_suppression(rows, labels_for(info.classes, columns), options))
    spec.pipeline.names.extend(('detector', 'suppression'))
    _describe(spec.description, first, columns, options)
    _add_metadata(spec.description.metadata, info)
    # Without weights_dir coremltools would save a package that has no weights.
    return ct.models.MLModel(spec, weights_dir=program.weights_dir, skip_model_load=True)


def _suppression(rows: int, labels: list[str], options: DetectorOptions) -> Any:
    spec = coremltools().proto.Model_pb2.Model(specificationVersion=options.spec_version)
    _add_array(spec.description.input, RAW_CONFIDENCE, (rows, len(labels)))
    _add_array(spec.description.input, RAW_COORDINATES, (rows, BOX))
    for name in (IOU_THRESHOLD, CONFIDENCE_THRESHOLD):
        spec.description.input.add(name=name).type.doubleType.SetInParent()
    _add_boxes(spec.description.output, len(labels))
    stage = spec.nonMaximumSuppression
    stage.pickTop.perClass = True
    stage.stringClassLabels.vector.extend(labels)
    stage.iouThreshold, stage.confidenceThreshold = options.iou_threshold, options.confidence_threshold
    stage.confidenceInputFeatureName, stage.coordinatesInputFeatureName = RAW_CONFIDENCE, RAW_COORDINATES
    stage.iouThresholdInputFeatureName = IOU_THRESHOLD
    stage.confidenceThresholdInputFeatureName = CONFIDENCE_THRESHOLD
    stage.confidenceOutputFeatureName, stage.coordinatesOutputFeatureName = CONFIDENCE, COORDINATES
    return spec


def _describe(description: Any, first: Any, columns: int, options: DetectorOptions) -> None:
    description.input.add().CopyFrom(first.description.input[0])
    for name in (IOU_THRESHOLD, CONFIDENCE_THRESHOLD):
        threshold = description.input.add(name=name)
        threshold.type.doubleType.SetInParent()
        threshold.type.isOptional = True
    _add_boxes(description.output, columns)
    defaults = {IOU_THRESHOLD: options.iou_threshold, CONFIDENCE_THRESHOLD: options.confidence_threshold}
    for feature in (*description.input, *description.output):
        feature.shortDescription = DESCRIPTIONS[feature.name].format(defaults.get(feature.name))


def _add_metadata(metadata: Any, info: ArtifactInfo) -> None:
    metadata.shortDescription = (
        f'SSD detector, {len(info.classes)} classes, {info.input_size[0]}x{info.input_size[1]} px'
    )
    metadata.author = f'mobileone_mm {info.versions["mobileone_mm"]}'
    metadata.userDefined.update(info.as_metadata())


def _output(spec: Any, name: str) -> Any:
    return next(feature for feature in spec.description.output if feature.name == name)


def _add_array(features: Any, name: str, shape: tuple[int, int]) -> None:
    array = features.add(name=name).type.multiArrayType
    array.dataType = array.FLOAT32
    array.shape.extend(shape)


def _add_boxes(features: Any, columns: int) -> None:
    """Add the two outputs, whose number of rows is known at run time only."""
    for name, width in ((CONFIDENCE, columns), (COORDINATES, BOX)):
        array = features.add(name=name).type.multiArrayType
        array.dataType = array.FLOAT32
        array.shapeRange.sizeRanges.add(lowerBound=0, upperBound=UNBOUNDED)
        array.shapeRange.sizeRanges.add(lowerBound=width, upperBound=width)
