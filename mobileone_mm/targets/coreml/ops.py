"""What each operation of an ML program computes, with torch; names, arguments and defaults as in coremltools' MIL.

Tensors come and go as float32, whatever the program calls them: `interpreter` rounds. Constants without a dimension,
and constants of whole numbers, come as Python's own.
"""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from mobileone_mm.errors import ExportError


def _cast(x: Tensor, dtype: str) -> Tensor:
    # `interpreter` rounds an output of type fp16; more than that a cast between floats does not do.
    _require(dtype in ('fp16', 'fp32'), f'dtype {dtype}', 'fp16 or fp32')
    return x


def _conv(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    strides: Sequence[int] = (1, 1),
    pad_type: str = 'valid',
    pad: Sequence[int] = (0, 0, 0, 0),
    dilations: Sequence[int] = (1, 1),
    groups: int = 1,
) -> Tensor:
    _require(x.ndim == 4, f'{x.ndim} dimensions', '4')
    return functional.conv2d(x, weight, bias, tuple(strides), _padding(pad_type, pad), tuple(dilations), groups)


def _max_pool(
    x: Tensor,
    kernel_sizes: Sequence[int],
    strides: Sequence[int] = (1, 1),
    pad_type: str = 'valid',
    pad: Sequence[int] = (0, 0, 0, 0),
    ceil_mode: bool = False,
) -> Tensor:
    _require(x.ndim == 4, f'{x.ndim} dimensions', '4')
    padding = _padding(pad_type, pad)
    return functional.max_pool2d(x, tuple(kernel_sizes), tuple(strides), padding, ceil_mode=ceil_mode)


def _padding(pad_type: str, pad: Sequence[int]) -> tuple[int, int]:
    """Rows and columns to pad on both sides: `pad` is top, bottom, left, right."""
    if pad_type == 'valid':
        return 0, 0
    _require(pad_type == 'custom', f'pad_type {pad_type}', 'custom or valid')
    top, bottom, left, right = pad
    _require((top, left) == (bottom, right), f'pad {list(pad)}', 'one that is the same on both sides')
    return top, left


def _slice_by_index(
    x: Tensor,
    begin: Sequence[int],
    end: Sequence[int],
    stride: Sequence[int] | None = None,
    begin_mask: Sequence[bool] | None = None,
    end_mask: Sequence[bool] | None = None,
    squeeze_mask: Sequence[bool] | None = None,
) -> Tensor:
    _require(stride is None or min(stride) > 0, f'stride {stride}', 'positive ones')
    _require(not any(squeeze_mask or ()), 'a squeeze_mask', 'none')
    for axis in range(x.ndim):
        first = 0 if begin_mask is not None and begin_mask[axis] else begin[axis]
        last = x.shape[axis] if end_mask is not None and end_mask[axis] else end[axis]
        x = x[(slice(None),) * axis + (slice(first, last, 1 if stride is None else stride[axis]),)]
    return x


def _pad(x: Tensor, pad: Sequence[int], mode: str = 'constant', constant_val: float = 0.0) -> Tensor:
    _require(mode == 'constant', f'mode {mode}', 'constant')
    # MIL counts from the first of the padded dimensions, torch from the last of all.
    pairs = [pad[index : index + 2] for index in range(0, len(pad), 2)]
    return functional.pad(x, [side for pair in reversed(pairs) for side in pair], value=constant_val)


def _reshape(x: Tensor, shape: Sequence[int]) -> Tensor:
    # Zero copies a dimension.
    return x.reshape([x.shape[axis] if size == 0 else size for axis, size in enumerate(shape)])


def _concat(values: Sequence[Tensor], axis: int, interleave: bool = False) -> Tensor:
    _require(not interleave, 'interleave', 'none')
    return torch.cat(list(values), dim=axis)


def _sum(x: Tensor, axes: Sequence[int], keep_dims: bool = False) -> Tensor:
    return x.sum(dim=list(axes), keepdim=keep_dims)


def _mean(x: Tensor, axes: Sequence[int], keep_dims: bool = False) -> Tensor:
    return x.mean(dim=list(axes), keepdim=keep_dims)


OPERATIONS: Mapping[str, Callable[..., Tensor]] = {
    # arithmetic
    'add': lambda x, y: x + y,
    'sub': lambda x, y: x - y,
    'mul': lambda x, y: x * y,
    'real_div': lambda x, y: x / y,
    'pow': lambda x, y: x**y,
    'exp': torch.exp,
    'sqrt': torch.sqrt,
    'clip': lambda x, alpha, beta: x.clamp(alpha, beta),
    'cast': _cast,
    # activations
    'relu': torch.relu,
    'leaky_relu': lambda x, alpha: functional.leaky_relu(x, alpha),
    'sigmoid': torch.sigmoid,
    'silu': lambda x: x * torch.sigmoid(x),
    'softmax': lambda x, axis=-1: x.softmax(dim=axis),
    # over positions
    'conv': _conv,
    'max_pool': _max_pool,
    'reduce_mean': _mean,
    'reduce_sum': _sum,
    # of places
    'concat': _concat,
    'pad': _pad,
    'reshape': _reshape,
    'reverse': lambda x, axes: x.flip(list(axes)),
    'slice_by_index': _slice_by_index,
    'transpose': lambda x, perm: x.permute(list(perm)),
}


def _require(holds: bool, given: str, expected: str) -> None:
    if not holds:
        raise ExportError(f'{given} given, {expected} known')
