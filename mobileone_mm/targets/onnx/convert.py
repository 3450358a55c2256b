"""Graph to ONNX: the only caller of torch's ONNX exporter."""

from collections import Counter
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import torch

from mobileone_mm import __version__
from mobileone_mm.artifact.card import IMAGE
from mobileone_mm.errors import ExportError, one_line
from mobileone_mm.targets.onnx.file import INSTALL, IR_VERSION, OPSET, onnx
from mobileone_mm.tasks.task import Graph

WEIGHTED = ('Conv', 'ConvTranspose', 'Gemm', 'MatMul')  # operations that are layers with weights


def to_onnx(graph: Graph, name: str, extend: Callable[[Any], None] | None = None) -> Any:
    """Convert a graph into an ONNX model (`onnx.ModelProto`) in float32.

    Input `image`: float32 RGB (1, 3, H, W), 0..255, of the graph's size; outputs as the graph's.

    Args:
        graph: what is converted.
        name: of the ONNX graph.
        extend: changes the ONNX graph (`onnx.GraphProto`) in place, before it is put into a model.

    Raises:
        ExportError: torch cannot convert it, or a package that it needs for that is missing.
    """
    width, height = graph.size
    converted = _converted(graph, torch.zeros(1, 3, height, width)).graph
    for part in _parts(converted):
        # The exporter writes stack traces, with paths of this machine, into each of them.
        part.ClearField('metadata_props')
        part.ClearField('doc_string')
    converted.name = name
    if extend is not None:
        extend(converted)
    return onnx().helper.make_model(
        converted,
        opset_imports=[onnx().helper.make_opsetid('', OPSET)],
        ir_version=IR_VERSION,
        producer_name='mobileone_mm',
        producer_version=__version__,
    )


def onnxscript() -> ModuleType:
    """Import onnxscript, which torch's exporter is built on, late: who exports to Core ML only needs none.

    Raises:
        ExportError: it cannot be imported.
    """
    try:
        import onnxscript
    except ImportError as error:
        raise ExportError(f'onnxscript cannot be imported ({error}); {INSTALL}') from error
    module: ModuleType = onnxscript
    return module


def operations(model: Any) -> Counter[str]:
    """How often each operation stands in an ONNX model."""
    return Counter(node.op_type for node in model.graph.node)


def show_layers(model: Any) -> dict[str, str]:
    """Make what layers with weights give outputs of an ONNX model, in place; the layers, by the output's name."""
    weights = {constant.name for constant in model.graph.initializer}
    layers = {
        node.output[0]: node.input[1].removesuffix('.weight')
        for node in model.graph.node
        if node.op_type in WEIGHTED and node.input[1] in weights
    }
    model.graph.output.extend(
        onnx().helper.make_tensor_value_info(output, onnx().TensorProto.FLOAT, None) for output in layers
    )
    return layers


def _converted(graph: Graph, image: torch.Tensor) -> Any:
    onnx(), onnxscript()  # torch names only the first that is missing
    try:
        with torch.no_grad():
            program = torch.export.export(graph.eval(), (image,), strict=False)
            exported = torch.onnx.export(
                program,
                (),
                input_names=[IMAGE],
                output_names=list(graph.outputs),
                opset_version=OPSET,
                dynamo=True,
                verbose=False,
            )
    except Exception as error:  # whatever the exporter raises is about this graph
        raise ExportError(f'torch cannot convert this model to ONNX: {one_line(error)}') from error
    assert exported is not None
    return exported.model_proto


def _parts(graph: Any) -> Iterator[Any]:
    yield graph
    for parts in (graph.node, graph.initializer, graph.value_info, graph.input, graph.output):
        yield from parts
