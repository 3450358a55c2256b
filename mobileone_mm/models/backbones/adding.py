"""The sum of a block's branches in training, each convolved, all normalised in one go.

torch's BN reads its input for the statistics, reads it again and writes it; adding up branches reads and writes once
more. Here the outputs of the convolutions are read for their statistics and then once for the weighted sum of all. A
branch that multiplies each channel of the input by a number, as the scale branch of a depthwise block and the skip
branch do, needs no output of its own: its mean and variance, and what it adds, follow from the input's.

Let z be the maps that are normalised, outputs of convolutions and the input, m and v the mean and variance of each. A
branch normalises f z, with a factor f that is 1 behind a convolution. With r = (f^2 v + eps)^-1/2, the sum of all is

    sum of a (z - m) over the maps, plus all betas;  a = sum of gamma f r over the branches of the map.

Let g be its gradient, and T = sum of g and P = sum of g (z - m) over the M values of a channel. That of the map is

    a (g - T / M) - c P / M (z - m);  c = sum of gamma (f r)^3 over the branches of the map.

Both ways the maps are read twice, for sums and for what follows from them, a few pictures at a time. What is made of
these on the way stays in the caches, and takes no memory of the size of a map.

Letters: N batch, C channels, H and W height and width, O output channels, B branches, Z maps.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm

from mobileone_mm.models.backbones.batch_statistics import Branch, Statistics, added, joined, summed, update_running
from mobileone_mm.models.backbones.convolution import (
    before_relu,
    by_parts,
    convolved,
    few,
    input_gradient,
    kernel_gradient,
    parted,
    together,
)
from mobileone_mm.models.backbones.taps import Window


class _Map(NamedTuple):
    """A convolution of every `step`-th pixel along each axis; or, without a window, these pixels themselves."""

    window: Window | None
    step: int

    def pixels(self, x: Tensor) -> Tensor:
        """Those that it is made of."""
        return x if self.step == 1 else x[..., :: self.step, :: self.step]


class _Plan(NamedTuple):
    """The maps, convolutions first; the norm of each branch, and the number of the map that it normalises."""

    maps: Sequence[_Map]
    norms: Sequence[_BatchNorm]
    normalised: Sequence[int]

    def eps(self, like: Tensor) -> Tensor:
        """Of each norm, (B, 1)."""
        return like.new_tensor([norm.eps for norm in self.norms])[:, None]

    def by_branch(self, of_maps: Tensor) -> Tensor:
        """(Z, O) -> (B, O)."""
        return of_maps[list(self.normalised)]

    def by_map(self, of_branches: Tensor) -> Tensor:
        """(B, O) -> (Z, O), sums over the branches of each map."""
        index = torch.tensor(self.normalised, device=of_branches.device)
        return of_branches.new_zeros(len(self.maps), of_branches.shape[1]).index_add_(0, index, of_branches)


def add_up(x: Tensor, branches: Sequence[Branch], window: Window, rectified: bool) -> Tensor:
    """The sum of the branches' outputs, (N, C, H, W) -> (N, O, H / stride, W / stride); moves running statistics.

    Args:
        x: input, float32 or float64 and not in autocast: gradients are rounded more often than those of BN.
        branches: the first with a whole kernel, at most one identity; all norms normalise by the batch.
        window: of the kernels.
        rectified: whether a ReLU follows and is wanted too.

    Raises:
        ValueError: the norms train on a single value per channel, which BN refuses too.
    """
    norms = [branch.norm for branch in branches]
    ones = x.new_ones(norms[0].num_features)
    factors = {
        index: ones if kernel is None else kernel.flatten()
        for index, (kernel, _) in enumerate(branches)
        if kernel is None or kernel.shape == (x.shape[1], 1, 1, 1) == (window.groups, 1, 1, 1)
    }  # of the branches that need no output of their own
    kernels = [kernel for index, (kernel, _) in enumerate(branches) if index not in factors and kernel is not None]
    whole, centre = _Map(window, 1), _Map(Window(1, 1, 1, window.groups), window.stride)
    maps = [whole if kernel.shape[-1] == window.kernel_size else centre for kernel in kernels]
    numbers = iter(range(len(maps)))
    normalised = [len(maps) if index in factors else next(numbers) for index in range(len(branches))]
    if factors:
        maps.append(_Map(None, window.stride))
    affine = norms[0].affine
    gammas = torch.stack([norm.weight if affine else ones for norm in norms])
    shift = added([norm.bias if affine else 0 * ones for norm in norms])
    plan = _Plan(maps, norms, normalised)
    all_factors = torch.stack([factors.get(index, ones) for index in range(len(branches))])
    found: Tensor = _Sum.apply(x, plan, all_factors, gammas, shift, rectified, *kernels)
    return found


class _Sum(torch.autograd.Function):
    """Input, factors and gammas (B, O), the sum of betas (O,), kernels -> the sum, if wanted rectified."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        plan: _Plan,
        factors: Tensor,
        gammas: Tensor,
        shift: Tensor,
        rectified: bool,
        *kernels: Tensor,
    ) -> Tensor:
        """Convolve and measure, then add up."""
        maps = [
            each.pixels(x) if each.window is None else convolved(each.pixels(x), kernels[index], None, each.window)
            for index, each in enumerate(plan.maps)
        ]
        means, variances = zip(*map(_measured, maps), strict=True)
        own = Statistics(torch.stack(means), torch.stack(variances), maps[0].numel() / len(shift))
        mean, var, count = joined(own, plan.norms)
        batch = Statistics(factors * plan.by_branch(mean), factors.square() * plan.by_branch(var), count)
        update_running(plan.norms, batch)
        rates = (batch.var + plan.eps(var)).rsqrt()
        weights = plan.by_map(gammas * factors * rates)
        shift = shift - (weights * mean).sum(0)
        out = torch.empty_like(maps[0])
        for onto, *parts in parted(few(out), out, *maps):
            total = _affine(parts[0], weights[0], shift)
            for part, weight in zip(parts[1:], weights[1:], strict=True):
                total.addcmul_(part, weight[:, None, None])
            onto.copy_(total.relu_() if rectified else total)
        ctx.plan, ctx.count, ctx.rectified = plan, count, rectified
        kept = out if rectified else None
        ctx.save_for_backward(x, kept, factors, gammas, rates, mean, weights, *kernels, *maps[: len(kernels)])
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        """T and P, then gradients of the maps and from these, at once, those of kernels and input."""
        x, out, factors, gammas, rates, mean, weights, *rest = ctx.saved_tensors
        plan, count = ctx.plan, ctx.count
        kernels, maps = rest[: len(rest) // 2], rest[len(rest) // 2 :]
        maps += [each.pixels(x) for each in plan.maps[len(maps) :]]
        after = gradient, gradient if out is None else out
        sums = mean.new_zeros(1 + len(maps), mean.shape[1])  # T and P
        for its, behind, *parts in parted(few(maps[0]), *after, *maps):
            its = before_relu(its, behind, ctx.rectified)
            sums[0] += its.sum((0, 2, 3))
            for product, part, middle in zip(sums[1:], parts, mean, strict=True):
                product += (part - middle[:, None, None]).mul_(its).sum((0, 2, 3))
        shared = summed(sums, plan.norms[0]) / count
        slopes = -plan.by_map(gammas * (factors * rates) ** 3) * shared[1:]
        offsets = -weights * shared[0] - slopes * mean
        of_kernels = [torch.zeros_like(kernel) for kernel in kernels]

        def of_map(index: int, z: Tensor, its: Tensor, behind: Tensor) -> Tensor:
            its = before_relu(its, behind, ctx.rectified)
            return _affine(z, slopes[index], offsets[index]).addcmul_(its, weights[index][:, None, None])

        def of_input(x: Tensor, its: Tensor, behind: Tensor, *parts: Tensor) -> Tensor:
            found = x  # the first map, a convolution of all pixels, replaces it
            for index, (each, z) in enumerate(zip(plan.maps, parts, strict=True)):
                if each.window is None:
                    for onto, *part in parted(few(z), each.pixels(found), z, its, behind):
                        onto += of_map(index, *part)
                    continue
                pixels, kernel = each.pixels(x), kernels[index]
                moved = by_parts(partial(of_map, index), few(z), z, its, behind)
                of_kernels[index] += kernel_gradient(pixels, kernel, moved, each.window)
                more = input_gradient(pixels, kernel, moved, each.window)
                if index == 0:
                    found = more
                else:
                    each.pixels(found).add_(more)
            return found

        of_x = by_parts(of_input, together(x, plan.maps[0].window), x, *after, *maps)
        products = plan.by_branch(sums[1:])
        of_factors = gammas * rates**3 * plan.eps(rates) * products
        of_gammas = factors * rates * products
        return of_x if ctx.needs_input_grad[0] else None, None, of_factors, of_gammas, sums[0], None, *of_kernels


def _measured(values: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and biased variance of a map (O,), from those of each picture: no large numbers cancel."""
    means, variances = [], []
    for (part,) in parted(few(values), values):
        mean = part.mean((2, 3))
        left = part - mean[..., None, None]
        more = left.mean((2, 3))  # what rounding took from the mean
        left -= more[..., None, None]
        means.append(mean + more)
        variances.append(torch.linalg.vector_norm(left, dim=(2, 3)).square() / left[0, 0].numel())
    var, mean = torch.var_mean(torch.cat(means), 0, correction=0)
    return mean, var + torch.cat(variances).mean(0)


def _affine(x: Tensor, weight: Tensor, shift: Tensor) -> Tensor:
    """`weight` x + `shift` of each channel: what BN does in evaluation, in a single pass."""
    return functional.batch_norm(x, torch.zeros_like(shift), torch.ones_like(shift), weight, shift, eps=0)
