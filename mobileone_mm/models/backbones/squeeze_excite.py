"""Squeeze-and-excitation as the released MobileOne has it, and which of mmpretrain's options come to the same.

Source: apple/ml-mobileone `mobileone.py`; the options are those of mmpretrain's `SELayer`.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from mobileone_mm.errors import ConfigError


def _divides(divisor: Any, width: int) -> bool:
    """Whether rounding `width` to multiples of `divisor` leaves it as it is."""
    return type(divisor) is int and divisor > 0 and width % divisor == 0


def _are_layers(cfgs: Any, *names: str) -> bool:
    """Whether a list of mm configs builds torch's layers of these names, without options that change them."""
    if not isinstance(cfgs, list | tuple) or not all(isinstance(cfg, Mapping) for cfg in cfgs):
        return False
    built = [getattr(cfg.get('type'), '__name__', cfg.get('type')) for cfg in cfgs]
    return built == [*names] and not any(set(cfg) - {'type', 'inplace'} for cfg in cfgs)


# Options of mmpretrain's SELayer beside `ratio`: whether a value, given C // ratio, builds what SqueezeExcite is; and
# the words for what that is.
SAME: dict[str, tuple[Callable[[Any, int], bool], str]] = {
    'squeeze_channels': (
        lambda value, width: value in (None, width),
        'C channels are squeezed to C // ratio; set ratio instead',
    ),
    'divisor': (_divides, 'C channels are squeezed to C // ratio, without rounding; leave divisor out'),
    'bias': (lambda value, _: value in ('auto', True), 'both convolutions have a bias'),
    'conv_cfg': (
        lambda value, _: value is None or _are_layers([value], 'Conv2d') or _are_layers([value], 'Conv'),
        'both convolutions are Conv2d',
    ),
    'act_cfg': (lambda value, _: _are_layers(value, 'ReLU', 'Sigmoid'), 'the activations are ReLU and Sigmoid'),
    'return_weight': (lambda value, _: value is False, 'the output is the input times the gate'),
    'init_cfg': (lambda value, _: value is None, 'the weights are initialised by init_cfg of the backbone'),
}


class SqueezeExcite(nn.Module):
    """Scales each channel by a gate computed from the channels' means over H and W.

    Args:
        channels: C.
        ratio: the gate squeezes C to C // ratio channels (16 in the paper; apple/ml-mobileone does not round to 8).
        options: other options of mmpretrain's SELayer, as far as they build this very module.

    Raises:
        ConfigError: an option that builds another one; the message names it.
    """

    def __init__(self, channels: int, /, ratio: float = 16, **options: Any) -> None:
        super().__init__()
        if type(ratio) not in (int, float) or not 0 < ratio < math.inf:
            raise ConfigError(f'se_cfg: ratio={ratio!r} given, expected a number above 0')
        squeezed = max(1, int(channels // ratio))
        for name, value in options.items():
            if name not in SAME:
                raise ConfigError(f'se_cfg: {name}={value!r} given, expected only ratio, {", ".join(SAME)}')
            is_same, rule = SAME[name]
            if not is_same(value, squeezed):
                raise ConfigError(
                    f'se_cfg: {name}={value!r} given, which builds another block than the released MobileOne has: '
                    f'there {rule} (here C = {channels}, C // ratio = {squeezed})'
                )
        self.reduce = nn.Conv2d(channels, squeezed, 1)
        self.expand = nn.Conv2d(squeezed, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        gate = x.mean((2, 3), keepdim=True)
        gate = self.expand(torch.relu(self.reduce(gate)))
        return x * torch.sigmoid(gate)
