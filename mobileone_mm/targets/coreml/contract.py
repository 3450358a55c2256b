"""What a saved detector package has to be: one function a rule, judged from the file alone.

Apple's own validators run on macOS only; coremltools on Linux opens and saves anything. The rules follow coremltools'
NonMaximumSuppressionValidator and PipelineValidator, and what Vision asks of a detector (docs/package.md).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from mobileone_mm.artifact.card import (
    CONFIDENCE,
    CONFIDENCE_THRESHOLD,
    COORDINATES,
    IMAGE,
    IOU_THRESHOLD,
    RAW_CONFIDENCE,
    RAW_COORDINATES,
    ArtifactInfo,
    info_of,
    parity_faults,
    require_weights,
)
from mobileone_mm.errors import ExportError
from mobileone_mm.targets.coreml.convert import block
from mobileone_mm.targets.coreml.library import coremltools
from mobileone_mm.targets.coreml.package import SavedPackage
from mobileone_mm.tasks.detection.options import SPEC_VERSIONS
from mobileone_mm.weights.checkpoint import file_sha256

STAGE_NAMES = ('detector', 'suppression')
STAGES = ('mlProgram', 'nonMaximumSuppression')
THRESHOLDS = (IOU_THRESHOLD, CONFIDENCE_THRESHOLD)
WEIGHT_FILE = '@model_path/weights/weight.bin'


@dataclass(frozen=True)
class _Subject:
    """A package whose stages and own account of itself are known to be there."""

    package: SavedPackage
    info: ArtifactInfo

    @property
    def spec(self) -> Any:
        return self.package.spec

    @property
    def program(self) -> Any:
        return self.spec.pipeline.models[0]

    @property
    def stage(self) -> Any:
        return self.spec.pipeline.models[1]

    @property
    def suppression(self) -> Any:
        return self.stage.nonMaximumSuppression

    @property
    def labels(self) -> list[str]:
        return list(self.suppression.stringClassLabels.vector)


def check_contract(package: SavedPackage) -> ArtifactInfo:
    """Judge a saved package by every rule, and return what it says about itself.

    Raises:
        ExportError: with all faults found, each with what was found and what was expected.
    """
    faults = list(_stages(package.spec)) or [*_names(package.spec), *_program(package.spec)]
    info = None
    try:
        info = info_of(package.metadata)
    except ExportError as error:
        faults.append(str(error))
    if info is not None and not faults:
        subject = _Subject(package, info)
        faults = [fault for rule in RULES for fault in rule(subject)]
    if info is None or faults:
        raise ExportError(f'{package.path}: not a sound detector package: ' + '; '.join(faults))
    return info


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


def _program(spec: Any) -> Iterator[str]:
    try:
        block(spec.pipeline.models[0])
    except ExportError as error:
        yield str(error)


def _versions(subject: _Subject) -> Iterator[str]:
    target = subject.info.target
    if target not in SPEC_VERSIONS:
        yield f'target {target!r}, expected one of {", ".join(SPEC_VERSIONS)}'
        return
    newest = max(stage.specificationVersion for stage in subject.spec.pipeline.models)
    if not newest <= subject.spec.specificationVersion <= SPEC_VERSIONS[target]:
        yield (
            f'specification version {subject.spec.specificationVersion} with stages up to {newest}, '
            f'expected stages <= package <= {SPEC_VERSIONS[target]} ({target})'
        )


def _image(subject: _Subject) -> Iterator[str]:
    for spec, where in ((subject.spec, 'package'), (subject.program, 'ML program')):
        inputs = _features(spec.description.input)
        if inputs[IMAGE].type.WhichOneof('Type') != 'imageType':
            yield f'{where}: {IMAGE} is {inputs[IMAGE].type.WhichOneof("Type")}, expected a picture (imageType)'
            continue
        image = inputs[IMAGE].type.imageType
        if image.colorSpace != image.RGB:
            yield f'{where}: {IMAGE} has colour space {image.ColorSpace.Name(image.colorSpace)}, expected RGB'
        if image.WhichOneof('SizeFlexibility') is not None:
            yield f'{where}: {IMAGE} has a flexible size ({image.WhichOneof("SizeFlexibility")}), expected a fixed one'
        if inputs[IMAGE].type.isOptional:
            yield f'{where}: {IMAGE} is optional, expected a required input'
        if (image.width, image.height) != subject.info.input_size:
            yield f'{where}: {IMAGE} is {image.width}x{image.height}, the metadata say {_by(subject.info.input_size)}'


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


def _wiring(subject: _Subject) -> Iterator[str]:
    for field, name in (
        ('confidenceInputFeatureName', RAW_CONFIDENCE),
        ('coordinatesInputFeatureName', RAW_COORDINATES),
        ('iouThresholdInputFeatureName', IOU_THRESHOLD),
        ('confidenceThresholdInputFeatureName', CONFIDENCE_THRESHOLD),
        ('confidenceOutputFeatureName', CONFIDENCE),
        ('coordinatesOutputFeatureName', COORDINATES),
    ):
        if getattr(subject.suppression, field) != name:
            yield f'suppression: {field} is {getattr(subject.suppression, field)!r}, expected {name!r}'


def _arrays(subject: _Subject) -> Iterator[str]:
    for where, description in (
        ('ML program', subject.program.description.output),
        ('suppression', subject.stage.description.input),
        ('suppression', subject.stage.description.output),
        ('package', subject.spec.description.output),
    ):
        for feature in description:
            array = feature.type.multiArrayType
            if feature.type.WhichOneof('Type') == 'multiArrayType' and array.dataType != array.FLOAT32:
                found = array.ArrayDataType.Name(array.dataType)
                yield f'{where}: {feature.name} is {found}, expected FLOAT32: the suppression stage reads no other here'


def _shapes(subject: _Subject) -> Iterator[str]:
    given, taken = subject.program.description.output, subject.stage.description.input
    columns = len(subject.labels)
    rows = _shape(given, RAW_CONFIDENCE)[:1]
    for name, width in ((RAW_CONFIDENCE, columns), (RAW_COORDINATES, 4)):
        shapes = (_shape(given, name), _shape(taken, name))
        if any(shape != (*rows, width) for shape in shapes):
            yield (
                f'{name} is {_by(shapes[0])} from the ML program and {_by(shapes[1])} into the suppression, '
                f'expected {_by((*rows, width))} in both: {columns} labels'
            )
    for spec, where in ((subject.stage, 'suppression'), (subject.spec, 'package')):
        for name, width in ((CONFIDENCE, columns), (COORDINATES, 4)):
            array = _features(spec.description.output)[name].type.multiArrayType
            ranges = [(size.lowerBound, size.upperBound) for size in array.shapeRange.sizeRanges]
            if ranges != [(0, -1), (width, width)]:
                yield f'{where}: {name} has shape ranges {ranges}, expected any number of rows of {width}'


def _labels(subject: _Subject) -> Iterator[str]:
    labels, classes = subject.labels, list(subject.info.classes)
    if labels[: len(classes)] != classes:
        yield f'the labels begin with {labels[: len(classes)]}, the metadata name the classes {classes}'
    if len(set(labels)) != len(labels):
        yield f'labels stand twice: {sorted(label for label in set(labels) if labels.count(label) > 1)}'
    if not subject.suppression.pickTop.perClass:
        yield 'suppression is across classes, expected within each class (pickTop.perClass)'


def _thresholds(subject: _Subject) -> Iterator[str]:
    inputs = _features(subject.spec.description.input)
    for name, found, expected in (
        (IOU_THRESHOLD, subject.suppression.iouThreshold, subject.info.iou_threshold),
        (CONFIDENCE_THRESHOLD, subject.suppression.confidenceThreshold, subject.info.confidence_threshold),
    ):
        if not inputs[name].type.isOptional:
            yield f'{name} is not optional: every caller would have to give it'
        kinds = {
            inputs[name].type.WhichOneof('Type'),
            _features(subject.stage.description.input)[name].type.WhichOneof('Type'),
        }
        if kinds != {'doubleType'}:
            yield f'{name} has types {sorted(map(str, kinds))}, expected doubleType'
        if not (0 <= found <= 1 and found == expected):
            yield f'{name} has the default {found:g}, the metadata say {expected:g}, in 0..1'


def _weights(subject: _Subject) -> Iterator[str]:
    weights = subject.package.weights
    if not weights.is_file():
        yield f'the weights are missing: no file {weights.relative_to(subject.package.path)}'
        return
    size = weights.stat().st_size
    for name, offset in _weight_offsets(subject.program):
        if offset >= size:
            yield f'constant {name} begins at byte {offset} of a weight file of {size} bytes'
            return
    try:
        require_weights(subject.package.metadata, file_sha256(weights))
    except ExportError as error:
        yield str(error)


def _plain_program(subject: _Subject) -> Iterator[str]:
    int64 = coremltools().proto.MIL_pb2.INT64
    for operation in block(subject.program).operations:
        for output in operation.outputs:
            tensor = output.type.tensorType
            if tensor.dataType == int64:
                yield f'operation {output.name} ({operation.type}) gives int64, which no device computes in'
            if any(size.WhichOneof('dimension') == 'unknown' for size in tensor.dimensions):
                yield f'operation {output.name} ({operation.type}) has a shape that is not fixed'


def _parity(subject: _Subject) -> Iterator[str]:
    yield from parity_faults(subject.info)


RULES: tuple[Callable[[_Subject], Iterator[str]], ...] = (
    _versions,
    _image,
    _wiring,
    _arrays,
    _shapes,
    _labels,
    _thresholds,
    _weights,
    _plain_program,
    _parity,
)


def _weight_offsets(program: Any) -> Iterator[tuple[str, int]]:
    for operation in block(program).operations:
        for value in operation.attributes.values():
            if value.WhichOneof('value') == 'blobFileValue' and value.blobFileValue.fileName == WEIGHT_FILE:
                yield operation.outputs[0].name, value.blobFileValue.offset


def _features(features: Any) -> dict[str, Any]:
    return {feature.name: feature for feature in features}


def _shape(features: Any, name: str) -> tuple[int, ...]:
    found = _features(features).get(name)
    return tuple(found.type.multiArrayType.shape) if found is not None else ()


def _by(sizes: Sequence[int]) -> str:
    return 'x'.join(str(size) for size in sizes) or 'nothing'
