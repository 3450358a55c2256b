"""One convolution of a block in training: with gradients in their own precision, and few pictures at a time.

Letters: N batch, C channels, H and W height and width, O output channels.
"""

from collections.abc import Callable, Iterator
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
    def forward(
        ctx: Any, x: Tensor, kernel: Tensor, bias: Tensor, window: Window, dtype: torch.dtype, rectified: bool
    ) -> Tensor:
        """(N, C, H, W) -> (N, O, H / stride, W / stride), if wanted behind a ReLU."""
        ctx.window, ctx.rectified = window, rectified
        out = convolved(x, kernel.to(dtype), bias.to(dtype), window, rectified)
        ctx.save_for_backward(x, kernel, out if rectified else None)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients of the input, the kernel and the bias."""
        x, kernel, out = ctx.saved_tensors
        needs_x, needs_kernel, *_ = ctx.needs_input_grad
        rounded = kernel.to(gradient)
        of_kernel, of_bias = torch.zeros_like(kernel), kernel.new_zeros(len(kernel))

        def of_input(x: Tensor, its: Tensor, behind: Tensor) -> Tensor:
            its = before_relu(its, behind, ctx.rectified)
            of_bias.add_(its.sum((0, 2, 3), dtype=kernel.dtype))
            if needs_kernel:
                of_kernel.add_(kernel_gradient(x.to(kernel.dtype), kernel, its.to(kernel.dtype), ctx.window))
            return input_gradient(x, rounded, its, ctx.window).to(x.dtype) if needs_x else x[:, :0]  # nothing

        of_x = by_parts(of_input, together(x, ctx.window), x, gradient, gradient if out is None else out)
        return of_x if needs_x else None, of_kernel, of_bias, None, None, None


def before_relu(gradient: Tensor, out: Tensor, rectified: bool) -> Tensor:
    """The gradient in front of the ReLU that gave `out`, if there was one."""
    found: Tensor = torch.ops.aten.threshold_backward(gradient, out, 0) if rectified else gradient
    return found


def input_gradient(x: Tensor, kernel: Tensor, gradient: Tensor, window: Window) -> Tensor:
    """Of a convolution of `x`, whose gradient is given, all of one dtype."""
    if window.kernel_size == window.stride == window.groups == 1:  # which torch does faster than its own gradient
        return functional.conv2d(gradient, kernel.transpose(0, 1))
    found: Tensor = conv2d_input(x.shape, kernel, gradient, *window.arguments())  # type: ignore[no-untyped-call]
    return found


def kernel_gradient(x: Tensor, kernel: Tensor, gradient: Tensor, window: Window) -> Tensor:
    """Likewise, of its kernel."""
    found: Tensor = conv2d_weight(x, kernel.shape, gradient, *window.arguments())  # type: ignore[no-untyped-call]
    return found


def convolved(x: Tensor, kernel: Tensor, bias: Tensor | None, window: Window, rectified: bool = False) -> Tensor:
    """(N, C, H, W) -> (N, O, H / stride, W / stride), in the kernel's dtype, if wanted behind a ReLU."""

    def run(part: Tensor) -> Tensor:
        found = functional.conv2d(part.to(kernel.dtype), kernel, bias, *window.arguments())
        return found.relu_() if rectified else found

    return by_parts(run, together(x, window), x)


def by_parts(run: Callable[..., Tensor], several: int, *tensors: Tensor) -> Tensor:
    """What `run` makes of all pictures, made of several at a time."""
    out = None
    for done, part in enumerate(parted(several, *tensors)):
        found = run(*part)
        if len(found) == len(tensors[0]):
            return found
        if out is None:
            out = found.new_empty(len(tensors[0]), *found.shape[1:])
        out[done * several :][: len(found)] = found
    assert out is not None
    return out


def parted(several: int, *tensors: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """So many pictures at a time of each tensor."""
    return zip(*(torch.split(tensor, several) for tensor in tensors), strict=True)


def few(x: Tensor) -> int:
    """How many pictures to take at a time, so that caches hold what is made of them; all of them in other layouts."""
    return lags.together(x) if x.is_contiguous() else len(x)


def together(x: Tensor, window: Window) -> int:
    """How many pictures to convolve at a time.

    oneDNN, torch's library for a CPU, copies what a depthwise kernel convolves. For large batches, taking the memory
    for that from the system took several times as long as the convolution. With neither groups nor a stride, torch
    takes a slower one for fewer than 16 pictures.
    """
    return few(x) if window.groups > 1 or window.stride > 1 else len(x)
