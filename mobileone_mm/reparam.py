"""Fuse whole models: MobileOne blocks and the conv-BN pairs of necks and heads, with the equality checked.

Works on a backbone, a detector, a segmenter, a classifier or a plain `nn.Sequential`. Fused are blocks of
`mobileone_mm`, mmcv `ConvModule`s (so depthwise-separable ones too) in the order conv, norm, act, and a convolution
followed by a norm in an `nn.Sequential`. BatchNorm and SyncBN both fold. Every other module, key and buffer stays.
"""

import copy
import itertools
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

import torch
from mmcv.cnn import ConvModule
from mmcv.cnn.bricks import wrappers
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from mobileone_mm.errors import FuseError
from mobileone_mm.models.backbones import fold
from mobileone_mm.models.backbones.block import MobileOneBlock
from mobileone_mm.models.backbones.mobileone import MobileOne
from mobileone_mm.parity import FLOAT32_RELATIVE_LIMIT, Parity, compare, require, worst

ModelT = TypeVar('ModelT', bound=nn.Module)

# Subclasses may compute with something else than their weight (weight standardisation, deformation): exact types only.
PLAIN_CONVS = (nn.Conv2d, wrappers.Conv2d)


class FoldedNorm(nn.Identity):
    """Stands where a norm was that is now part of the convolution before it; refuses training."""

    def train(self, mode: bool = True) -> 'FoldedNorm':
        """Set the training flag.

        Raises:
            FuseError: `mode` is True.
        """
        if mode:
            raise FuseError(
                'a fused model has no BatchNorm left and cannot be trained: train the model it was fused from and fuse '
                'again afterwards'
            )
        return super().train(mode)


def fuse(model: ModelT, inplace: bool = False) -> ModelT:
    """The fused form of `model` in eval mode: a copy, unless `inplace`; fusing a fused model changes nothing.

    Raises:
        FuseError: a MobileOne branch that is no plain convolution with BN or SyncBN.
    """
    fused = model if inplace else copy.deepcopy(model)
    fused.eval()
    _fuse_below(fused)
    return fused


def is_fused(model: nn.Module) -> bool:
    """Whether nothing is left in `model` that `fuse` would change, and something was fused."""
    modules = list(model.modules())
    blocks = [module for module in modules if isinstance(module, MobileOneBlock)]
    pairs = [module for module in modules if _pairs(module)]
    folded = any(isinstance(module, FoldedNorm) for module in modules) or bool(blocks)
    return folded and not pairs and all(block.is_fused for block in blocks)


def fuse_checked(
    model: ModelT, inputs: Tensor, relative_limit: float = FLOAT32_RELATIVE_LIMIT
) -> tuple[ModelT, Parity]:
    """Fuse a copy of `model` and compare it with the model on `inputs`.

    Args:
        model: any model `fuse` takes; its training flags are left as they are.
        inputs: one batch for `model(inputs)`, normalised as the model expects, in its dtype and on its device.
        relative_limit: largest allowed error as a fraction of the reference's range.

    Returns:
        The fused copy in eval mode, and the parity of the output tensor that differs most.

    Raises:
        FuseError: the model cannot be fused.
        ParityError: an output differs by more than the limit, or is NaN.
    """
    fused, parity = fuse_compared(model, inputs)
    return fused, require(parity, relative_limit, 'fused model against trained model')


def fuse_compared(model: ModelT, inputs: Tensor) -> tuple[ModelT, Parity]:
    """`fuse_checked`, but any parity will do."""
    trained = copy.deepcopy(model).eval()
    reference = _outputs(trained, inputs)
    fused = fuse(trained, inplace=True)
    return fused, _worst(reference, _outputs(fused, inputs))


def own_rounding(model: nn.Module, inputs: Tensor) -> Parity:
    """How far a model in eval mode is from itself with another last digit of its inputs and of all its numbers."""
    generator = torch.Generator().manual_seed(0)

    def nudged(tensor: Tensor) -> Tensor:
        if not tensor.is_floating_point():
            return tensor
        signs = torch.randint(0, 2, tensor.shape, generator=generator) * 2 - 1
        return tensor * (1 + torch.finfo(tensor.dtype).eps * signs.to(tensor))

    other = copy.deepcopy(model)
    for tensor in (*other.parameters(), *other.buffers()):
        tensor.data = nudged(tensor.data)
    return _worst(_outputs(model, inputs), _outputs(other, nudged(inputs)))


def _outputs(model: nn.Module, inputs: Tensor) -> list[Tensor]:
    with torch.no_grad():
        return list(_tensors(model(inputs)))


def _worst(reference: Sequence[Tensor], candidate: Sequence[Tensor]) -> Parity:
    return worst([compare(a.cpu().numpy(), b.cpu().numpy()) for a, b in zip(reference, candidate, strict=True)])


def _tensors(outputs: Any) -> Iterator[Tensor]:
    """The tensors in nested tuples, lists and dicts, in order."""
    if isinstance(outputs, Tensor):
        yield outputs
    elif isinstance(outputs, dict):
        for value in outputs.values():
            yield from _tensors(value)
    elif isinstance(outputs, tuple | list):
        for value in outputs:
            yield from _tensors(value)


def _fuse_below(module: nn.Module) -> None:
    if isinstance(module, MobileOneBlock):
        module.switch_to_deploy()
        return
    for owner, conv_name, norm_name in _pairs(module):
        conv, norm = getattr(owner, conv_name), getattr(owner, norm_name)
        setattr(owner, conv_name, _folded(conv, norm))
        setattr(owner, norm_name, FoldedNorm().eval())
    for child in module.children():
        _fuse_below(child)
    if isinstance(module, MobileOne):
        module.switch_to_deploy()


def _pairs(module: nn.Module) -> list[tuple[nn.Module, str, str]]:
    """(owner, name of the convolution, name of the norm) of every pair that `module` itself holds."""
    if isinstance(module, ConvModule):
        names = [('conv', module.norm_name)] if module.with_norm and module.order[:2] == ('conv', 'norm') else []
    elif isinstance(module, nn.Sequential) and type(module).forward is nn.Sequential.forward:
        names = list(itertools.pairwise(module._modules))
    else:
        return []
    return [(module, *pair) for pair in names if _foldable(getattr(module, pair[0]), getattr(module, pair[1]))]


def _foldable(conv: nn.Module | None, norm: nn.Module | None) -> bool:
    return (
        isinstance(conv, nn.Conv2d)
        and type(conv) in PLAIN_CONVS
        # A parametrisation or a hook (spectral norm) that computes the weight anew each time would undo the fold.
        and 'weight' in conv._parameters
        and not conv._forward_pre_hooks
        and isinstance(norm, _BatchNorm)
        and norm.running_mean is not None
    )


@torch.no_grad()
def _folded(conv: nn.Conv2d, norm: _BatchNorm) -> nn.Conv2d:
    kernel, bias = fold.fold_norm(conv.weight, conv.bias, norm)
    # A new module: some heads share one convolution between levels that each have their own norm.
    fused = copy.deepcopy(conv)
    fused.weight = nn.Parameter(kernel.to(conv.weight), requires_grad=conv.weight.requires_grad)
    fused.bias = nn.Parameter(bias.to(conv.weight), requires_grad=conv.weight.requires_grad)
    return fused
