"""Arithmetic of re-parameterisation: linear branches as (kernel, bias) pairs that can be folded and summed.

Letters: O output channels, I input channels per group, k kernel size. A kernel is (O, I, k, k), a bias (O,).
Everything is computed in float64 and rounded once by the caller: a chain of float32 roundings over the 43 layers of a
network is what makes fused models drift.

Source: paper section 3.2 (arXiv 2206.04040), "MobileOne block".
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm

from mobileone_mm.errors import FuseError


class Affine(NamedTuple):
    """A convolution as numbers: kernel (O, I, k, k) and bias (O,), float64."""

    kernel: Tensor
    bias: Tensor


def fold_norm(kernel: Tensor, bias: Tensor | None, norm: _BatchNorm) -> Affine:
    """The single convolution equal to convolution (`kernel`, `bias`) followed by `norm` in eval mode.

    Raises:
        FuseError: `norm` keeps no running statistics, so its eval mode depends on the batch.
    """
    if norm.running_mean is None or norm.running_var is None:
        raise FuseError(
            f'{norm}: a norm without running statistics cannot be folded; build it with track_running_stats=True'
        )
    scale = (norm.running_var.double() + norm.eps).rsqrt()
    if norm.weight is not None:
        scale = scale * norm.weight.double()
    shift = -norm.running_mean.double() * scale
    if bias is not None:
        shift = shift + bias.double() * scale
    if norm.bias is not None:
        shift = shift + norm.bias.double()
    return Affine(kernel.double() * scale.reshape(-1, 1, 1, 1), shift)


def pad_pointwise(kernel: Tensor, kernel_size: int) -> Tensor:
    """A (O, I, 1, 1) kernel as the centre tap of an odd `kernel_size` one."""
    margin = kernel_size // 2
    return functional.pad(kernel, [margin] * 4)


def identity_kernel(channels: int, groups: int, norm: _BatchNorm) -> Tensor:
    """The (channels, channels / groups, 1, 1) kernel that copies its input, on the device of `norm`, float64."""
    per_group = channels // groups
    device = None if norm.running_mean is None else norm.running_mean.device
    rows = torch.eye(per_group, dtype=torch.float64, device=device).repeat(groups, 1)
    return rows.reshape(channels, per_group, 1, 1)


def add(branches: list[Affine]) -> Affine:
    """The convolution equal to the sum of the branches' outputs; all kernels of one shape."""
    kernels, biases = zip(*branches, strict=True)
    return Affine(torch.stack(kernels).sum(0), torch.stack(biases).sum(0))
