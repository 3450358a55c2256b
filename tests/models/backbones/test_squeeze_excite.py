"""Squeeze-and-excitation: its formula, and mmpretrain's SELayer as the judge of which options change nothing."""

from typing import Any

import pytest
import torch
from mmpretrain.models.utils import SELayer
from torch import nn
from torch.nn import functional

from mobileone_mm.errors import ConfigError
from mobileone_mm.models.backbones.squeeze_excite import SqueezeExcite

CHANNELS, RATIO, SQUEEZED = 64, 4, 16
EXACT = {'rtol': 1e-12, 'atol': 1e-12}  # float64 rounding of sums over 64 channels
RELU, SIGMOID = {'type': 'ReLU'}, {'type': 'Sigmoid'}
THEIR_NAMES = {
    'reduce.weight': 'conv1.conv.weight',
    'reduce.bias': 'conv1.conv.bias',
    'expand.weight': 'conv2.conv.weight',
    'expand.bias': 'conv2.conv.bias',
}


def test_it_gates_by_the_channel_means() -> None:
    gate = SqueezeExcite(8, ratio=4).double()
    assert gate.reduce.weight.shape == (2, 8, 1, 1)
    x = torch.randn(2, 8, 5, 4, dtype=torch.float64)
    mean = functional.adaptive_avg_pool2d(x, 1)
    expected = x * torch.sigmoid(gate.expand(torch.relu(gate.reduce(mean))))
    torch.testing.assert_close(gate(x), expected, **EXACT)


@pytest.mark.parametrize(
    ('channels', 'ratio', 'squeezed'), [(896, 16, 56), (2048, 16, 128), (72, 16, 4), (9, 16, 1), (9, 2.5, 3)]
)
def test_channels_are_divided_by_the_ratio_without_rounding(channels: int, ratio: float, squeezed: int) -> None:
    assert SqueezeExcite(channels, ratio).reduce.out_channels == squeezed


@pytest.mark.parametrize(
    'options',
    [
        {},
        {'ratio': 4.0},
        {'divisor': 8},
        {'divisor': 1},
        {'squeeze_channels': SQUEEZED},
        {'squeeze_channels': None},
        {'bias': 'auto'},
        {'bias': True},
        {'conv_cfg': None},
        {'conv_cfg': {'type': 'Conv2d'}},
        {'conv_cfg': {'type': 'Conv'}},
        {'act_cfg': (RELU, SIGMOID)},
        {'act_cfg': ({'type': nn.ReLU, 'inplace': False}, SIGMOID)},
        {'return_weight': False},
        {'init_cfg': None},
    ],
    ids=str,
)
def test_options_that_change_nothing_are_taken(options: dict[str, Any]) -> None:
    arguments = {'ratio': RATIO, **options}
    ours, theirs = SqueezeExcite(CHANNELS, **arguments).double(), SELayer(CHANNELS, **arguments).double()
    theirs.load_state_dict({THEIR_NAMES[key]: value for key, value in ours.state_dict().items()}, strict=True)
    x = torch.randn(2, CHANNELS, 5, 4, dtype=torch.float64)
    torch.testing.assert_close(ours(x), theirs(x), **EXACT)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'divisor': 32}, r'divisor=32 given.*without rounding; leave divisor out \(here C = 64, C // ratio = 16\)'),
        ({'squeeze_channels': 8}, 'squeeze_channels=8 given.*set ratio instead'),
        ({'bias': False}, 'bias=False given.*both convolutions have a bias'),
        ({'conv_cfg': {'type': 'Conv2dAdaptivePadding'}}, 'conv_cfg=.* given.*both convolutions are Conv2d'),
        ({'act_cfg': RELU}, 'act_cfg=.* given.*the activations are ReLU and Sigmoid'),
        ({'act_cfg': (RELU, {'type': 'Tanh'})}, 'act_cfg=.*Tanh.* given'),
        ({'act_cfg': ({'type': 'LeakyReLU', 'negative_slope': 0.1}, SIGMOID)}, 'act_cfg=.*LeakyReLU.* given'),
        ({'return_weight': True}, 'return_weight=True given.*the output is the input times the gate'),
        ({'init_cfg': {'type': 'Xavier', 'layer': 'Conv2d'}}, 'init_cfg=.* given.*init_cfg of the backbone'),
    ],
)
def test_options_that_build_another_block_are_refused(options: dict[str, Any], message: str) -> None:
    SELayer(CHANNELS, ratio=RATIO, **options)  # mmpretrain builds it
    with pytest.raises(ConfigError, match=f'^se_cfg: {message}'):
        SqueezeExcite(CHANNELS, ratio=RATIO, **options)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'ratio': 0}, 'ratio=0 given, expected a number above 0'),
        ({'ratio': True}, 'ratio=True given'),
        ({'ratio': '16'}, "ratio='16' given"),
        ({'ratio': float('nan')}, 'ratio=nan given'),
        ({'divisor': 0}, 'divisor=0 given'),
        ({'act_cfg': 3}, 'act_cfg=3 given'),
        ({'type': 'SELayer'}, "type='SELayer' given, expected only ratio, squeeze_channels, divisor, bias, conv_cfg"),
        ({'channels': 8}, 'channels=8 given, expected only ratio'),
    ],
)
def test_options_that_nobody_has_are_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=f'^se_cfg: {message}'):
        SqueezeExcite(CHANNELS, **options)


@pytest.mark.parametrize('channels', [7, 16, 40, 63, 64, 100, 896])
@pytest.mark.parametrize('ratio', [4, 16])
@pytest.mark.parametrize('divisor', [1, 2, 3, 7, 8])
def test_a_divisor_is_taken_exactly_where_mmpretrain_builds_the_same_width(
    channels: int, ratio: int, divisor: int
) -> None:
    theirs = SELayer(channels, ratio=ratio, divisor=divisor).conv1.conv.out_channels
    if theirs == SqueezeExcite(channels, ratio).reduce.out_channels:
        assert SqueezeExcite(channels, ratio, divisor=divisor).reduce.out_channels == theirs
    else:
        with pytest.raises(ConfigError, match=f'divisor={divisor} given'):
            SqueezeExcite(channels, ratio, divisor=divisor)
