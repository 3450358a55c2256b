"""Between the fused and the trained form of a backbone's weights: fold a file, expand a fused kernel into branches.

A fused backbone has no BatchNorm, and trained as it is at usual learning rates it diverges. Expansion gives it branches
again without changing what it computes: the fused kernel goes into conv branch 0, whose BN undoes itself, and the other
branches start with gamma 0, so they add nothing and learn through their gammas first (their random kernels differ, so
they do not stay copies of each other). In training mode BN normalises with the batch's statistics, which only the
user's own images can tell; `calibrate` measures them and sets gamma and beta so that both modes compute the fused
function.

A BN that is to change nothing needs gamma = sqrt(var + eps), not sqrt(var): over 43 layers the difference alone moves
an output by 3e-4 of its range.
"""

import copy
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from mobileone_mm.errors import CheckpointError, DataError, FuseError
from mobileone_mm.models.backbones import fold
from mobileone_mm.models.backbones.base import BlockBackbone
from mobileone_mm.models.backbones.block import MobileOneBlock
from mobileone_mm.parity import Parity, compare, worst

FILE_EPS = 1e-5  # BN's eps in every published MobileOne; a file does not say
BATCH_AXES = (0, 2, 3)
KEPT_PARTS = ('se.', 'activation.')  # what follows the sum of a block's branches, the same in both forms


