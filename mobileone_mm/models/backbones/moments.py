"""The sum of a block's branches in training, as one convolution: batch statistics from moments of the input.

Up to its norm every branch is a linear map of the same numbers: the taps u (T,) that lie under the kernel at an output
pixel, zero padding included. So the mean and variance that its BN takes of the batch follow from those of the taps:

    m = E[u],  S = E[u u^T] - m m^T;  for a row w of the kernel,  mean = w . m,  var = w^T S w.

Knowing them, all branches fold into one kernel before anything is convolved. Gradients flow back through m and S and
are exactly those of the branches, while the cost hardly depends on how many branches there are.

Letters: N batch, C channels, H and W height and width, L output pixels of a picture, G groups, O output channels, I
input channels per group, k kernel size, T = I k^2 taps, B branches.

Source: paper section 3.2 (arXiv 2206.04040) for the branches; the rest is linearity.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.modules.batchnorm import _BatchNorm

from mobileone_mm.models.backbones import fold
from mobileone_mm.models.backbones.batch_statistics import (
    Branch,
    Statistics,
    added,
    joined,
    kept,
    scale_and_shift,
    update_running,
    uses_batch,
)
from mobileone_mm.models.backbones.convolution import Convolution, convolved_dtype
from mobileone_mm.models.backbones.taps import Moments, Window

NORMS = (_BatchNorm.forward, nn.SyncBatchNorm.forward)  # of whatever subclass: mmengine has its own of each
HOOKS = ('_forward_hooks', '_forward_pre_hooks', '_backward_hooks', '_backward_pre_hooks')


def convolve(x: Tensor, branches: Sequence[Branch], window: Window, rectified: bool) -> Tensor:
    """The sum of the branches' outputs, (N, C, H, W) -> (N, O, H / stride, W / stride); moves running statistics.

    Args:
        x: input.
        branches: at most one identity, as the last; all norms in the same mode.
        window: of the kernels.
        rectified: whether a ReLU follows and is wanted too.

    Raises:
        ValueError: the norms train on a single value per channel, which BN refuses too.
    """
    dtype = convolved_dtype(x)
    with torch.autocast(x.device.type, enabled=False):
        moments = None
        if uses_batch(branches[0].norm):
            x, *moments = Moments.apply(x, window)
        kernel, bias = _folded(x, branches, window, moments)
        if moments is not None:
            bias = bias - _moved(kernel.detach(), moments[0].detach(), dtype)
    out: Tensor = Convolution.apply(x, kernel, bias, window, dtype, rectified)
    return out


def can_fold(branches: Sequence[nn.Module]) -> bool:
    """Whether branches, norms or sequences of `conv` and `bn`, are what this module computes.

    Not if a convolution does more than convolve, if norms differ in mode or in having weights, or if a hook waits for
    what a branch gives.
    """
    modules = [module for branch in branches for module in branch.modules()]
    convs = [module for module in modules if isinstance(module, nn.Conv2d)]
    norms = [module for module in modules if isinstance(module, _BatchNorm)]
    return (
        len(norms) == len(branches)
        and all(type(conv) is nn.Conv2d and conv.padding_mode == 'zeros' and conv.bias is None for conv in convs)
        and all(type(norm).forward in NORMS for norm in norms)
        and len({(norm.training, norm.running_mean is None, norm.affine) for norm in norms}) == 1
        and not any(map(is_hooked, modules))
    )


def is_hooked(module: nn.Module) -> bool:
    """Whether a hook waits for what the module is given or gives."""
    return any(getattr(module, hooks) for hooks in HOOKS)


def _folded(
    x: Tensor, branches: Sequence[Branch], window: Window, moments: tuple[Tensor, Tensor] | None
) -> fold.Affine:
    """One kernel (O, I, k, k) and bias (O,), in float32 or float64; without moments by running statistics."""
    dtype = torch.promote_types(x.dtype, torch.float32)
    norms = [branch.norm for branch in branches]
    kernels = torch.stack(
        [_full(branch.kernel, window).to(dtype) for branch in branches if branch.kernel is not None]
    )  # (B, O, I, k, k) without the identity
    has_identity = len(kernels) < len(branches)
    if moments is None:
        mean, var = kept(norms, dtype)
    else:
        own = Statistics(*_of_branches(*moments, kernels, has_identity), x.shape[0] * window.pixels(x))
        statistics = joined(own, norms)
        update_running(norms, statistics)
        mean, var = statistics.mean, statistics.var
    scale, shift = scale_and_shift(norms, mean, var)
    kernel = (scale[: len(kernels), :, None, None, None] * kernels).sum(0)
    if has_identity:
        identity = torch.eye(kernel.shape[1], dtype=dtype, device=x.device).repeat(window.groups, 1)
        kernel = kernel + _full(identity[..., None, None], window) * scale[-1].reshape(-1, 1, 1, 1)
    return fold.Affine(kernel, added(shift.unbind()))


def _moved(kernel: Tensor, mean: Tensor, dtype: torch.dtype) -> Tensor | float:
    """By how much rounding a kernel to `dtype` moves the mean of what it gives (O,), given that of the taps (G, T).

    BN, which measures what a rounded kernel gave, takes that away.
    """
    if dtype == kernel.dtype:
        return 0.0
    rounded = (kernel.to(dtype).to(kernel) - kernel).reshape(len(mean), -1, mean.shape[1])
    return (rounded @ mean[..., None].to(kernel)).reshape(-1)


def _full(kernel: Tensor, window: Window) -> Tensor:
    return kernel if kernel.shape[-1] == window.kernel_size else fold.pad_pointwise(kernel, window.kernel_size)


def _of_branches(mean: Tensor, covariance: Tensor, kernels: Tensor, has_identity: bool) -> tuple[Tensor, Tensor]:
    """Means and variances (B, O) that BN would measure behind each kernel and, last, behind the identity."""
    groups, taps = mean.shape
    rows = kernels.reshape(len(kernels), groups, -1, taps).transpose(0, 1).flatten(1, 2)  # (G, B O / G, T)
    means, variances = ((rows @ mean[..., None]).squeeze(-1), QuadraticForms.apply(rows, covariance))
    means, variances = (
        found.unflatten(1, (len(kernels), -1)).transpose(0, 1).flatten(1) for found in (means, variances)
    )  # (B, O)
    if has_identity:
        per_channel = kernels.shape[-1] ** 2
        centre = slice(per_channel // 2, None, per_channel)
        means = torch.cat([means, mean[:, centre].reshape(1, -1)])
        variances = torch.cat([variances, covariance.diagonal(dim1=1, dim2=2)[:, centre].reshape(1, -1)])
    return means, variances.clamp_min(0)  # which rounding could miss where an output hardly varies


class QuadraticForms(torch.autograd.Function):
    """Rows w (G, R, T), symmetric S (G, T, T) -> w^T S w (G, R). Keeps S w, which costs as much as its gradient."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, matrix: Tensor) -> Tensor:
        """One product of matrices."""
        products = rows @ matrix
        ctx.save_for_backward(rows, products)
        return (products * rows).sum(-1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        """Another one: 2 g S w, and the sum of g w w^T."""
        rows, products = ctx.saved_tensors
        scaled = gradient[..., None] * rows
        return 2 * gradient[..., None] * products, scaled.mT @ rows
