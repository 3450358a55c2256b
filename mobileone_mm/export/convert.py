"""Graph to ML program: the only caller of coremltools' converter."""

from collections import Counter
from typing import Any

import numpy as np
import torch
from torch import nn

from mobileone_mm.errors import ExportError
from mobileone_mm.export.coreml import coremltools, silent
from mobileone_mm.export.info import IMAGE, RAW_CONFIDENCE, RAW_COORDINATES
from mobileone_mm.export.options import DetectorOptions

PRECISION = 'float16'
MAIN = 'main'


def to_program(graph: nn.Module, input_size: tuple[int, int], options: DetectorOptions) -> Any:
    """Convert a detector graph into an ML program (`coremltools.models.MLModel`) that computes in float16.

    Input `image`: RGB picture of `input_size` (width, height). Outputs `raw_confidence` and `raw_coordinates` in
    float32: the suppression stage reads no float16 at any version.

    Raises:
        ExportError: coremltools cannot convert it.
    """
    ct = coremltools()
    width, height = input_size
    shape = (1, 3, height, width)
    with torch.no_grad():
        # Not torch.jit.trace, which torch 2.15 deprecates; both give the same operations.
        program = torch.export.export(graph.eval(), (torch.zeros(shape),), strict=False).run_decompositions({})
    try:
        with silent():
            return ct.convert(
                program,
                convert_to='mlprogram',
                inputs=[ct.ImageType(name=IMAGE, shape=shape, color_layout=ct.colorlayout.RGB)],
                outputs=[ct.TensorType(name=name, dtype=np.float32) for name in (RAW_CONFIDENCE, RAW_COORDINATES)],
                minimum_deployment_target=getattr(ct.target, options.target),
                compute_precision=ct.precision.FLOAT16,
                skip_model_load=True,
            )
    except Exception as error:  # whatever the converter raises is about this graph
        reason = ' '.join(str(error).split())
        raise ExportError(f'coremltools cannot convert this model: {reason}') from error


def operations(program_spec: Any) -> Counter[str]:
    """How often each operation stands in an ML program, constants left out."""
    return Counter(operation.type for operation in block(program_spec).operations if operation.type != 'const')


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
