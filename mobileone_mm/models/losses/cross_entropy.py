"""mmseg's softmax cross-entropy, with class weights that work where labels are ignored."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.fileio import load
from torch import Tensor, nn
from torch.nn import functional

from mobileone_mm.errors import ConfigError
from mobileone_mm.registry import MODELS

REDUCTIONS = ('none', 'mean', 'sum')


@MODELS.register_module()
class CrossEntropyLoss(nn.Module):
    """Softmax cross-entropy of (N, C, ...) scores, a drop-in for mmseg's `CrossEntropyLoss`.

    mmseg 1.2.2 looks up the class weight of every label, that of ignored ones too: with `class_weight` and a pixel of
    label 255 it ends in an IndexError. Here ignored pixels have no loss, whatever the weights.

    What `reduction='mean'` divides the sum of all pixels' losses by:

    - avg_non_ignore=True: the sum of the class weights of the pixels that are not ignored; without class weights, their
      number. This is `torch.nn.functional.cross_entropy`, but 0 and not NaN where every pixel is ignored.
    - avg_non_ignore=False, mmseg's default: the same and 1 for each ignored pixel. So without class weights it is the
      number of all pixels, and a crop that is half padding pulls half as hard.

    Args:
        use_sigmoid: False; mmseg's own loss has the sigmoid form.
        use_mask: False, likewise.
        reduction: 'none', 'mean' or 'sum'.
        class_weight: a weight from 0 for each class, or a .npy, .json or .yaml file with them
            (`mobileone_mm.datasets.class_weights` makes them from pixel counts).
        loss_weight: the factor of this loss among others.
        loss_name: in the log; only a name that begins with `loss_` is trained on.
        avg_non_ignore: see above.

    Raises:
        ConfigError: an argument that does not fit, by name.
    """

    class_weight: Tensor | None

    def __init__(
        self,
        use_sigmoid: bool = False,
        use_mask: bool = False,
        reduction: str = 'mean',
        class_weight: Sequence[float] | str | None = None,
        loss_weight: float = 1.0,
        loss_name: str = 'loss_ce',
        avg_non_ignore: bool = False,
    ) -> None:
        super().__init__()
        if use_sigmoid or use_mask:
            raise ConfigError(
                f'mobileone_mm.CrossEntropyLoss: use_sigmoid={use_sigmoid}, use_mask={use_mask} given, expected False: '
                "it is the softmax form; for these write type='CrossEntropyLoss', mmseg's own"
            )
        if reduction not in REDUCTIONS:
            raise ConfigError(
                f'mobileone_mm.CrossEntropyLoss: reduction={reduction!r} given, expected one of {", ".join(REDUCTIONS)}'
            )
        self.reduction = reduction
        self.loss_weight = loss_weight
        self.loss_name = loss_name
        self.avg_non_ignore = avg_non_ignore
        weights = None if class_weight is None else torch.tensor(_checked(class_weight))
        self.register_buffer('class_weight', weights, persistent=False)  # of the config, not of a checkpoint

    def extra_repr(self) -> str:
        return f'class_weight={self.class_weight}, avg_non_ignore={self.avg_non_ignore}'

    def forward(
        self,
        cls_score: Tensor,
        label: Tensor,
        weight: Tensor | None = None,
        avg_factor: float | None = None,
        reduction_override: str | None = None,
        ignore_index: int = -100,
    ) -> Tensor:
        """The loss: a scalar, or (N, ...) for the reduction 'none'.

        Args:
            cls_score: (N, C, ...) scores before softmax.
            label: (N, ...) whole numbers below C, or `ignore_index`.
            weight: (N, ...) a factor for each pixel, or None; it does not change what a mean divides by, as in mmseg.
            avg_factor: what a mean divides by instead.
            reduction_override: instead of `reduction`.
            ignore_index: the label without loss.

        Raises:
            ConfigError: there is not one class weight for each class.
        """
        reduction = reduction_override or self.reduction
        class_weight = self._class_weight_for(cls_score)
        losses = functional.cross_entropy(
            cls_score, label, weight=class_weight, reduction='none', ignore_index=ignore_index
        )
        if weight is not None:
            losses = losses * weight.float()
        if reduction == 'none':
            return self.loss_weight * losses
        if reduction == 'sum':
            if avg_factor is not None:
                raise ValueError('avg_factor can not be used with reduction="sum"')  # mmseg's words
            return self.loss_weight * losses.sum()
        given = None if avg_factor is None else torch.as_tensor(avg_factor).to(losses)
        divisor = self._divisor(label, losses, ignore_index) if given is None else given
        return self.loss_weight * losses.sum() / divisor.clamp(min=torch.finfo(torch.float32).eps)

    def _class_weight_for(self, cls_score: Tensor) -> Tensor | None:
        if self.class_weight is None:
            return None
        if len(self.class_weight) != cls_score.shape[1]:
            raise ConfigError(
                f'mobileone_mm.CrossEntropyLoss: class_weight with {len(self.class_weight)} entries given, expected '
                f'{cls_score.shape[1]}, one for each class of the head'
            )
        return self.class_weight.to(cls_score)

    def _divisor(self, label: Tensor, losses: Tensor, ignore_index: int) -> Tensor:
        ignored = label == ignore_index
        counts = torch.ones_like(losses, dtype=torch.promote_types(losses.dtype, torch.float32))  # half ends at 65504
        if self.class_weight is not None:
            counts = self.class_weight.to(counts)[label.masked_fill(ignored, 0)]
        return counts.masked_fill(ignored, 0.0 if self.avg_non_ignore else 1.0).sum()


def _checked(class_weight: Sequence[float] | str) -> Any:
    """The weights, float32, from a list or a file."""
    values: Any = class_weight
    if isinstance(class_weight, str):
        ending = Path(class_weight).suffix
        if ending not in ('.npy', '.json', '.yaml', '.yml'):
            raise ConfigError(
                f'mobileone_mm.CrossEntropyLoss: class_weight={class_weight!r} given, expected a list of numbers, or a '
                '.npy, .json or .yaml file with one'
            )
        try:
            values = np.load(class_weight) if ending == '.npy' else load(class_weight)
        except (OSError, ValueError) as error:
            raise ConfigError(
                f'mobileone_mm.CrossEntropyLoss: class_weight={class_weight!r} cannot be read: {error}'
            ) from error
    try:
        weights = np.asarray(values, dtype=np.float32)
    except (TypeError, ValueError):
        weights = np.full(1, np.nan)
    if (
        weights.ndim != 1
        or not len(weights)
        or not np.isfinite(weights).all()
        or weights.min() < 0
        or not weights.any()
    ):
        raise ConfigError(
            f'mobileone_mm.CrossEntropyLoss: class_weight={class_weight!r} given, expected a list of numbers from 0, '
            'one for each class, not all of them 0'
        )
    return weights
