"""A segmenter as an ONNX file: a class map, and the logits it is chosen from if they are asked for."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from mobileone_mm.artifact.card import IMAGE
from mobileone_mm.errors import UsageError
from mobileone_mm.targets.onnx.cell import Cell
from mobileone_mm.targets.onnx.contract import Subject, by, shape_of
from mobileone_mm.targets.onnx.file import onnx
from mobileone_mm.targets.onnx.options import OnnxOptions
from mobileone_mm.tasks.segmentation import options as task_options
from mobileone_mm.tasks.segmentation.graph import CLASS_MAP, LOGITS, SegmenterGraph
from mobileone_mm.tasks.task import Graph

ARGMAX = 'ArgMax'


def _require(build: Callable[[], Graph], options: OnnxOptions) -> None:
    if options.nms:
        raise UsageError('`nms`: for detectors, a segmenter given; leave it out')
    graph = build()
    assert isinstance(graph, SegmenterGraph)
    if graph.options.map == task_options.IMAGE:
        raise UsageError(f'`map` image: for .mlpackage alone, .onnx has no pictures; `map` {task_options.ARRAY}')


def _extend(converted: Any, graph: Graph, _settings: Mapping[str, Any], _options: OnnxOptions) -> None:
    assert isinstance(graph, SegmenterGraph)
    kept = [value for value in converted.output if value.name != LOGITS or graph.options.logits]
    del converted.output[:]
    converted.output.extend(kept)


def _with_logits(model: Any) -> Any:
    shown = type(model)()
    shown.CopyFrom(model)
    if LOGITS not in [value.name for value in shown.graph.output]:
        shown.graph.output.append(onnx().helper.make_tensor_value_info(LOGITS, onnx().TensorProto.FLOAT, None))
    return shown


def _plain(model: Any) -> Sequence[Any]:
    """What comes before the choice of a class."""
    nodes = list(model.graph.node)
    return nodes[: next(index for index, node in enumerate(nodes) if node.op_type == ARGMAX)]


def _structure(model: Any) -> Iterator[str]:
    taken, given = ([value.name for value in values] for values in (model.graph.input, model.graph.output))
    if taken != [IMAGE]:
        yield f'the inputs are {taken}, expected {[IMAGE]}'
    if given not in ([CLASS_MAP], [LOGITS, CLASS_MAP]):
        yield f'the outputs are {given}, expected {[CLASS_MAP]}, or {LOGITS} before it'
    chosen = [list(node.input) for node in model.graph.node if node.op_type == ARGMAX]
    if chosen != [[LOGITS]]:
        yield f'{ARGMAX} is over {chosen}, expected one, over {LOGITS}'


def _shapes(subject: Subject) -> Iterator[str]:
    (width, height), settings = subject.card.input_size, subject.card.settings
    stride, types = settings['map_stride'], onnx().TensorProto
    outputs = [value.name for value in subject.model.graph.output]
    if settings['logits'] != (LOGITS in outputs):
        yield f'the outputs are {outputs}, the metadata say logits: {settings["logits"]}'
    for name, kind, shape in (
        (LOGITS, types.FLOAT, (1, len(subject.card.classes), height // stride, width // stride)),
        (CLASS_MAP, types.INT32, (height, width)),
    ):
        tensor = subject.values[name]
        if (tensor.elem_type, shape_of(tensor)) != (kind, shape):
            found = f'{types.DataType.Name(tensor.elem_type)} of shape {by(shape_of(tensor))}'
            yield f'{name} is {found}, expected {types.DataType.Name(kind)} of shape {by(shape)}'


CELL = Cell(
    graph_name='segmenter',
    require=_require,
    extend=_extend,
    cut=_with_logits,
    plain=_plain,
    numbers={},
    structure=_structure,
    rules=(_shapes,),
    behind=lambda _runner, _card, _pictures, _raw: [],
    python='segmenter.txt',
)
