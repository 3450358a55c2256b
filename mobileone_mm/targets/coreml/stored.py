"""The graph with the constants that a saved program holds: the reference that is left when they were rounded."""

import math
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from mobileone_mm.tasks.layers import folded
from mobileone_mm.tasks.task import Graph

SMALLEST = 2.0**-14  # magnitude below which float16's steps do not get finer
LEAST = 1e-3  # of the largest number of a constant; smaller ones may be sums in which most cancels
# What the converter adds to a constant's name, and what its compression adds.
HALF = '_to_fp16'
PACKED = ('_quantized', '_palettized')
ENDINGS = tuple(half + packed for half in ('', HALF) for packed in ('', *PACKED))


def as_stored(graph: Graph, constants: Mapping[str, Any], half: bool) -> tuple[Graph, dict[str, float]]:
    """A copy that computes in float32 with the constants that a program stores, and how far they are from the graph's.

    Batch norms that fusing left are folded.
    `constants` are the program's, unpacked, by name; `half` says whether it computes in float16. How far is, by the
    constant's name: of the worst number, as a fraction of it, so that a single prior counts; of a compressed constant,
    which says little about a single number, its RMS error as a fraction of its RMS. Infinite where it holds no number.
    """
    copy, errors = folded(graph), {}
    for name, tensor in (*copy.named_parameters(), *copy.named_buffers()):
        constant, stored = _stored(name, tensor.detach(), constants, half)
        error = (_rms_error if constant.endswith(PACKED) else _worst_error)(tensor.detach(), stored)
        errors[constant] = float(error) if error.isfinite() else math.inf
        tensor.data = stored
    copy.round_numbers(lambda name: f'b_{name}{HALF}'.replace('.', '_') in constants)
    return copy, errors


def _worst_error(expected: Tensor, stored: Tensor) -> Tensor:
    magnitude = expected.abs()
    return ((stored - expected).abs() / magnitude.clamp(min=max(LEAST * float(magnitude.max()), SMALLEST))).max()


def _rms_error(expected: Tensor, stored: Tensor) -> Tensor:
    return _rms(stored - expected) / _rms(expected).clamp(min=SMALLEST)


def _rms(tensor: Tensor) -> Tensor:
    return tensor.double().square().mean().sqrt()


def _stored(name: str, tensor: Tensor, constants: Mapping[str, Any], half: bool) -> tuple[str, Tensor]:
    """A parameter or buffer as the program has it, and the constant's name; the converter calls them after these."""
    key = name.replace('.', '_')
    for stem in (f'p_{key}', f'b_{key}'):
        for ending in ENDINGS:
            found = constants.get(stem + ending)
            if isinstance(found, Tensor) and found.shape == tensor.shape:
                return stem + ending, found.clone()
    rounded = tensor.half().float()
    # The converter leaves an operation in float32 whose constants float16 cannot hold.
    return key, rounded if half and rounded.isfinite().all() else tensor
