"""What each operation of an ML program computes, with torch; names, arguments and defaults as in coremltools' MIL.

Tensors come and go as float32, whatever the program calls them: `interpreter` rounds. Constants without a dimension,
and constants of whole numbers, come as Python's own.
"""

import math
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from mobileone_mm.errors import ExportError


def _cast(x: Tensor, dtype: str) -> Tensor:
    # `interpreter` rounds an output of type fp16; more than that a cast between floats does not do.
    _require(dtype in ('fp16', 'fp32', 'int32'), f'dtype {dtype}', 'fp16, fp32 or int32')
    return x.to(torch.int32) if dtype == 'int32' else x.float()


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
    for axis in range(x.ndim):
        first = 0 if begin_mask is not None and begin_mask[axis] else begin[axis]
        last = x.shape[axis] if end_mask is not None and end_mask[axis] else end[axis]
        x = x[(slice(None),) * axis + (slice(first, last, 1 if stride is None else stride[axis]),)]
    squeezed = [axis for axis in range(x.ndim) if squeeze_mask is not None and squeeze_mask[axis]]
    return x.squeeze(squeezed) if squeezed else x


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


def _upsample_bilinear(
    x: Tensor, scale_factor_height: float = 1, scale_factor_width: float = 1, align_corners: bool = True
) -> Tensor:
    # The spacing of places follows the two sizes and not the factors, as torch does it with a size.
    size = _enlarged(x, scale_factor_height, scale_factor_width)
    return functional.interpolate(x, size=size, mode='bilinear', align_corners=align_corners)


def _upsample_nearest(x: Tensor, scale_factor_height: float = 1, scale_factor_width: float = 1) -> Tensor:
    whole = float(scale_factor_height).is_integer() and float(scale_factor_width).is_integer()
    _require(whole, f'factors {scale_factor_height} and {scale_factor_width}', 'whole ones')
    return x.repeat_interleave(int(scale_factor_height), -2).repeat_interleave(int(scale_factor_width), -1)


def _enlarged(x: Tensor, height: float, width: float) -> list[int]:
    return [math.floor(x.shape[-2] * height), math.floor(x.shape[-1] * width)]


def _argmax(x: Tensor, axis: int = -1, keep_dims: bool = True, output_dtype: str = 'int32') -> Tensor:
    _require(output_dtype == 'int32', f'output_dtype {output_dtype}', 'int32')
    return x.argmax(dim=axis, keepdim=keep_dims).to(torch.int32)


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
    'linear': lambda x, weight, bias=None: functional.linear(x, weight, bias),
    'max_pool': _max_pool,
    'reduce_argmax': _argmax,
    'reduce_mean': _mean,
    'reduce_sum': _sum,
    'upsample_bilinear': _upsample_bilinear,
    'upsample_nearest_neighbor': _upsample_nearest,
    # of places
    'concat': _concat,
    'pad': _pad,
    'reshape': _reshape,
    'reverse': lambda x, axes: x.flip(list(axes)),
    'slice_by_index': _slice_by_index,
    'squeeze': lambda x, axes: x.squeeze(list(axes)),
    'transpose': lambda x, perm: x.permute(list(perm)),
}


def _require(holds: bool, given: str, expected: str) -> None:
    if not holds:
        raise ExportError(f'{given} given, {expected} known')
