"""A classifier as an ONNX file: the probability of each class."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from mobileone_mm.artifact.card import IMAGE
from mobileone_mm.errors import UsageError
from mobileone_mm.targets.onnx.cell import Cell
from mobileone_mm.targets.onnx.contract import Subject, by, shape_of
from mobileone_mm.targets.onnx.file import onnx
from mobileone_mm.targets.onnx.options import OnnxOptions
from mobileone_mm.tasks.classification.graph import LOGITS, PROBABILITIES
from mobileone_mm.tasks.task import Graph

SOFTMAX = 'Softmax'


def _require(_build: Callable[[], Graph], options: OnnxOptions) -> None:
    if options.nms:
        raise UsageError('`nms`: for detectors, a classifier given; leave it out')


def _extend(converted: Any, _graph: Graph, _settings: Mapping[str, Any], _options: OnnxOptions) -> None:
    kept = [value for value in converted.output if value.name != LOGITS]
    del converted.output[:]
    converted.output.extend(kept)


def _with_logits(model: Any) -> Any:
    shown = type(model)()
    shown.CopyFrom(model)
    shown.graph.output.append(onnx().helper.make_tensor_value_info(LOGITS, onnx().TensorProto.FLOAT, None))
    return shown


def _plain(model: Any) -> Sequence[Any]:
    nodes: Sequence[Any] = model.graph.node
    return nodes


def _structure(model: Any) -> Iterator[str]:
    for where, values, names in (
        ('inputs', model.graph.input, [IMAGE]),
        ('outputs', model.graph.output, [PROBABILITIES]),
    ):
        found = [value.name for value in values]
        if found != names:
            yield f'the {where} are {found}, expected {names}'
    last = [(node.op_type, list(node.input), list(node.output)) for node in list(model.graph.node)[-1:]]
    if last != [(SOFTMAX, [LOGITS], [PROBABILITIES])]:
        yield f'the last operation is {last}, expected {SOFTMAX} of {LOGITS}'


def _shapes(subject: Subject) -> Iterator[str]:
    expected = (1, len(subject.card.classes))
    for name in (LOGITS, PROBABILITIES):
        found = shape_of(subject.values[name])
        if found != expected:
            yield f'{name} has shape {by(found)}, the metadata say {by(expected)}'


CELL = Cell(
    graph_name='classifier',
    require=_require,
    extend=_extend,
    cut=_with_logits,
    plain=_plain,
    numbers={},
    structure=_structure,
    rules=(_shapes,),
    behind=lambda _runner, _card, _pictures, _raw: [],
    python='classifier.txt',
)
