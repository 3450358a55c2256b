"""Argument by argument against mmpretrain's MobileOne; the differences are those that docs/backbone.md lists."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch
from mmpretrain.models.backbones import MobileOne as Theirs
from torch import Tensor, nn

from mobileone_mm.errors import ConfigError, FuseError
from mobileone_mm.models.backbones.mobileone import MobileOne
from mobileone_mm.parity import FLOAT64_RELATIVE_LIMIT, compare, require
from mobileone_mm.weights import names
from mobileone_mm.weights.layouts import LAYOUTS

# 16, 32, 64 and 128 channels. Squeezed by 4, all of the squeeze-excite blocks have a width that is a multiple of 8, to
# which mmpretrain rounds.
ARCH = {
    'num_blocks': [1, 2, 2, 1],
    'width_factor': [0.25, 0.25, 0.25, 0.25],
    'num_conv_branches': [2, 1, 3, 2],
    'num_se_blocks': [0, 0, 1, 1],
}
UNSQUEEZED = {**ARCH, 'num_se_blocks': [0, 0, 0, 0]}
BASIC: dict[str, Any] = {'arch': ARCH, 'se_cfg': {'ratio': 4}}
RELU, SIGMOID = {'type': 'ReLU'}, {'type': 'Sigmoid'}

TAKEN: dict[str, dict[str, Any]] = {
    'nothing else': {},
    'another arch': {'arch': UNSQUEEZED},
    'in_channels': {'in_channels': 1},
    'out_indices, a number': {'out_indices': 2},
    'out_indices, all': {'out_indices': (0, 1, 2, 3)},
    'out_indices, in any order and twice': {'out_indices': [3, 1, 1]},
    'out_indices, from the end': {'out_indices': (-1, -3)},
    'frozen stem': {'frozen_stages': 0},
    'frozen stages': {'frozen_stages': 2, 'out_indices': (1, 3)},
    'all frozen': {'frozen_stages': 4},
    'conv_cfg': {'conv_cfg': {'type': 'Conv2d'}},
    'conv_cfg with an option': {'conv_cfg': {'type': 'Conv2d', 'padding_mode': 'reflect'}},
    'conv_cfg of another kind': {'conv_cfg': {'type': 'Conv2dAdaptivePadding'}},
    'norm_cfg with options': {'norm_cfg': {'type': 'BN', 'eps': 1e-2, 'momentum': 0.3}},
    'norm_cfg without training': {'norm_cfg': {'type': 'BN', 'requires_grad': False}},
    'norm_cfg without affine': {'norm_cfg': {'type': 'BN', 'affine': False}},
    'norm_cfg without statistics': {'norm_cfg': {'type': 'BN', 'track_running_stats': False}},
    'SyncBN': {'norm_cfg': {'type': 'SyncBN'}},
    'act_cfg': {'act_cfg': {'type': 'HSwish'}},
    'act_cfg with options': {'act_cfg': {'type': 'LeakyReLU', 'negative_slope': 0.2, 'inplace': True}},
    'act_cfg with weights': {'act_cfg': {'type': 'PReLU'}},
    'se_cfg, another ratio': {'se_cfg': {'ratio': 8}},
    'se_cfg with all its options': {
        'se_cfg': {
            'ratio': 4,
            'divisor': 8,
            'squeeze_channels': None,
            'bias': 'auto',
            'conv_cfg': None,
            'act_cfg': (RELU, SIGMOID),
            'return_weight': False,
            'init_cfg': None,
        }
    },
    'no se_cfg': {'se_cfg': None},
    'an se_cfg of which nothing is built': {'arch': UNSQUEEZED, 'se_cfg': {'bias': False}},
    'norm_eval': {'norm_eval': True},
    'norm_eval and frozen stages': {'norm_eval': True, 'frozen_stages': 1},
}
FUSED_BY_OURS_ALONE = {'SyncBN', 'norm_cfg without affine'}
NOT_FUSED = {'conv_cfg of another kind': 'cannot be fused', 'norm_cfg without statistics': 'cannot be folded'}

# What mmpretrain builds and we refuse: docs/backbone.md says why.
REFUSED: list[tuple[dict[str, Any], str]] = [
    ({'arch': {**ARCH, 'depth': [1, 1, 1, 1]}}, r"unknown keys \['depth'\]"),
    ({'arch': {**ARCH, 'num_blocks': [0, 1, 2, 1]}}, 'num_blocks=0.*at least one block'),
    ({'arch': {**ARCH, 'num_conv_branches': [0, 1, 1, 1]}}, 'num_conv_branches=0.*one branch'),
    ({'arch': {**ARCH, 'num_se_blocks': [0, 0, -1, 1]}}, 'num_se_blocks=-1'),
    ({'arch': {**ARCH, 'num_se_blocks': [0, 0, 1.0, 1]}}, r"arch\['num_se_blocks'\]=.*expected a list of four \(int\)"),
    ({'out_indices': (3, 4)}, r'out_indices=\(3, 4\) given'),
    ({'out_indices': ()}, r'out_indices=\(\) given'),
    ({'frozen_stages': -2}, 'frozen_stages=-2 given'),
    ({'frozen_stages': 5}, 'frozen_stages=5 given'),
    ({'norm_cfg': {'type': 'GN', 'num_groups': 2}}, 'norm_cfg=.*GN.* given'),
    ({'norm_cfg': {'type': 'IN'}}, 'norm_cfg=.*IN.* given'),
    ({'se_cfg': {'ratio': 4, 'divisor': 32}}, 'se_cfg: divisor=32 given'),
    ({'se_cfg': {'squeeze_channels': 16}}, 'se_cfg: squeeze_channels=16 given'),
    ({'se_cfg': {'ratio': 4, 'bias': False}}, 'se_cfg: bias=False given'),
    ({'se_cfg': {'ratio': 4, 'conv_cfg': {'type': 'ConvWS'}}}, 'se_cfg: conv_cfg=.*ConvWS.* given'),
    ({'se_cfg': {'ratio': 4, 'act_cfg': RELU}}, 'se_cfg: act_cfg=.* given'),
    ({'se_cfg': {'ratio': 4, 'return_weight': True}}, 'se_cfg: return_weight=True given'),
    ({'se_cfg': {'ratio': 4, 'init_cfg': {'type': 'Xavier', 'layer': 'Conv2d'}}}, 'se_cfg: init_cfg=.* given'),
]

Randomise = Callable[..., nn.Module]


def renamed(ours: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors by our names, by those of mmpretrain's backbone."""
    prefix = LAYOUTS['mmpretrain'].prefix
    return {key.removeprefix(prefix): value for key, value in names.convert(ours, 'mmpretrain').items()}


