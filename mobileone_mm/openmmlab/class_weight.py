"""A trap of mmseg's that is known before the first step."""

from torch import nn

from mobileone_mm.errors import ConfigError


def require_usable_class_weights(model: nn.Module) -> None:
    """Refuse mmseg's own cross-entropy with class weights where the ignored label has no weight.

    mmseg 1.2.2 looks up the weight of every pixel's label, and so of 255, which padding alone brings into nearly every
    batch: `IndexError: index 255 is out of bounds`, minutes into a training.

    Raises:
        ConfigError: with the part of the model, and the loss to write instead.
    """
    for name, head in model.named_modules():
        for loss in _losses(head):
            weights = getattr(loss, 'class_weight', None)
            if not _is_mmsegs_softmax(loss) or weights is None or 0 <= head.ignore_index < len(weights):
                continue
            raise ConfigError(
                f"{name}: mmseg's CrossEntropyLoss with class_weight given, which looks up the weight of label "
                f'{head.ignore_index} too, the ignored one, and fails at the first such pixel; write '
                "type='mobileone_mm.CrossEntropyLoss' in loss_decode and leave its other arguments as they are"
            )


def _losses(head: nn.Module) -> list[nn.Module]:
    """Those of an mmseg head, which hands its `ignore_index` to them."""
    losses = getattr(head, 'loss_decode', None)
    if not isinstance(getattr(head, 'ignore_index', None), int) or not isinstance(losses, nn.Module):
        return []
    return list(losses) if isinstance(losses, nn.ModuleList) else [losses]


def _is_mmsegs_softmax(loss: nn.Module) -> bool:
    kind = type(loss)  # by name: who does not segment has no mmseg to import it from
    mmsegs = kind.__module__.startswith('mmseg.') and kind.__name__ == 'CrossEntropyLoss'
    return mmsegs and not (getattr(loss, 'use_sigmoid', False) or getattr(loss, 'use_mask', False))
