"""What BatchNorm does with the mean and variance of a batch: between processes, and in its running statistics.

torch's BN measures its own input; here mean and variance come from elsewhere (`moments`), for several norms at once.

Letters: B norms, O channels of each, M values per channel (pictures times pixels).
"""

from collections.abc import Sequence
from functools import reduce
from typing import Any, NamedTuple, TypeGuard

import torch
from torch import Tensor, distributed, nn
from torch.nn.modules.batchnorm import _BatchNorm


class Branch(NamedTuple):
    """A kernel, (O, I, k, k) or (O, I, 1, 1) at the centre, or None for the identity; and the norm behind it."""

    kernel: Tensor | None
    norm: _BatchNorm


class Statistics(NamedTuple):
    """Means (B, O) and biased variances (B, O) over M values, M a number or a 0-d tensor."""

    mean: Tensor
    var: Tensor
    values: float | Tensor


def uses_batch(norm: _BatchNorm) -> bool:
    """Whether the norm normalises by its batch, rather than by running statistics."""
    return norm.training or norm.running_mean is None


def kept(norms: Sequence[_BatchNorm], dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """The running means and variances, (B, O) each."""
    means, variances = zip(*((norm.running_mean, norm.running_var) for norm in norms), strict=True)
    return torch.stack(means).to(dtype), torch.stack(variances).to(dtype)


def joined(own: Statistics, norms: Sequence[_BatchNorm]) -> Statistics:
    """The statistics of all processes' batches together where the norms are SyncBN, else `own`.

    Mean and variance of each process are exchanged, never sums of squares, which would cancel.

    Raises:
        ValueError: the norms train on a single value per channel.
    """
    norm = norms[0]
    if is_shared(norm):
        own = _joined(own, norm.process_group)
    if norm.training and not own.values > 1:
        raise ValueError('expected more than 1 value per channel when training: BatchNorm has no variance of one')
    return own


def summed(x: Tensor, norm: _BatchNorm) -> Tensor:
    """The sum of all processes' where the norm is SyncBN, else `x`."""
    found: Tensor = _SumOverProcesses.apply(x, norm.process_group) if is_shared(norm) else x
    return found


def is_shared(norm: _BatchNorm) -> TypeGuard[nn.SyncBatchNorm]:
    """Whether the norm takes its statistics from the batches of several processes together."""
    return (
        isinstance(norm, nn.SyncBatchNorm)
        and norm.training
        and distributed.is_initialized()
        and distributed.get_world_size(norm.process_group) > 1
    )


def _joined(own: Statistics, group: distributed.ProcessGroup | None) -> Statistics:
    mine = torch.stack([own.mean, own.var, torch.full_like(own.mean, float(own.values))])
    slots = mine.new_zeros(distributed.get_world_size(group), *mine.shape)
    slots[distributed.get_rank(group)] = mine
    means, variances, counts = _SumOverProcesses.apply(slots, group).unbind(1)
    total = counts[:, 0, 0].sum()
    share = counts / total
    mean = (share * means).sum(0)
    var = (share * (variances + (means - mean).square())).sum(0)
    return Statistics(mean, var, total)


class _SumOverProcesses(torch.autograd.Function):
    """The loss is the sum of all processes' losses, so a gradient is the sum of all processes' gradients."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, group: distributed.ProcessGroup | None) -> Tensor:
        ctx.group = group
        x = x.clone()
        distributed.all_reduce(x, group=group)
        return x

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return _SumOverProcesses.apply(gradient, ctx.group), None


def scale_and_shift(norms: Sequence[_BatchNorm], mean: Tensor, var: Tensor) -> tuple[Tensor, Tensor]:
    """What each norm multiplies by and then adds, (B, O) each, given the statistics it normalises by."""
    scale = torch.stack([each + norm.eps for each, norm in zip(var, norms, strict=True)]).rsqrt()
    shift = -mean * scale
    if norms[0].affine:
        gamma = torch.stack([norm.weight for norm in norms])
        scale, shift = scale * gamma, shift * gamma + torch.stack([norm.bias for norm in norms])
    return scale, shift


def added(rows: Sequence[Tensor]) -> Tensor:
    """The sum of tensors of one shape.

    The sum of their stack would give all of them one and the same memory as gradients: whatever changes gradients in
    place, as clipping, a second backward pass and a scaler do, would change each as often as there are rows.
    """
    return reduce(torch.add, rows)


@torch.no_grad()
def update_running(norms: Sequence[_BatchNorm], batch: Statistics) -> None:
    """Move running statistics as BN does: towards the mean and the unbiased variance, by `momentum` or cumulatively."""
    unbiased = batch.var * (batch.values / (batch.values - 1))
    for norm, mean, var in zip(norms, batch.mean, unbiased, strict=True):
        if not (norm.training and norm.track_running_stats) or norm.running_mean is None:
            continue
        assert norm.running_var is not None
        assert norm.num_batches_tracked is not None
        norm.num_batches_tracked.add_(1)
        momentum = 1 / float(norm.num_batches_tracked) if norm.momentum is None else norm.momentum
        norm.running_mean.lerp_(mean.to(norm.running_mean), momentum)
        norm.running_var.lerp_(var.to(norm.running_var), momentum)