def pair(arguments: Mapping[str, Any], randomise: Randomise) -> tuple[MobileOne, nn.Module]:
    """Both projects' backbones of these arguments with the same random weights, float64."""
    ours = randomise(MobileOne(**{**BASIC, **arguments})).double()
    with torch.no_grad():
        for name, parameter in ours.named_parameters():
            if '.activation.' in name:  # all PReLU are born equal
                parameter.uniform_(0.1, 0.9)
    theirs = Theirs(**{**BASIC, **arguments}).double()
    theirs.load_state_dict(renamed(ours.state_dict()), strict=True)
    assert isinstance(ours, MobileOne)
    return ours, theirs


def batch(arguments: Mapping[str, Any]) -> Tensor:
    return torch.rand(2, arguments.get('in_channels', 3), 65, 96, dtype=torch.float64)


def require_same(theirs: Any, ours: Any, what: str) -> None:
    assert len(theirs) == len(ours)
    for reference, candidate in zip(theirs, ours, strict=True):
        require(compare(reference.detach(), candidate.detach()), FLOAT64_RELATIVE_LIMIT, what)


def flat(gradients: Mapping[str, Tensor]) -> Tensor:
    """One vector in the order of the names: single gradients may be zero but for rounding (the BN behind undoes it)."""
    return torch.cat([gradients[key].flatten() for key in sorted(gradients)])


@pytest.mark.parametrize('arguments', TAKEN.values(), ids=TAKEN.keys())
def test_evaluation_computes_the_same(arguments: dict[str, Any], randomise_batch_norm: Randomise) -> None:
    ours, theirs = pair(arguments, randomise_batch_norm)
    ours.eval(), theirs.eval()
    images = batch(arguments)
    require_same(theirs(images), ours(images), 'feature maps')


@pytest.mark.parametrize('arguments', TAKEN.values(), ids=TAKEN.keys())
def test_training_computes_the_same_and_moves_the_same(
    arguments: dict[str, Any], randomise_batch_norm: Randomise
) -> None:
    ours, theirs = pair(arguments, randomise_batch_norm)
    images = batch(arguments)
    outputs, gradients = [], []
    for model in (theirs, ours):
        model.train()
        maps = model(images.requires_grad_())
        sum(feature_map.square().mean() for feature_map in maps).backward()
        outputs.append(maps)
        gradients.append({name: p.grad for name, p in model.named_parameters() if p.grad is not None})
    require_same(*outputs, 'feature maps')  # type: ignore[misc]

    trained = {name: torch.tensor(float(p.requires_grad)) for name, p in ours.named_parameters()}
    assert renamed(trained) == {name: torch.tensor(float(p.requires_grad)) for name, p in theirs.named_parameters()}
    expected, actual = gradients[0], renamed(gradients[1]) if gradients[1] else {}
    assert expected.keys() == actual.keys()
    if expected:
        require_same([flat(expected)], [flat(actual)], 'gradients')
    expected, actual = dict(theirs.state_dict()), renamed(ours.state_dict())
    require_same([expected[key] for key in expected], [actual[key] for key in expected], 'running statistics')


