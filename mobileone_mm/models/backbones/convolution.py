"""One convolution of a block in training: with gradients in their own precision, and few pictures at a time.

Letters: N batch, C channels, H and W height and width, O output channels.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional
from torch.nn.grad import conv2d_input, conv2d_weight

from mobileone_mm.models.backbones import lags
from mobileone_mm.models.backbones.taps import Window


def convolved_dtype(x: Tensor) -> torch.dtype:
    """What torch would convolve `x` in: under autocast its dtype."""
    device = x.device.type
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else x.dtype


class Convolution(torch.autograd.Function):
    """A convolution in `dtype` whose kernel and bias have gradients of their own precision.

    In half precision that matters: through the statistics, most of the kernel's gradient cancels in those of the
    branches. BN takes that part out before the gradient of a kernel is rounded to half precision, here it is still in.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, kernel: Tensor, bias: Tensor | None, window: Window, dtype: torch.dtype) -> Tensor:
        """(N, C, H, W) -> (N, O, H / stride, W / stride)."""
        ctx.window = window
        ctx.save_for_backward(x, kernel)
        kernel, arguments = kernel.to(dtype), window.arguments()
        bias = None if bias is None else bias.to(dtype)
        return _by_parts(lambda part: functional.conv2d(part.to(dtype), kernel, bias, *arguments), window, x)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients of the input, the kernel and the bias."""
        x, kernel = ctx.saved_tensors
        window, arguments = ctx.window, ctx.window.arguments()
        of_input = of_kernel = of_bias = None
        if ctx.needs_input_grad[0]:
            rounded = kernel.to(gradient)

            def input_gradient(x: Tensor, gradient: Tensor) -> Tensor:
                return conv2d_input(x.shape, rounded, gradient, *arguments).to(x.dtype)  # type: ignore[no-any-return,no-untyped-call]

            of_input = _by_parts(input_gradient, window, x, gradient)
        if ctx.needs_input_grad[1]:
            for part, its in _parts(window, x, gradient):
                found = conv2d_weight(  # type: ignore[no-untyped-call]
                    part.to(kernel.dtype), kernel.shape, its.to(kernel.dtype), *arguments
                )
                of_kernel = found if of_kernel is None else of_kernel + found
        if ctx.needs_input_grad[2]:
            of_bias = gradient.sum((0, 2, 3), dtype=kernel.dtype)
        return of_input, of_kernel, of_bias, None, None


def _by_parts(run: Callable[..., Tensor], window: Window, *tensors: Tensor) -> Tensor:
    """What `run` makes of all pictures, made of a few at a time."""
    parts = _parts(window, *tensors)
    first = run(*parts[0])
    if len(parts) == 1:
        return first
    out = first.new_empty(len(tensors[0]), *first.shape[1:])
    for part, onto in zip(parts, torch.split(out, len(first)), strict=True):
        onto.copy_(run(*part))
    return out


def _parts(window: Window, *tensors: Tensor) -> list[tuple[Tensor, ...]]:
    """A few pictures at a time of each tensor.

    oneDNN, torch's library for a CPU, copies what a depthwise kernel convolves. For large batches, taking the memory
    for that from the system took several times as long as the convolution.
    """
    copied = window.groups > 1 and tensors[0].is_contiguous()
    several = lags.together(tensors[0]) if copied else len(tensors[0])
    return list(zip(*(torch.split(tensor, several) for tensor in tensors), strict=True))
