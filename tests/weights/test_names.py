"""Layouts of weight files: recognised, converted and restored; mmpretrain's own models are the independent judge."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from mobileone_mm.errors import CheckpointError
from mobileone_mm.models.backbones.mobileone import MobileOne
from mobileone_mm.models.backbones.variants import ARCHITECTURES
from mobileone_mm.weights import names
from mobileone_mm.weights.layouts import LAYOUTS

CLASSES = 7
SMALL = {
    'num_blocks': [1, 1, 2, 1],
    'width_factor': [0.25, 0.25, 0.25, 0.25],
    'num_conv_branches': [2, 2, 2, 2],
    'num_se_blocks': [0, 0, 1, 1],
}

# What each project's own model calls its parts, written by hand.
COLUMNS = {'apple': 0, 'mmpretrain': 1, 'timm': 2, 'corenet': 3}
TABLE = [
    ('stage0', 'backbone.stage0', 'stem', 'conv_1'),
    ('stage3.10', 'backbone.stage3.10', 'stages.2.10', 'layer_4.10'),
]
TIMM_FEATURES_TABLE = ['stem', 'stages_2.10']  # features_only=True: other units with the same parts, no classifier
PARTS = [
    ('rbr_conv.0.conv', 'branch_conv_list.0.conv', 'conv_kxk.0.conv', 'rbr_conv.0.block.conv'),
    ('rbr_conv.3.bn', 'branch_conv_list.3.norm', 'conv_kxk.3.bn', 'rbr_conv.3.block.norm'),
    ('rbr_scale.conv', 'branch_scale.conv', 'conv_scale.conv', 'rbr_scale.block.conv'),
    ('rbr_scale.bn', 'branch_scale.norm', 'conv_scale.bn', 'rbr_scale.block.norm'),
    ('rbr_skip', 'branch_norm', 'identity', 'rbr_skip'),
    ('se.reduce', 'se.conv1.conv', 'attn.fc1', 'se.se_layer.fc1.block.conv'),
    ('se.expand', 'se.conv2.conv', 'attn.fc2', 'se.se_layer.fc2.block.conv'),
    ('activation', 'act', 'act', 'activation'),
]
FUSED = ('reparam_conv', 'branch_reparam', 'reparam_conv', 'reparam_conv')
CLASSIFIER = ('linear', 'head.fc', 'head.fc', 'classifier.classifier_fc')
WITH_CLASSIFIER = [name for name, layout in LAYOUTS.items() if layout.classifier]


def whole(arch: str | dict[str, list[float]], deploy: bool = False, classifier: bool = True) -> dict[str, Tensor]:
    """The names and shapes of a state dict as Apple publishes it; tensors without storage, since names are all here."""
    with torch.device('meta'):
        state = dict(MobileOne(arch, deploy=deploy).state_dict())
        linear = nn.Linear(8, CLASSES).state_dict()
    return state | {f'linear.{key}': value for key, value in linear.items()} if classifier else state


@pytest.mark.parametrize(
    ('layout', 'classifier'), [*((name, True) for name in WITH_CLASSIFIER), *((name, False) for name in LAYOUTS)]
)
@pytest.mark.parametrize('deploy', [False, True], ids=['trained', 'fused'])
@pytest.mark.parametrize('arch', [*ARCHITECTURES])
def test_there_and_back_is_the_identity(arch: str, deploy: bool, classifier: bool, layout: str) -> None:
    state = whole(arch, deploy, classifier)
    there = names.convert(state, layout)
    assert len(there) == len(state)
    assert layout == 'apple' or not set(there) & set(state)
    back = names.convert(there, 'apple')
    assert list(back) == list(state)
    assert all(back[key] is state[key] for key in state)  # names change, tensors are not even copied


@pytest.mark.parametrize('layout', COLUMNS)
def test_names_are_those_of_the_published_models(layout: str) -> None:
    column = COLUMNS[layout]
    rows = [(unit, part) for unit in TABLE for part in PARTS]
    trained = {f'{unit[0]}.{part[0]}.weight': torch.zeros(1) for unit, part in rows}
    trained |= {'linear.weight': torch.zeros(CLASSES, 1), 'linear.bias': torch.zeros(CLASSES)}
    expected = [f'{unit[column]}.{part[column]}.weight' for unit, part in rows]
    classifier = [f'{CLASSIFIER[column]}.weight', f'{CLASSIFIER[column]}.bias']
    assert list(names.convert(trained, layout)) == expected + classifier
    fused = {f'{unit[0]}.{FUSED[0]}.bias': torch.zeros(1) for unit in TABLE}
    expected = [f'{unit[column]}.{FUSED[column]}.bias' for unit in TABLE]
    assert list(names.convert(fused, layout)) == expected


def test_names_are_those_of_timms_features_only_models() -> None:
    given = {f'{unit[0]}.{part[0]}.weight': torch.zeros(1) for unit in TABLE for part in PARTS}
    expected = [f'{unit}.{part[COLUMNS["timm"]]}.weight' for unit in TIMM_FEATURES_TABLE for part in PARTS]
    assert list(names.convert(given, 'timm_features')) == expected
    given = {f'{unit[0]}.{FUSED[0]}.bias': torch.zeros(1) for unit in TABLE}
    assert list(names.convert(given, 'timm_features')) == [f'{u}.reparam_conv.bias' for u in TIMM_FEATURES_TABLE]


def test_a_layout_without_classifier_refuses_one() -> None:
    with pytest.raises(
        CheckpointError,
        match=r'2 keys \(linear.*\) have no place in the timm features_only layout; only a backbone can be converted',
    ):
        names.convert(whole('s0'), 'timm_features')


@pytest.mark.parametrize('deploy', [False, True], ids=['trained', 'fused'])
@pytest.mark.parametrize('arch', ['s0', 's1', 's4'])
def test_mmpretrain_loads_what_is_converted_and_computes_the_same(
    arch: str, deploy: bool, randomise_batch_norm: Callable[..., nn.Module]
) -> None:
    from mmpretrain.models import ImageClassifier

    ours = randomise_batch_norm(MobileOne(arch, deploy=deploy)).double().eval()
    images = torch.randn(2, 3, 64, 64, dtype=torch.float64)
    with torch.no_grad():
        (features,) = ours(images)
    linear = nn.Linear(features.shape[1], CLASSES).double()
    state = {**ours.state_dict(), **{f'linear.{key}': value for key, value in linear.state_dict().items()}}
    converted = names.convert(state, 'mmpretrain')

    theirs = ImageClassifier(
        backbone={'type': 'mmpretrain.MobileOne', 'arch': arch, 'deploy': deploy},
        neck={'type': 'mmpretrain.GlobalAveragePooling'},
        head={'type': 'mmpretrain.LinearClsHead', 'num_classes': CLASSES, 'in_channels': features.shape[1]},
    ).double()
    shapes = {key: value.shape for key, value in theirs.state_dict().items()}
    assert {key: value.shape for key, value in converted.items()} == shapes
    theirs.load_state_dict(converted, strict=True)
    theirs.eval()
    with torch.no_grad():
        expected = theirs(images, mode='tensor')
        actual = linear(features.mean((2, 3)))
    torch.testing.assert_close(actual, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ('state', 'expected'),
    [
        (whole('s0'), 'a trained S0 with a 7-class classifier (Apple keys)'),
        (whole('s0', deploy=True), 'a fused S0 with a 7-class classifier (Apple keys)'),
        (whole('s2', classifier=False), 'a trained S2 without a classifier (Apple keys)'),
        (names.convert(whole('s4'), 'timm'), 'a trained S4 with a 7-class classifier (timm keys)'),
        (
            names.convert(whole('s3', True), 'mmpretrain'),
            'a fused S3 with a 7-class classifier (mmpretrain keys)',
        ),
        (
            names.convert(whole('s0', classifier=False), 'timm_features'),
            'a trained S0 without a classifier (timm features_only keys)',
        ),
        (
            # what timm's features_only models of out_indices=(1, 2, 3) hold
            {
                key: value
                for key, value in names.convert(whole('s1', True, False), 'timm_features').items()
                if not key.startswith('stages_3.')
            },
            'a fused MobileOne cut after stage 3 without a classifier (timm features_only keys)',
        ),
        (names.convert(whole('s0', True), 'corenet'), 'a fused S0 with a 7-class classifier (CoreNet keys)'),
        (whole({**ARCHITECTURES['s1'], 'num_conv_branches': [4] * 4}), 'a trained S1 with k=4 with a 7-class'),
        (whole(SMALL), 'a trained MobileOne of custom widths with k=2 with a 7-class classifier'),
        # S4's widths without its squeeze-excite blocks is no S4
        (whole({**ARCHITECTURES['s4'], 'num_se_blocks': [0] * 4}), 'a trained MobileOne of custom widths'),
        (
            {f'backbone.{key}': value for key, value in whole('s1', classifier=False).items()}
            | {'neck.a.weight': torch.zeros(1), 'bbox_head.b.weight': torch.zeros(1)},
            'a trained S1 inside a larger model (bbox_head, neck) (Apple keys)',
        ),
        (whole({**ARCHITECTURES['s0'], 'use_scale': False}), 'a trained S0 without scale branches with a 7-class'),
        (
            whole({**ARCHITECTURES['s0'], 'use_scale': False, 'use_skip': False}),
            'a trained S0 without scale and skip branches with',
        ),
        (whole('s1', classifier=False) | {'foo': torch.zeros(1)}, 'a trained S1 beside 1 key (foo) of no known place'),
        ({'layer1.0.conv1.weight': torch.zeros(1)}, 'no MobileOne: 1 key (layer1.0.conv1.weight)'),
        ({}, 'no MobileOne: no keys'),
    ],
)
def test_says_what_a_file_looks_like(state: dict[str, Tensor], expected: str) -> None:
    assert names.describe(state).startswith(expected)


def test_a_classifier_around_our_backbone_is_read_and_written_as_apples() -> None:
    state = whole('s1')
    hosted = {
        f'head.fc.{key.partition(".")[2]}' if key.startswith('linear') else f'backbone.{key}': value
        for key, value in state.items()
    }
    assert names.parse(hosted).num_classes == CLASSES
    assert list(names.convert(hosted, 'apple')) == list(state)


@pytest.mark.parametrize(
    ('extra', 'message'),
    [
        ({'neck.conv.weight': torch.zeros(1)}, r'1 key \(neck.conv.weight\) have no place in the timm layout'),
        ({'stage1.0.rbr_conv.0.conv.bias': torch.zeros(1)}, None),  # a bias is a leaf the layouts know
        ({'stage1.0.other.weight': torch.zeros(1)}, r'1 key \(stage1.0.other.weight\) have no place'),
        ({'stage1.0.reparam_conv.weight': torch.zeros(1)}, 'some blocks of this file are fused and some are not'),
    ],
)
def test_leftovers_are_listed(extra: dict[str, Tensor], message: str | None) -> None:
    state = whole('s1') | extra
    if message is None:
        assert len(names.convert(state, 'timm')) == len(state)
    else:
        with pytest.raises(CheckpointError, match=message):
            names.convert(state, 'timm')


ONE = {'stage0.reparam_conv.bias': torch.zeros(1)}


@pytest.mark.parametrize(
    'contents',
    [
        ONE,
        {'state_dict': ONE, 'meta': {'epoch': 3}},
        {'state_dict': ONE, 'ema_state_dict': {'module.other': torch.zeros(1), 'steps': torch.tensor(3)}},
        {'ema_state_dict': {f'module.{key}': value for key, value in ONE.items()} | {'steps': torch.tensor(3)}},
        {'state_dict': {f'module.{key}': value for key, value in ONE.items()}},
        {'model': ONE},
    ],
)
def test_wrappers_are_taken_off(contents: dict[str, object]) -> None:
    assert names.unwrap(contents) == ONE


@pytest.mark.parametrize(
    ('contents', 'message'),
    [
        ([1, 2], 'holds a list; expected a state dict'),
        ({}, 'holds no keys; expected a state dict'),
        ({1: torch.zeros(1)}, r'holds 1 key \(1\); expected a state dict'),
        ({'a': 1, 'b': 'x'}, r'holds 2 keys \(a, b\); expected a state dict'),
        ({'state_dict': {'a': torch.zeros(1), 'b': None}}, r'holds 2 keys \(a, b\)'),
    ],
)
def test_what_is_no_state_dict_is_refused(contents: object, message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        names.unwrap(contents)


def test_official_urls_are_apples() -> None:
    base = 'https://docs-assets.developer.apple.com/ml-research/datasets/mobileone/'
    assert names.OFFICIAL_URLS['s0', 'fused'] == f'{base}mobileone_s0.pth.tar'
    assert names.OFFICIAL_URLS['s4', 'trained'] == f'{base}mobileone_s4_unfused.pth.tar'
    assert len(names.OFFICIAL_URLS) == 10
