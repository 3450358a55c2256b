"""The rules that a saved ONNX file must satisfy, judged from the file alone: those of every file (docs/onnx.md)."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mobileone_mm.artifact.card import IMAGE, Card, parity_faults
from mobileone_mm.errors import ExportError
from mobileone_mm.targets.onnx.file import (
    FLOATS,
    IR_VERSION,
    OPSET,
    TARGET,
    metadata_of,
    onnx,
)
from mobileone_mm.tasks.by_name import read_card

Shape = tuple[int | str, ...]


@dataclass(frozen=True)
class Subject:
    """A model whose names and own account of itself are known to be there.

    Attributes:
        model: `onnx.ModelProto`.
        card: what it says about itself.
        values: type and shape (`onnx.TypeProto.Tensor`) of every input, output and output of an operation, by name.
        plain: operations (`onnx.NodeProto`) that compute in float32.
    """

    model: Any
    card: Card
    values: dict[str, Any]
    plain: Sequence[Any]


Rule = Callable[[Subject], Iterator[str]]


def check_contract(
    path: Path,
    model: Any,
    structure: Callable[[Any], Iterator[str]],
    plain: Callable[[Any], Sequence[Any]],
    rules: Sequence[Rule],
) -> Card:
    """Judge a saved model (`onnx.ModelProto`) by every rule, and return what it says about itself.

    Args:
        path: of the file.
        model: what was read from it.
        structure: faults in its names, without which no other rule can be asked.
        plain: its operations that compute in float32.
        rules: of its task, beside those of every file.

    Raises:
        ExportError: with all faults found, each with what was found and what was expected.
    """
    faults = list(structure(model))
    card = None
    try:
        card = read_card(metadata_of(model))
    except ExportError as error:
        faults.append(str(error))
    if card is not None and not faults:
        subject = Subject(model, card, _values(model), plain(model))
        faults = [fault for rule in (*RULES, *rules) for fault in rule(subject)]
    if card is None or faults:
        raise ExportError(f'{path}: not a sound ONNX file: ' + '; '.join(faults))
    return card


def _format(subject: Subject) -> Iterator[str]:
    model = subject.model
    opsets = {opset.domain: opset.version for opset in model.opset_import}
    if (model.ir_version, opsets) != (IR_VERSION, {'': OPSET}):
        yield f'IR version {model.ir_version}, opsets {opsets}, expected IR version {IR_VERSION}, ONNX opset {OPSET}'
    if model.functions:
        yield f'{len(model.functions)} functions of its own, expected none'


def _account(subject: Subject) -> Iterator[str]:
    for name, expected in (('target', TARGET), ('precision', FLOATS), ('weights', FLOATS)):
        if getattr(subject.card, name) != expected:
            yield f'the metadata say {name} {getattr(subject.card, name)!r}, expected {expected!r}'


def _image(subject: Subject) -> Iterator[str]:
    width, height = subject.card.input_size
    found, expected = shape_of(subject.values[IMAGE]), (1, 3, height, width)
    if found != expected:
        yield f'{IMAGE} has shape {by(found)}, the metadata say {by(expected)}'


def _plain_graph(subject: Subject) -> Iterator[str]:
    types = onnx().TensorProto
    for node in subject.plain:
        for output in node.output:
            tensor = subject.values[output]
            where = f'operation {node.name} ({node.op_type})'
            if tensor.elem_type != types.FLOAT:
                yield f'{where} gives {types.DataType.Name(tensor.elem_type)}, expected FLOAT'
            if not all(isinstance(size, int) for size in shape_of(tensor)):
                yield f'{where} has shape {by(shape_of(tensor))}, which is not fixed'


def _parity(subject: Subject) -> Iterator[str]:
    yield from parity_faults(subject.card)


RULES: tuple[Rule, ...] = (_format, _account, _image, _plain_graph, _parity)


def _values(model: Any) -> dict[str, Any]:
    graph = onnx().shape_inference.infer_shapes(model, strict_mode=True).graph
    return {
        value.name: value.type.tensor_type
        for values in (graph.input, graph.value_info, graph.output)
        for value in values
    }


def shape_of(tensor: Any) -> Shape:
    """Shape of a tensor; a size that is not fixed is its name."""
    return tuple(size.dim_value if size.HasField('dim_value') else size.dim_param for size in tensor.shape.dim)


def by(shape: Sequence[int | str]) -> str:
    """A shape as a message shows it."""
    return 'x'.join(str(size) or '?' for size in shape) or 'one number'