def fold_state(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A trained backbone's state dict (our names) as the fused one of the same function; any k, any branches.

    Raises:
        CheckpointError: a unit lacks entries, or they do not belong together.
    """
    units: dict[str, dict[str, Tensor]] = {}
    for key, value in state.items():
        at = 2 if key.split('.')[1].isdigit() else 1  # 'stage0.rbr_conv...' is the stem, 'stage1.0.rbr_conv...' a unit
        parts = key.split('.')
        units.setdefault('.'.join(parts[:at]), {})['.'.join(parts[at:])] = value
    folded: dict[str, Tensor] = {}
    for unit, entries in units.items():
        try:
            kernel, bias = _fold_unit(entries)
        except KeyError as error:
            raise CheckpointError(f'this trained MobileOne cannot be folded: {unit} lacks {error}') from error
        except (RuntimeError, ValueError) as error:
            raise CheckpointError(
                f'this trained MobileOne cannot be folded: the shapes in {unit} do not belong together ({error})'
            ) from error
        like = entries['rbr_conv.0.conv.weight']
        folded |= {f'{unit}.{key}': value for key, value in entries.items() if key.startswith(KEPT_PARTS)}
        folded |= {f'{unit}.reparam_conv.weight': kernel.to(like), f'{unit}.reparam_conv.bias': bias.to(like)}
    return folded


def _fold_unit(entries: Mapping[str, Tensor]) -> fold.Affine:
    out_channels, per_group, kernel_size, _ = entries['rbr_conv.0.conv.weight'].shape
    branches = []
    for key, kernel in entries.items():
        if key.endswith('.conv.weight'):
            path = key.removesuffix('.conv.weight')
            branches.append(fold.fold_norm(kernel, None, _norm(entries, f'{path}.bn')))
    if 'rbr_skip.weight' in entries:
        norm = _norm(entries, 'rbr_skip')
        identity = fold.identity_kernel(out_channels, out_channels // per_group, norm)
        branches.append(fold.fold_norm(identity, None, norm))
    return fold.add(
        [
            branch
            if branch.kernel.shape[-1] == kernel_size
            else fold.Affine(fold.pad_pointwise(branch.kernel, kernel_size), branch.bias)
            for branch in branches
        ]
    )


def _norm(entries: Mapping[str, Tensor], path: str) -> nn.BatchNorm2d:
    norm = nn.BatchNorm2d(len(entries[f'{path}.weight']), eps=FILE_EPS)
    norm.weight = nn.Parameter(entries[f'{path}.weight'])
    norm.bias = nn.Parameter(entries[f'{path}.bias'])
    norm.running_mean, norm.running_var = entries[f'{path}.running_mean'], entries[f'{path}.running_var']
    return norm


def require_expandable(backbone: BlockBackbone) -> None:
    """Refuse a backbone into which no fused weights can be expanded.

    Raises:
        FuseError: it is fused itself, a branch is no plain convolution, or a norm has no statistics, gamma or beta.
    """
    if backbone.deploy:
        raise FuseError('a fused backbone given (deploy=True), expected the trained form, which has branches')
    for block in _blocks(backbone):
        conv = block.rbr_conv[0].conv
        if type(conv) is not nn.Conv2d:
            raise FuseError(
                f'conv_cfg of the backbone builds {type(conv).__name__}, which does more than convolve; fused weights '
                'can be expanded into Conv2d only: leave conv_cfg out, or load a trained file'
            )
    _require_full_norms(backbone)


def _require_full_norms(backbone: nn.Module) -> None:
    for block in _blocks(backbone):
        for norm in _norms(block):
            if norm.running_mean is None or norm.weight is None:
                raise FuseError(
                    f'norm_cfg of the backbone builds {norm}; fused weights can be expanded only into norms with '
                    'affine=True and track_running_stats=True, which are the defaults: leave both out'
                )


@torch.no_grad()
def expand(backbone: BlockBackbone, fused_state: Mapping[str, Tensor]) -> None:
    """Put a fused state dict (our names, all of it) into a backbone of the trained form, in place.

    Its eval mode then computes the fused function. Its training mode does so after `calibrate`, for which
    `awaits_calibration(backbone)` now asks.

    Raises:
        FuseError: as `require_expandable`.
    """
    require_expandable(backbone)
    for name, block in backbone.named_modules():
        if not isinstance(block, MobileOneBlock):
            continue
        for norm in _norms(block):
            norm.reset_running_stats()
            nn.init.zeros_(norm.weight)
            nn.init.zeros_(norm.bias)
        first: Any = block.rbr_conv[0]
        first.conv.weight.copy_(fused_state[f'{name}.reparam_conv.weight'])
        first.bn.weight.copy_((first.bn.running_var.double() + first.bn.eps).sqrt())
        first.bn.bias.copy_(fused_state[f'{name}.reparam_conv.bias'])
        kept = tuple(f'{name}.{part}' for part in KEPT_PARTS)
        block.load_state_dict(
            {key.removeprefix(f'{name}.'): value for key, value in fused_state.items() if key.startswith(kept)},
            strict=False,
        )
    backbone.awaits_calibration = True


def awaits_calibration(backbone: nn.Module) -> bool:
    """Whether a fused file was expanded into this backbone and `calibrate` has not run since."""
    return isinstance(backbone, BlockBackbone) and backbone.awaits_calibration


@torch.no_grad()
def calibrate(backbone: BlockBackbone, batches: Iterable[Tensor]) -> Parity:
    """Give every branch's BN the statistics of `batches` and keep what the backbone computes in eval mode, in place.

    In training mode it then computes the same on a batch whose statistics are those of `batches`: exactly for one
    batch, and for several within what one batch's statistics differ from all. The stored variance is the biased one,
    which training mode uses, so that both modes agree.

    Args:
        backbone: of the trained form; frozen stages and `norm_eval` are respected as training will.
        batches: image batches (N, C, H, W), normalised as in training, on the backbone's device.

    Returns:
        Training mode after calibration against the fused function, on the first batch; the feature map that differs
        most. With one batch this is rounding. With several, the largest error says little, since single channels of
        a small batch stray far from the mean of all: read `psnr_db`.

    Raises:
        FuseError: the backbone is fused, or a norm has no statistics, gamma or beta.
        DataError: there is no batch, or the images give statistics that are not finite; the backbone is as it was.
    """
    _require_full_norms(backbone)
    was_training = backbone.training
    moments: dict[_BatchNorm, _Moments] = {}
    norms = [norm for block in _blocks(backbone) for norm in _norms(block)]
    hooks = [norm.register_forward_pre_hook(_recorder(moments)) for norm in norms]
    first: Tensor | None = None
    reference: tuple[Tensor, ...] = ()
    try:
        backbone.eval()
        for batch in batches:
            outputs = backbone(batch)
            if first is None:
                first, reference = batch, outputs
    finally:
        for hook in hooks:
            hook.remove()
    if first is None:
        raise DataError('nothing to calibrate on: the training data gave no batch')
    _require_finite(backbone, moments)
    for norm in norms:
        _recentre(norm, moments[norm])
    backbone.awaits_calibration = False
    trained = copy.deepcopy(backbone).train()(first)  # a copy: this pass must not move the running statistics
    backbone.train(was_training)
    pairs = zip(reference, trained, strict=True)
    return worst([compare(fused.cpu().numpy(), output.cpu().numpy()) for fused, output in pairs])


@dataclass
class _Moments:
    """Running count, mean and sum of squared deviations by channel, float64 (Chan's update)."""

    count: int
    mean: Tensor
    squares: Tensor

    def add(self, other: '_Moments') -> None:
        count = self.count + other.count
        delta = other.mean - self.mean
        self.mean = self.mean + delta * (other.count / count)
        self.squares = self.squares + other.squares + delta.square() * (self.count * other.count / count)
        self.count = count


def _recorder(moments: dict[_BatchNorm, _Moments]) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
    def record(norm: nn.Module, args: tuple[Tensor, ...]) -> None:
        assert isinstance(norm, _BatchNorm)
        x = args[0].double()
        count = x.numel() // x.shape[1]
        variance, mean = torch.var_mean(x, BATCH_AXES, correction=0)
        seen = _Moments(count, mean, variance * count)
        if norm in moments:
            moments[norm].add(seen)
        else:
            moments[norm] = seen

    return record


def _require_finite(backbone: nn.Module, moments: Mapping[_BatchNorm, _Moments]) -> None:
    for name, module in backbone.named_modules():
        if isinstance(module, _BatchNorm):
            seen = moments[module]
            if not (seen.mean.isfinite().all() and seen.squares.isfinite().all()):
                raise DataError(
                    f'the training images give NaN or infinity in {name} of the backbone; expected finite statistics: '
                    "look at the images, and at mean and std of the config's data_preprocessor"
                )


def _recentre(norm: _BatchNorm, moments: _Moments) -> None:
    """Give `norm` other statistics and the gamma and beta with which it computes what it did in eval mode."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    variance = moments.squares / moments.count
    scale = norm.weight.double() / (norm.running_var.double() + norm.eps).sqrt()
    shift = norm.bias.double() - norm.running_mean.double() * scale
    norm.weight.copy_(scale * (variance + norm.eps).sqrt())
    norm.bias.copy_(shift + scale * moments.mean)
    norm.running_mean.copy_(moments.mean)
    norm.running_var.copy_(variance)


def _blocks(backbone: nn.Module) -> list[MobileOneBlock]:
    return [module for module in backbone.modules() if isinstance(module, MobileOneBlock)]


def _norms(block: MobileOneBlock) -> list[_BatchNorm]:
    return [module for module in block.modules() if isinstance(module, _BatchNorm)]
