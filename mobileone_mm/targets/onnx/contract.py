"""What a saved ONNX detector has to be: one function a rule, judged from the file alone (docs/onnx.md).

Letters: N boxes, C classes, H x W the picture in pixels.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
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
    info_of,
    parity_faults,
    require_weights,
)
from mobileone_mm.errors import ExportError
from mobileone_mm.targets.onnx.detector import ANY_NUMBER, THRESHOLDS, cut_suppression, suppression_nodes
from mobileone_mm.targets.onnx.file import (
    FLOATS,
    IR_VERSION,
    OPSET,
    TARGET,
    metadata_of,
    onnx,
    read_onnx,
    weights_digest,
)

Shape = tuple[int | str, ...]


@dataclass(frozen=True)
class _Subject:
    """A model whose names and own account of itself are known to be there.

    Attributes:
        model: `onnx.ModelProto`.
        info: what it says about itself.
        values: type and shape (`onnx.TypeProto.Tensor`) of every input, output and output of an operation, by name.
    """

    model: Any
    info: ArtifactInfo
    values: dict[str, Any]

    @property
    def graph(self) -> Any:
        return self.model.graph

    @property
    def suppresses(self) -> bool:
        return _suppresses(self.model)


def check_onnx(path: str | Path) -> ArtifactInfo:
    """Judge a saved `.onnx` file by every rule, and return what it says about itself.

    Raises:
        ExportError: it cannot be read; or with all faults found, each with what was found and what was expected.
    """
    model = read_onnx(path)
    faults = list(_names(model))
    info = None
    try:
        info = info_of(metadata_of(model))
    except ExportError as error:
        faults.append(str(error))
    if info is not None and not faults:
        subject = _Subject(model, info, _values(model))
        faults = [fault for rule in RULES for fault in rule(subject)]
    if info is None or faults:
        raise ExportError(f'{path}: not a sound ONNX detector: ' + '; '.join(faults))
    return info


def _names(model: Any) -> Iterator[str]:
    thresholds = [*THRESHOLDS] if _suppresses(model) else []
    outputs = [CONFIDENCE, COORDINATES] if _suppresses(model) else [RAW_CONFIDENCE, RAW_COORDINATES]
    for where, values, names in (
        ('inputs', model.graph.input, [IMAGE, *thresholds]),
        ('outputs', model.graph.output, outputs),
    ):
        found = [value.name for value in values]
        if found != names:
            yield f'the {where} are {found}, expected {names}'


def _format(subject: _Subject) -> Iterator[str]:
    model = subject.model
    opsets = {opset.domain: opset.version for opset in model.opset_import}
    if (model.ir_version, opsets) != (IR_VERSION, {'': OPSET}):
        yield f'IR version {model.ir_version}, opsets {opsets}, expected IR version {IR_VERSION}, ONNX opset {OPSET}'
    if model.functions:
        yield f'{len(model.functions)} functions of its own, expected none'


def _account(subject: _Subject) -> Iterator[str]:
    for name, expected in (('target', TARGET), ('precision', FLOATS), ('weights', FLOATS)):
        if getattr(subject.info, name) != expected:
            yield f'the metadata say {name} {getattr(subject.info, name)!r}, expected {expected!r}'


def _shapes(subject: _Subject) -> Iterator[str]:
    width, height = subject.info.input_size
    columns = len(subject.info.classes)
    rows = _shape(subject.values[RAW_CONFIDENCE])[0]
    expected: dict[str, Shape] = {
        IMAGE: (1, 3, height, width),
        RAW_CONFIDENCE: (rows, columns),
        RAW_COORDINATES: (rows, BOX),
    }
    if subject.suppresses:
        expected |= {name: () for name in THRESHOLDS}
        expected |= {CONFIDENCE: (ANY_NUMBER, columns), COORDINATES: (ANY_NUMBER, BOX)}
    for name, shape in expected.items():
        found = _shape(subject.values[name])
        if found != shape:
            yield f'{name} has shape {_by(found)}, the metadata say {_by(shape)}'


def _plain_graph(subject: _Subject) -> Iterator[str]:
    types = onnx().TensorProto
    for node in cut_suppression(subject.model).graph.node:
        for output in node.output:
            tensor = subject.values[output]
            where = f'operation {node.name} ({node.op_type})'
            if tensor.elem_type != types.FLOAT:
                yield f'{where} gives {types.DataType.Name(tensor.elem_type)}, expected FLOAT'
            if not all(isinstance(size, int) for size in _shape(tensor)):
                yield f'{where} has shape {_by(_shape(tensor))}, which is not fixed'


def _suppression(subject: _Subject) -> Iterator[str]:
    if not subject.suppresses:
        return
    expected = suppression_nodes()
    if list(subject.graph.node)[-len(expected) :] != expected:
        yield f'the last {len(expected)} operations are not the suppression that this version writes'
    constants = {constant.name: constant for constant in subject.graph.initializer}
    for name, default in (
        (IOU_THRESHOLD, subject.info.iou_threshold),
        (CONFIDENCE_THRESHOLD, subject.info.confidence_threshold),
    ):
        if name not in constants:
            yield f'{name} has no default: every caller would have to give it'
            continue
        found = float(onnx().numpy_helper.to_array(constants[name]))
        if found != float(THRESHOLDS[name](default)):
            yield f'{name} has the default {found:g}, the metadata say {default:g}'


def _weights(subject: _Subject) -> Iterator[str]:
    try:
        require_weights(metadata_of(subject.model), weights_digest(subject.model))
    except ExportError as error:
        yield str(error)


def _parity(subject: _Subject) -> Iterator[str]:
    yield from parity_faults(subject.info)


RULES: tuple[Callable[[_Subject], Iterator[str]], ...] = (
    _format,
    _account,
    _shapes,
    _plain_graph,
    _suppression,
    _weights,
    _parity,
)


def _suppresses(model: Any) -> bool:
    return CONFIDENCE in [value.name for value in model.graph.output]


def _values(model: Any) -> dict[str, Any]:
    graph = onnx().shape_inference.infer_shapes(model, strict_mode=True).graph
    return {
        value.name: value.type.tensor_type
        for values in (graph.input, graph.value_info, graph.output)
        for value in values
    }


def _shape(tensor: Any) -> Shape:
    return tuple(size.dim_value if size.HasField('dim_value') else size.dim_param for size in tensor.shape.dim)


def _by(shape: Sequence[int | str]) -> str:
    return 'x'.join(str(size) or '?' for size in shape) or 'one number'
