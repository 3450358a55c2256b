"""Graph to ML program: the only caller of coremltools' converter and of its compression of weights."""

import shutil
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mobileone_mm.artifact.card import IMAGE
from mobileone_mm.errors import ExportError, one_line
from mobileone_mm.targets.coreml.layer_names import layers_of, layers_of_operations, named_by
from mobileone_mm.targets.coreml.library import COMPRESSED, compression, coremltools, silent
from mobileone_mm.targets.coreml.options import CoreMLOptions
from mobileone_mm.tasks.task import Graph

MAIN = 'main'
PARAMETER = 'p_'  # how the names begin that the converter gives to a model's parameters
PALETTE_BITS = {'palette8': 8, 'palette6': 6}


def to_program(
    graph: Graph, outputs: Mapping[str, Any], options: CoreMLOptions, folder: Path
) -> tuple[Any, Mapping[str, str]]:
    """Convert a graph into an ML program: `coremltools.models.MLModel`, not saved, and the layers of its operations.

    It lies in `folder`. Input `image`: RGB picture of the graph's size. `outputs` says what comes out,
    in coremltools' words. The layers are those of the torch model, by the name of an operation's output.

    Raises:
        ExportError: coremltools cannot convert it, or cannot compress its weights.
        UsageError: a pattern of `options.fp32_ops` names no layer.
    """
    ct = coremltools()
    width, height = graph.size
    shape = (1, 3, height, width)
    with torch.no_grad():
        # Not torch.jit.trace, which torch 2.15 deprecates; both give the same operations.
        exported = torch.export.export(graph.eval(), (torch.zeros(shape),), strict=False).run_decompositions({})
    nodes = layers_of(exported)
    precision = _precision(options, nodes)
    program = _quietly(
        'convert this model',
        lambda: ct.convert(
            exported,
            convert_to='mlprogram',
            inputs=[ct.ImageType(name=IMAGE, shape=shape, color_layout=ct.colorlayout.RGB)],
            **outputs,
            minimum_deployment_target=getattr(ct.target, options.target),
            compute_precision=precision,
            skip_model_load=True,
            package_dir=str(folder / 'converted.mlpackage'),
        ),
    )
    if options.weights != 'fp16':
        program = _quietly(f'store weights as {options.weights}', lambda: _compressed(program, options.weights, folder))
    return program, layers_of_operations(block(program.get_spec()).operations, nodes)


def _precision(options: CoreMLOptions, nodes: Mapping[str, str]) -> Any:
    ct = coremltools()
    if options.precision == 'fp32':
        return ct.precision.FLOAT32
    if not options.fp32_ops:
        return ct.precision.FLOAT16
    kept = named_by(options.fp32_ops, nodes.values())

    def in_float16(operation: Any) -> bool:
        # One that the converter made itself goes with the layer that reads it, as in `layers_of_operations`.
        while operation.name not in nodes and operation.outputs[0].child_ops:
            operation = operation.outputs[0].child_ops[0]
        return nodes.get(operation.name) not in kept

    return ct.transform.FP16ComputePrecision(op_selector=in_float16)


def _compressed(program: Any, weights: str, folder: Path) -> Any:
    """Weights as whole numbers with a scale a channel, or as indices into a palette a tensor; small ones stay.

    So do priors: a step of a 256th of the picture would move boxes by pixels.
    """
    constants = [one.outputs[0].name for one in block(program.get_spec()).operations if one.type == 'const']
    left = {name: None for name in constants if not name.startswith(PARAMETER)}
    made = _pack(program, weights, left)
    # It lies where coremltools leaves it until the process ends.
    moved = str(folder / 'compressed.mlpackage')
    shutil.move(made.package_path, moved)
    return coremltools().models.MLModel(moved, skip_model_load=True)


def _pack(program: Any, weights: str, left: Mapping[str, None]) -> Any:
    optimize = compression()
    if weights in PALETTE_BITS:
        palette = optimize.OpPalettizerConfig(mode='kmeans', nbits=PALETTE_BITS[weights])
        return optimize.palettize_weights(program, optimize.OptimizationConfig(palette, op_name_configs=left))
    linear = optimize.OpLinearQuantizerConfig(mode='linear_symmetric', dtype='int8', granularity='per_channel')
    return optimize.linear_quantize_weights(program, optimize.OptimizationConfig(linear, op_name_configs=left))


def _quietly(what: str, call: Callable[[], Any]) -> Any:
    try:
        # It looks what of an int32 float16 can hold.
        with silent(), np.errstate(over='ignore'):
            return call()
    except Exception as error:  # whatever the converter raises is about this graph
        raise ExportError(f'coremltools cannot {what}: {one_line(error)}') from error


def operations(program_spec: Any) -> Counter[str]:
    """How often each operation stands in an ML program, constants left out."""
    return Counter(one.type for one in block(program_spec).operations if not is_constant(one.type))


def is_constant(operation: str) -> bool:
    """Whether an operation is known before the program runs: a constant, or one that unpacks a constant."""
    return operation == 'const' or operation.startswith(COMPRESSED)


def block(program_spec: Any) -> Any:
    """The one block of an ML program's main function (`MIL_pb2.Block`).

    Raises:
        ExportError: there is not exactly one.
    """
    function = program_spec.mlProgram.functions.get(MAIN) if MAIN in program_spec.mlProgram.functions else None
    blocks = list(function.block_specializations.values()) if function is not None else []
    if len(blocks) != 1:
        raise ExportError(f'the ML program has {len(blocks)} blocks in {MAIN!r}, expected 1')
    return blocks[0]
