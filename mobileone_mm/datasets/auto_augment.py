"""AutoAugment of a strength that a training can raise as it goes on."""

from typing import Any

from mmcv.transforms import RandomChoice
from mmengine.registry import TRANSFORMS as ROOT_TRANSFORMS

from mobileone_mm.errors import ConfigError
from mobileone_mm.registry import TRANSFORMS

HOST = 'mmpretrain'
# What leaves a picture as it is, by the argument of mmpretrain's operations. Those that are all or nothing (Equalize,
# AutoContrast, Invert) have none of these.
UNCHANGED = {'angle': 0.0, 'bits': 8, 'magnitude': 0.0, 'thr': 256}


@TRANSFORMS.register_module()
class AutoAugment(RandomChoice):  # type: ignore[misc]  # mmcv is untyped
    """mmpretrain's AutoAugment for ImageNet, each operation's amount scaled between no change and the policy's.

    Probabilities stay, and so do the operations that have no amount.

    Args:
        strength: 0 (no amount) to 1 (the policy as published).
        pad_val: (blue, green, red), 0..255, of what a shear or a turn leaves empty. mmpretrain 1.2's own class takes it
            in `hparams`, passes over it, and fills a turn with its one default number, which OpenCV takes for blue.

    Raises:
        ConfigError: the strength is not between 0 and 1.
    """

    def __init__(self, strength: float = 1.0, pad_val: tuple[int, int, int] = (128, 128, 128)) -> None:
        if not 0 <= strength <= 1:
            raise ConfigError(f'AutoAugment: strength={strength!r} given, expected 0 (none) to 1 (all)')
        self.strength = strength
        hparams = {'pad_val': pad_val}
        full = ROOT_TRANSFORMS.build({'type': f'{HOST}.AutoAugment', 'policies': 'imagenet', 'hparams': hparams})
        super().__init__([[_scaled(step, strength) for step in steps] for steps in full.policies])


def _scaled(step: dict[str, Any], strength: float) -> dict[str, Any]:
    amounts = {key: UNCHANGED[key] + strength * (step[key] - UNCHANGED[key]) for key in step.keys() & UNCHANGED}
    if 'bits' in amounts:  # whole ones: mmpretrain rounds them up, and 7.1 would leave all 8
        amounts['bits'] = round(amounts['bits'])
    return {**step, **amounts, 'type': f'{HOST}.{step["type"]}'}
