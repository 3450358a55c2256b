"""The rules of a saved detector package: a pipeline of an ML program and a suppression stage, as Vision reads it.

They follow coremltools' NonMaximumSuppressionValidator and PipelineValidator.
"""

from collections.abc import Iterator
from typing import Any

from mobileone_mm.artifact.card import IMAGE
from mobileone_mm.targets.coreml.contract import Rule, Subject, by, features_of, shape_of
from mobileone_mm.targets.coreml.suppression_stage import STAGE
from mobileone_mm.tasks.detection.rows import BOX, RAW_CONFIDENCE, RAW_COORDINATES
from mobileone_mm.tasks.detection.suppression import CONFIDENCE, CONFIDENCE_THRESHOLD, COORDINATES, IOU_THRESHOLD

STAGE_NAMES = ('detector', 'suppression')
STAGES = ('mlProgram', STAGE)
THRESHOLDS = (IOU_THRESHOLD, CONFIDENCE_THRESHOLD)


def structure(spec: Any) -> Iterator[str]:
    """Faults in what stands where, without which no rule can be asked."""
    faults = list(_stages(spec))
    yield from faults or _names(spec)


def program_of(spec: Any) -> Any:
    """The ML program (`Model_pb2.Model`) of a package of that structure."""
    return spec.pipeline.models[0]


def _stage(subject: Subject) -> Any:
    return subject.spec.pipeline.models[1]


def _suppression(subject: Subject) -> Any:
    return _stage(subject).nonMaximumSuppression


def _label_texts(subject: Subject) -> list[str]:
    return list(_suppression(subject).stringClassLabels.vector)


def _stages(spec: Any) -> Iterator[str]:
    kind = spec.WhichOneof('Type')
    if kind != 'pipeline':
        yield f'the model is a {kind}, expected a pipeline of {" and ".join(STAGES)}'
        return
    stages = tuple(stage.WhichOneof('Type') for stage in spec.pipeline.models)
    if stages != STAGES:
        yield f'the stages are {stages}, expected {STAGES}'
    if tuple(spec.pipeline.names) != STAGE_NAMES:
        yield f'the stages are called {tuple(spec.pipeline.names)}, expected {STAGE_NAMES}'
    for model in (spec, *spec.pipeline.models):
        if model.isUpdatable:
            yield f'{model.WhichOneof("Type")}: isUpdatable is true, expected false'


def _names(spec: Any) -> Iterator[str]:
    program, stage = (model.description for model in spec.pipeline.models)
    for where, features, names in (
        ('package inputs', spec.description.input, (IMAGE, *THRESHOLDS)),
        ('package outputs', spec.description.output, (CONFIDENCE, COORDINATES)),
        ('ML program inputs', program.input, (IMAGE,)),
        ('ML program outputs', program.output, (RAW_CONFIDENCE, RAW_COORDINATES)),
        ('suppression inputs', stage.input, (RAW_CONFIDENCE, RAW_COORDINATES, *THRESHOLDS)),
        ('suppression outputs', stage.output, (CONFIDENCE, COORDINATES)),
    ):
        found = sorted(feature.name for feature in features)
        if found != sorted(names):
            yield f'{where} are {found}, expected {sorted(names)}'


def _wiring(subject: Subject) -> Iterator[str]:
    for field, name in (
        ('confidenceInputFeatureName', RAW_CONFIDENCE),
        ('coordinatesInputFeatureName', RAW_COORDINATES),
        ('iouThresholdInputFeatureName', IOU_THRESHOLD),
        ('confidenceThresholdInputFeatureName', CONFIDENCE_THRESHOLD),
        ('confidenceOutputFeatureName', CONFIDENCE),
        ('coordinatesOutputFeatureName', COORDINATES),
    ):
        if getattr(_suppression(subject), field) != name:
            yield f'suppression: {field} is {getattr(_suppression(subject), field)!r}, expected {name!r}'


def _arrays(subject: Subject) -> Iterator[str]:
    for where, description in (
        ('ML program', subject.program.description.output),
        ('suppression', _stage(subject).description.input),
        ('suppression', _stage(subject).description.output),
        ('package', subject.spec.description.output),
    ):
        for feature in description:
            array = feature.type.multiArrayType
            if feature.type.WhichOneof('Type') == 'multiArrayType' and array.dataType != array.FLOAT32:
                found = array.ArrayDataType.Name(array.dataType)
                yield f'{where}: {feature.name} is {found}, expected FLOAT32: the suppression stage reads no other here'


def _shapes(subject: Subject) -> Iterator[str]:
    given, taken = subject.program.description.output, _stage(subject).description.input
    columns = len(_label_texts(subject))
    rows = shape_of(given, RAW_CONFIDENCE)[:1]
    for name, width in ((RAW_CONFIDENCE, columns), (RAW_COORDINATES, BOX)):
        shapes = (shape_of(given, name), shape_of(taken, name))
        if any(shape != (*rows, width) for shape in shapes):
            yield (
                f'{name} is {by(shapes[0])} from the ML program and {by(shapes[1])} into the suppression, '
                f'expected {by((*rows, width))} in both: {columns} labels'
            )
    for spec, where in ((_stage(subject), 'suppression'), (subject.spec, 'package')):
        for name, width in ((CONFIDENCE, columns), (COORDINATES, BOX)):
            array = features_of(spec.description.output)[name].type.multiArrayType
            ranges = [(size.lowerBound, size.upperBound) for size in array.shapeRange.sizeRanges]
            if ranges != [(0, -1), (width, width)]:
                yield f'{where}: {name} has shape ranges {ranges}, expected any number of rows of {width}'


def _labels(subject: Subject) -> Iterator[str]:
    labels, classes = _label_texts(subject), list(subject.card.classes)
    if labels[: len(classes)] != classes:
        yield f'the labels begin with {labels[: len(classes)]}, the metadata name the classes {classes}'
    if len(set(labels)) != len(labels):
        yield f'labels stand twice: {sorted(label for label in set(labels) if labels.count(label) > 1)}'
    if not _suppression(subject).pickTop.perClass:
        yield 'suppression is across classes, expected within each class (pickTop.perClass)'


def _thresholds(subject: Subject) -> Iterator[str]:
    inputs = features_of(subject.spec.description.input)
    for name, found, expected in (
        (IOU_THRESHOLD, _suppression(subject).iouThreshold, subject.card.settings['iou_threshold']),
        (
            CONFIDENCE_THRESHOLD,
            _suppression(subject).confidenceThreshold,
            subject.card.settings['confidence_threshold'],
        ),
    ):
        if not inputs[name].type.isOptional:
            yield f'{name} is not optional: every caller would have to give it'
        kinds = {
            inputs[name].type.WhichOneof('Type'),
            features_of(_stage(subject).description.input)[name].type.WhichOneof('Type'),
        }
        if kinds != {'doubleType'}:
            yield f'{name} has types {sorted(map(str, kinds))}, expected doubleType'
        if not (0 <= found <= 1 and found == expected):
            yield f'{name} has the default {found:g}, the metadata say {expected:g}, in 0..1'


RULES: tuple[Rule, ...] = (_wiring, _arrays, _shapes, _labels, _thresholds)
