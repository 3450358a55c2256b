"""Class weights that a training would fail at, known before the first step: from a model, or from its config."""

import copy
from collections.abc import Iterator
from typing import Any

from mmengine.config import Config
from mmengine.registry import MODELS
from torch import nn

from mobileone_mm.errors import ConfigError
from mobileone_mm.openmmlab.configs import enter_scope, quiet

HEADS = ('decode_head', 'auxiliary_head')
IGNORED = 255  # where a head does not say


def require_usable_class_weights(model: nn.Module) -> None:
    """Refuse as many class weights as there are no classes, and mmseg's own loss with them.

    mmseg 1.2.2 looks up the weight of every pixel's label, and so of 255, which padding alone brings into nearly every
    batch: `IndexError: index 255 is out of bounds`, minutes into a training.

    Raises:
        ConfigError: with the part of the model, and the loss to write instead.
    """
    for name, head in model.named_modules():
        for loss in _losses(head):
            _require(name, loss, head.ignore_index, getattr(head, 'out_channels', None))


def require_usable_class_weights_in(config: Config) -> None:
    """The same for a config whose model is not built: of it, only losses with class weights are.

    Raises:
        ConfigError: as above, or the weights are no numbers from 0.
    """
    enter_scope(config)
    for name, head in _heads(config):
        losses = head.get('loss_decode') or []
        for given in losses if isinstance(losses, list | tuple) else [losses]:
            if given.get('class_weight') is None:
                continue
            try:
                with quiet():
                    loss = MODELS.build(copy.deepcopy(given))
            except ConfigError as error:
                raise ConfigError(f'model.{name}: {error}') from error
            count = head.get('out_channels') or head.get('num_classes')
            _require(f'model.{name}', loss, head.get('ignore_index', IGNORED), count)


def _heads(config: Config) -> Iterator[tuple[str, Any]]:
    for name in HEADS:
        heads = config.model.get(name) or []
        for head in heads if isinstance(heads, list | tuple) else [heads]:
            yield name, head


def _require(name: str, loss: nn.Module, ignored: int, count: int | None) -> None:
    weights = getattr(loss, 'class_weight', None)
    if weights is None or not (_is_ours(loss) or _is_mmsegs_softmax(loss)):
        return
    if _is_mmsegs_softmax(loss) and not 0 <= ignored < len(weights):
        raise ConfigError(
            f"{name}: mmseg's CrossEntropyLoss with class_weight given, which looks up the weight of label "
            f'{ignored} too, the ignored one, and fails at the first such pixel; write '
            "type='mobileone_mm.CrossEntropyLoss' in loss_decode and leave its other arguments as they are"
        )
    if count is not None and len(weights) != count:
        raise ConfigError(
            f'{name}: class_weight with {len(weights)} entries given, expected {count}, one for each class of the head'
        )


def _losses(head: nn.Module) -> list[nn.Module]:
    """Those of an mmseg head, which hands its `ignore_index` to them."""
    losses = getattr(head, 'loss_decode', None)
    if not isinstance(getattr(head, 'ignore_index', None), int) or not isinstance(losses, nn.Module):
        return []
    return list(losses) if isinstance(losses, nn.ModuleList) else [losses]


# By name: who does not segment has no mmseg to import them from.
def _is_ours(loss: nn.Module) -> bool:
    return type(loss).__module__.startswith('mobileone_mm.') and type(loss).__name__ == 'CrossEntropyLoss'


def _is_mmsegs_softmax(loss: nn.Module) -> bool:
    kind = type(loss)
    mmsegs = kind.__module__.startswith('mmseg.') and kind.__name__ == 'CrossEntropyLoss'
    return mmsegs and not (getattr(loss, 'use_sigmoid', False) or getattr(loss, 'use_mask', False))
