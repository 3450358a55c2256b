"""The sum of a block's branches in training, each convolved, all normalised in one go.

torch's BN reads its input for the statistics, reads it again and writes it; adding up branches reads and writes once
more. Here the outputs of the convolutions are read for their statistics and then once for the weighted sum of all. A
branch that multiplies each channel of the input by a number, as the scale branch of a depthwise block and the skip
branch do, needs no output of its own: its mean and variance, and what it adds, follow from the input's.

Letters: N batch, C channels, H and W height and width, O output channels, B branches.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from mobileone_mm.models.backbones import lags
from mobileone_mm.models.backbones.batch_statistics import Branch, Statistics, joined, scale_and_shift, update_running
from mobileone_mm.models.backbones.convolution import Convolution
from mobileone_mm.models.backbones.taps import Window


class _Map(NamedTuple):
    """(N, O, H, W), with its mean and variance (O,)."""

    values: Tensor
    mean: Tensor
    var: Tensor


def add_up(x: Tensor, branches: Sequence[Branch], window: Window) -> Tensor:
    """The sum of the branches' outputs, (N, C, H, W) -> (N, O, H / stride, W / stride); moves running statistics.

    Args:
        x: input, float32 or float64 and not in autocast: gradients are rounded more often than those of BN.
        branches: at most one identity; all norms normalise by the batch.
        window: of the kernels.

    Raises:
        ValueError: the norms train on a single value per channel, which BN refuses too.
    """
    norms = [branch.norm for branch in branches]
    maps, terms = _maps_and_terms(x, branches, window)
    means = torch.stack([maps[index].mean * factor for index, factor in terms])
    variances = torch.stack([maps[index].var * factor * factor for index, factor in terms])
    statistics = joined(Statistics(means, variances, x.shape[0] * window.pixels(x)), norms)
    update_running(norms, statistics)
    scales, shifts = scale_and_shift(norms, statistics.mean, statistics.var)
    given = []
    for index, (values, mean, _) in enumerate(maps):
        weights = [scale * factor for (of, factor), scale in zip(terms, scales, strict=True) if of == index]
        given += [values, torch.stack(weights).sum(0).expand_as(mean), mean]
    found: Tensor = WeightedSum.apply((shifts + scales * means).sum(0), *given)
    return found


def _maps_and_terms(
    x: Tensor, branches: Sequence[Branch], window: Window
) -> tuple[list[_Map], list[tuple[int, Tensor | float]]]:
    """For each branch which map it multiplies, and by what: numbers (O,), or 1."""
    maps: list[_Map] = []
    terms: list[tuple[int, Tensor | float]] = []
    pixels = x if window.stride == 1 else x[..., :: window.stride, :: window.stride]
    of_pixels = None
    for kernel, _ in branches:
        if kernel is None or kernel.shape == (x.shape[1], 1, 1, 1) == (window.groups, 1, 1, 1):
            if of_pixels is None:
                of_pixels = len(maps)
                maps.append(_Map(*MapStatistics.apply(pixels)))
            terms.append((of_pixels, 1.0 if kernel is None else kernel.flatten()))
            continue
        if kernel.shape[-1] == window.kernel_size:
            convolved = Convolution.apply(x, kernel, None, window, x.dtype)
        else:
            convolved = Convolution.apply(pixels, kernel, None, Window(1, 1, 1, window.groups), x.dtype)
        terms.append((len(maps), 1.0))
        maps.append(_Map(*MapStatistics.apply(convolved)))
    return maps, terms


class MapStatistics(torch.autograd.Function):
    """A map (N, O, H, W) -> the same, and mean and biased variance (O,).

    Backward adds to the gradient of the first output in place, so that output may have one user only.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Mean and variance of what is left without a first mean, since a sum of large numbers is not exact."""
        centre = x.mean((0, 2, 3))
        sums, squares = torch.zeros_like(centre), torch.zeros_like(centre)
        for part in torch.split(x, lags.together(x)):
            left = part - centre[:, None, None]
            sums += left.sum((0, 2, 3))
            squares += left.square_().sum((0, 2, 3))
        share = x.shape[1] / x.numel()
        mean = centre + share * sums
        ctx.save_for_backward(x, mean)
        return x.view_as(x), mean, (share * squares - (share * sums).square()).clamp_min(0)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor, d_mean: Tensor, d_var: Tensor) -> Tensor:
        """With M values of a channel, 2 d_var (x - mean) / M and d_mean / M."""
        x, mean = ctx.saved_tensors
        share = x.shape[1] / x.numel()
        factor = 2 * share * d_var
        offset = share * d_mean - factor * mean
        for onto, part in zip(*(torch.split(tensor, lags.together(x)) for tensor in (gradient, x)), strict=True):
            onto += (part * factor[:, None, None]).add_(offset[:, None, None])
        return gradient


class WeightedSum(torch.autograd.Function):
    """Shift t (O,), and for each map x its weight a and mean m (O,) -> the sum of a (x - m), and t."""

    @staticmethod
    def forward(ctx: Any, shift: Tensor, *given: Tensor) -> Tensor:
        """A pass for each map."""
        maps, weights, means = given[::3], given[1::3], given[2::3]
        for weight, mean in zip(weights, means, strict=True):
            shift = shift - weight * mean
        ctx.save_for_backward(*given)
        found = (maps[0] * weights[0][:, None, None]).add_(shift[:, None, None])
        for x, weight in zip(maps[1:], weights[1:], strict=True):
            found.addcmul_(x, weight[:, None, None])
        return found

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, ...]:
        """Sums are taken of x - m, which keeps the digits of small variances."""
        given = ctx.saved_tensors
        maps, weights, means = given[::3], given[1::3], given[2::3]
        total = gradient.sum((0, 2, 3))
        found: list[Tensor] = []
        for x, weight, mean in zip(maps, weights, means, strict=True):
            of_weight = torch.zeros_like(weight)
            for part, its in zip(*(torch.split(each, lags.together(x)) for each in (x, gradient)), strict=True):
                of_weight += (part - mean[:, None, None]).mul_(its).sum((0, 2, 3))
            found += [gradient * weight[:, None, None], of_weight, -weight * total]
        return total, *found