@pytest.mark.parametrize('name', [name for name in TAKEN if name not in FUSED_BY_OURS_ALONE | NOT_FUSED.keys()])
def test_fusing_gives_the_same_weights(name: str, randomise_batch_norm: Randomise) -> None:
    ours, theirs = pair(TAKEN[name], randomise_batch_norm)
    ours.eval(), theirs.eval()
    ours.switch_to_deploy(), theirs.switch_to_deploy()
    expected, actual = dict(theirs.state_dict()), renamed(ours.state_dict())
    assert expected.keys() == actual.keys()
    require_same([expected[key] for key in expected], [actual[key] for key in expected], 'fused weights')
    images = batch(TAKEN[name])
    require_same(theirs(images), ours(images), 'feature maps')


@pytest.mark.parametrize('name', sorted(FUSED_BY_OURS_ALONE))
def test_ours_fuses_what_theirs_cannot(name: str, randomise_batch_norm: Randomise) -> None:
    ours, theirs = pair(TAKEN[name], randomise_batch_norm)
    ours.eval(), theirs.eval()
    ours.switch_to_deploy()
    with pytest.raises((AssertionError, TypeError)):
        theirs.switch_to_deploy()
    images = batch(TAKEN[name])
    require_same(theirs(images), ours(images), 'feature maps')


@pytest.mark.parametrize('name', NOT_FUSED)
def test_what_cannot_be_fused_rightly_is_refused(name: str) -> None:
    with pytest.raises(FuseError, match=NOT_FUSED[name]):
        MobileOne(**{**BASIC, **TAKEN[name]}).switch_to_deploy()


@pytest.mark.parametrize(
    'arguments',
    [
        {},
        {'norm_cfg': None},
        {'act_cfg': {'type': 'PReLU'}},
        {'conv_cfg': {'type': 'Conv2d', 'padding_mode': 'reflect'}},
    ],
    ids=str,
)
def test_the_fused_form_computes_the_same(arguments: dict[str, Any], randomise_batch_norm: Randomise) -> None:
    ours, theirs = pair({**arguments, 'deploy': True}, randomise_batch_norm)
    ours.eval(), theirs.eval()
    images = batch(arguments)
    require_same(theirs(images), ours(images), 'feature maps')


@pytest.mark.parametrize(('arguments', 'message'), REFUSED, ids=[message for _, message in REFUSED])
def test_what_mmpretrain_takes_and_ours_does_not_is_named(arguments: dict[str, Any], message: str) -> None:
    Theirs(**{**BASIC, **arguments})
    with pytest.raises(ConfigError, match=message):
        MobileOne(**{**BASIC, **arguments})


def test_arguments_have_the_same_places_and_defaults() -> None:
    theirs = inspect.signature(Theirs).parameters
    ours = inspect.signature(MobileOne).parameters
    assert [*ours][: len(theirs)] == [*theirs]
    assert all(ours[name].kind is inspect.Parameter.KEYWORD_ONLY for name in [*ours][len(theirs) :])
    other = {name for name in theirs if ours[name].default != theirs[name].default}
    assert other == {'arch', 'init_cfg'}  # 's0', which they have no default for; None, which stands for their rules
    assert MobileOne('s0').init_cfg == Theirs('s0').init_cfg


@pytest.mark.parametrize(
    'rules',
    [
        {'type': 'Constant', 'layer': ['Conv2d', '_BatchNorm'], 'val': 0.25, 'bias': 0.5},
        [{'type': 'Constant', 'layer': 'Conv2d', 'val': 2}, {'type': 'Constant', 'layer': 'BatchNorm2d', 'val': 3}],
    ],
)
def test_init_cfg_fills_the_same_weights(rules: Any) -> None:
    ours, theirs = MobileOne(UNSQUEEZED, init_cfg=rules), Theirs(UNSQUEEZED, init_cfg=rules)
    ours.init_weights(), theirs.init_weights()
    torch.testing.assert_close(renamed(ours.state_dict()), dict(theirs.state_dict()), rtol=0, atol=0)


def test_squeezed_widths_are_not_rounded_to_eight() -> None:
    """mmpretrain rounds without being asked to, so no message tells of this difference. S4 has nothing to round."""
    ours, theirs = MobileOne(ARCH, se_cfg={'ratio': 16}), Theirs(ARCH, se_cfg={'ratio': 16})
    widths = {'stage3.3': (64, 4, 8), 'stage4.1': (128, 8, 8)}  # channels, ours, theirs
    for name, (channels, width, rounded) in widths.items():
        assert ours.get_submodule(f'{name}.se.reduce').weight.shape == (width, channels, 1, 1)
        assert theirs.get_submodule(f'{name}.se.conv1.conv').weight.shape == (rounded, channels, 1, 1)
