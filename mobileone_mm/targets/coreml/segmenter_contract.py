"""The rules of a saved segmenter package: one ML program, as Vision and Xcode's preview read it."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from mobileone_mm.artifact.card import IMAGE, Card
from mobileone_mm.errors import ExportError
from mobileone_mm.targets.coreml.contract import Rule, Subject, by, features_of
from mobileone_mm.targets.coreml.convert import block
from mobileone_mm.tasks.segmentation import options as task_options
from mobileone_mm.tasks.segmentation.graph import CLASS_MAP, LOGITS

# What Xcode's preview reads (coremltools: xcode-model-preview-types).
PREVIEW_TYPE, PREVIEW_PARAMS = 'com.apple.coreml.model.preview.type', 'com.apple.coreml.model.preview.params'
ARGMAX = 'reduce_argmax'


def preview(card: Card) -> Mapping[str, Any]:
    """Labels and colours for Xcode's preview."""
    return {'labels': list(card.classes), 'colors': list(card.settings['colors'])}


def logits_name(main: Any) -> str:
    """Name of the value of which an ML program (`MIL_pb2.Block`) chooses the best class.

    Raises:
        ExportError: there is no such choice, or more than one.
    """
    found = [operation for operation in main.operations if operation.type == ARGMAX]
    if len(found) != 1:
        raise ExportError(f'{len(found)} operations {ARGMAX} in the ML program, expected one, over the classes')
    return str(found[0].inputs['x'].arguments[0].name)


def structure(spec: Any) -> Iterator[str]:
    """Faults in what stands where, without which no rule can be asked."""
    kind = spec.WhichOneof('Type')
    if kind != 'mlProgram':
        yield f'the model is a {kind}, expected an mlProgram'
        return
    if spec.isUpdatable:
        yield 'isUpdatable is true, expected false'
    taken = [feature.name for feature in spec.description.input]
    given = [feature.name for feature in spec.description.output]
    if taken != [IMAGE]:
        yield f'inputs are {taken}, expected {[IMAGE]}'
    if given not in ([CLASS_MAP], [LOGITS, CLASS_MAP]):
        yield f'outputs are {given}, expected {[CLASS_MAP]}, or {LOGITS} before it'
    try:
        logits_name(block(spec))
    except ExportError as error:
        yield str(error)


def _outputs(subject: Subject) -> Iterator[str]:
    width, height = subject.card.input_size
    settings = subject.card.settings
    outputs = features_of(subject.spec.description.output)
    if settings['logits'] != (LOGITS in outputs):
        yield f'the outputs are {sorted(outputs)}, the metadata say logits: {settings["logits"]}'
    kind = outputs[CLASS_MAP].type
    if settings['map'] == task_options.IMAGE:
        image = kind.imageType
        grey = kind.WhichOneof('Type') == 'imageType' and image.colorSpace == image.GRAYSCALE
        if not grey or (image.width, image.height) != (width, height):
            yield f'{CLASS_MAP} is {_said(kind)}, expected a grey picture of {width}x{height}'
    else:
        array = kind.multiArrayType
        whole = kind.WhichOneof('Type') == 'multiArrayType' and array.dataType == array.INT32
        if not whole or tuple(array.shape) != (height, width):
            yield f'{CLASS_MAP} is {_said(kind)}, expected an INT32 array of {height}x{width}'
    if LOGITS in outputs:
        array = outputs[LOGITS].type.multiArrayType
        stride = settings['map_stride']
        expected = (1, len(subject.card.classes), height // stride, width // stride)
        if array.dataType != array.FLOAT32 or tuple(array.shape) != expected:
            yield f'{LOGITS} is {_said(outputs[LOGITS].type)}, expected a FLOAT32 array of {by(expected)}'


def _said(kind: Any) -> str:
    if kind.WhichOneof('Type') == 'imageType':
        image = kind.imageType
        return f'a {image.ColorSpace.Name(image.colorSpace)} picture of {image.width}x{image.height}'
    array = kind.multiArrayType
    return f'a {array.ArrayDataType.Name(array.dataType)} array of {by(tuple(array.shape))}'


def _logits(subject: Subject) -> Iterator[str]:
    main = block(subject.program)
    name, stride = logits_name(main), subject.card.settings['map_stride']
    width, height = subject.card.input_size
    expected = (1, len(subject.card.classes), height // stride, width // stride)
    for operation in main.operations:
        for output in operation.outputs:
            if output.name == name:
                found = tuple(size.constant.size for size in output.type.tensorType.dimensions)
                if found != expected:
                    yield f'the classes are chosen from {by(found)}, the metadata say {by(expected)}'


def _preview(subject: Subject) -> Iterator[str]:
    metadata = subject.package.metadata
    if metadata.get(PREVIEW_TYPE) != 'imageSegmenter':
        yield f'{PREVIEW_TYPE} is {metadata.get(PREVIEW_TYPE)!r}, expected imageSegmenter'
    if metadata.get(PREVIEW_PARAMS) != json.dumps(preview(subject.card)):
        yield f'{PREVIEW_PARAMS} has other labels or colours than the metadata'
    if len(subject.card.settings['colors']) != len(subject.card.classes):
        yield f'{len(subject.card.settings["colors"])} colours, expected one for each of the classes'


RULES: tuple[Rule, ...] = (_outputs, _logits, _preview)
