"""Fusing whole models of every host, against the unfused model on the same input."""

import copy

import pytest
import torch
from mmcv.cnn import ConvModule, DepthwiseSeparableConvModule
from mmengine.registry import MODELS, init_default_scope
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from mobileone_mm.errors import FuseError, ParityError
from mobileone_mm.models.backbones.mobileone import MobileOne
from mobileone_mm.parity import FLOAT64_RELATIVE_LIMIT
from mobileone_mm.reparam import fuse, fuse_checked, is_fused

TINY_ARCH = {
    'num_blocks': [1, 1, 1, 1],
    'width_factor': [0.125, 0.125, 0.0625, 0.0625],
    'num_conv_branches': [2, 1, 1, 2],
    'num_se_blocks': [0, 0, 1, 0],
}
BACKBONE = {'type': 'mobileone_mm.MobileOne', 'arch': TINY_ARCH}
BN = {'type': 'BN', 'eps': 1e-3}


def detector():
    return {
        'type': 'SingleStageDetector',
        'backbone': {**BACKBONE, 'out_indices': (2, 3)},
        'neck': {
            'type': 'SSDNeck',
            'in_channels': (16, 32),
            'out_channels': (16, 32, 16),
            'level_strides': (2,),
            'level_paddings': (1,),
            'l2_norm_scale': None,
            'use_depthwise': True,
            'norm_cfg': BN,
            'act_cfg': {'type': 'ReLU6'},
        },
        'bbox_head': {
            'type': 'mobileone_mm.SSDHead',
            'in_channels': (16, 32, 16),
            'num_classes': 3,
            'use_depthwise': True,
            'norm_cfg': BN,
            'act_cfg': {'type': 'ReLU6'},
            'anchor_generator': {
                'type': 'SSDAnchorGenerator',
                'scale_major': False,
                'strides': [16, 32, 64],
                'ratios': [[2], [2], [2]],
                'min_sizes': [10, 20, 40],
                'max_sizes': [20, 40, 64],
            },
        },
    }


def segmenter():
    return {
        'type': 'EncoderDecoder',
        'backbone': {**BACKBONE, 'output_stride': 16},
        'decode_head': {
            'type': 'ASPPHead',
            'in_channels': 32,
            'in_index': 0,
            'channels': 8,
            'dilations': (1, 2),
            'num_classes': 4,
            'norm_cfg': {'type': 'SyncBN'},
        },
    }


def classifier():
    head = {'type': 'LinearClsHead', 'num_classes': 5, 'in_channels': 32}
    return {'type': 'ImageClassifier', 'backbone': BACKBONE, 'neck': {'type': 'GlobalAveragePooling'}, 'head': head}


def host_model(scope, cfg):
    pytest.importorskip(scope)
    init_default_scope(scope)
    return MODELS.build(cfg)


MODEL_MAKERS = {
    'backbone': lambda: MobileOne(TINY_ARCH, out_indices=(0, 1, 2, 3)),
    'mmdet detector': lambda: host_model('mmdet', detector()),
    'mmseg segmenter with SyncBN': lambda: host_model('mmseg', segmenter()),
    'mmpretrain classifier': lambda: host_model('mmpretrain', classifier()),
    'plain Sequential': lambda: nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(8, eps=1e-3),
        nn.ReLU(),
        nn.Conv2d(8, 8, 3, padding=2, dilation=2, groups=4),
        nn.SyncBatchNorm(8),
    ),
    'mmcv ConvModules': lambda: nn.Sequential(
        ConvModule(3, 8, 3, norm_cfg=BN),
        DepthwiseSeparableConvModule(8, 8, 3, padding=1, norm_cfg={'type': 'SyncBN'}),
        ConvModule(8, 4, 1, norm_cfg=BN, act_cfg=None),
    ),
}


@pytest.fixture(params=MODEL_MAKERS)
def model(request, randomise_batch_norm):
    return randomise_batch_norm(MODEL_MAKERS[request.param]())


def norms(model):
    return [m for m in model.modules() if isinstance(m, _BatchNorm)]


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_fused_equals_trained_and_has_no_norm_left(model, dtype):
    model = model.to(dtype)
    limits = {torch.float64: {'relative_limit': FLOAT64_RELATIVE_LIMIT}, torch.float32: {}}[dtype]
    fused, parity = fuse_checked(model, torch.rand(2, 3, 64, 64, dtype=dtype), **limits)
    assert parity.size > 0
    assert norms(model)
    assert not norms(fused)
    assert is_fused(fused)
    assert not is_fused(model)


def test_fuse_copies_and_leaves_the_model_as_it_was(model):
    model.train()
    before = copy.deepcopy(model.state_dict())
    fused = fuse(model)
    assert not fused.training
    assert all(module.training for module in model.modules())
    assert model.state_dict().keys() == before.keys()
    torch.testing.assert_close(dict(model.state_dict()), dict(before), rtol=0, atol=0)


def test_fuse_in_place_returns_the_model_itself(model):
    assert fuse(model, inplace=True) is model
    assert not norms(model)


def test_fusing_a_fused_model_changes_nothing(model):
    once = fuse(model)
    twice = fuse(once)
    assert once.state_dict().keys() == twice.state_dict().keys()
    torch.testing.assert_close(dict(twice.state_dict()), dict(once.state_dict()), rtol=0, atol=0)


def test_every_other_key_and_buffer_is_carried_over(randomise_batch_norm):
    model = randomise_batch_norm(nn.Sequential(ConvModule(3, 8, 3, norm_cfg=BN), nn.Conv2d(8, 4, 1), nn.PReLU(4)))
    model.register_buffer('priors', torch.randn(3))
    fused = fuse(model).state_dict()
    assert fused.keys() == {'0.conv.weight', '0.conv.bias', '1.weight', '1.bias', '2.weight', 'priors'}
    for name in ('1.weight', '1.bias', '2.weight', 'priors'):
        torch.testing.assert_close(fused[name], model.state_dict()[name], rtol=0, atol=0)


def test_a_shared_convolution_with_two_norms_becomes_two_convolutions(randomise_batch_norm):
    first, second = ConvModule(4, 4, 1, norm_cfg=BN), ConvModule(4, 4, 1, norm_cfg=BN)
    second.conv = first.conv
    model = randomise_batch_norm(nn.Sequential(first, second))
    fused, _ = fuse_checked(model, torch.randn(2, 4, 5, 5))
    assert fused[0].conv is not fused[1].conv


@pytest.mark.parametrize(
    'kept',
    [
        nn.Sequential(nn.Conv2d(3, 4, 1), nn.InstanceNorm2d(4)),
        nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU(), nn.BatchNorm2d(4)),
        nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4, track_running_stats=False)),
        ConvModule(3, 4, 1, norm_cfg={'type': 'BN'}, order=('norm', 'conv', 'act')),
        ConvModule(3, 4, 1, conv_cfg={'type': 'ConvAWS'}, norm_cfg={'type': 'BN'}),
        nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Conv2d(3, 4, 1)), nn.BatchNorm2d(4)),
        nn.Sequential(nn.utils.spectral_norm(nn.Conv2d(3, 4, 1)), nn.BatchNorm2d(4)),
    ],
    ids=[
        'instance norm',
        'norm after ReLU',
        'no running statistics',
        'norm first',
        'standardised weights',
        'weight norm',
        'spectral norm',
    ],
)
def test_what_does_not_fold_stays_as_it_is(kept):
    assert fuse(kept).state_dict().keys() == kept.state_dict().keys()


def test_a_fused_model_refuses_training_and_accepts_eval():
    fused = fuse(MODEL_MAKERS['mmcv ConvModules']())
    assert not fused.train(False).training
    with pytest.raises(FuseError, match='cannot be trained'):
        fused.train()


def test_the_check_notices_a_wrong_fold(monkeypatch, randomise_batch_norm):
    """A fold that forgets the mean, planted, must be reported with its size."""
    from mobileone_mm.models.backbones import fold

    right = fold.fold_norm

    def forgetful(kernel, bias, norm):
        norm = copy.deepcopy(norm)
        norm.running_mean.zero_()
        return right(kernel, bias, norm)

    monkeypatch.setattr(fold, 'fold_norm', forgetful)
    model = randomise_batch_norm(MobileOne(TINY_ARCH))
    with pytest.raises(ParityError, match='fused model against trained model: max abs error'):
        fuse_checked(model, torch.rand(1, 3, 64, 64))


def test_a_model_that_computes_nan_fails_the_check():
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))
    nn.init.constant_(model[0].weight, float('nan'))
    with pytest.raises(ParityError, match='nan'):
        fuse_checked(model, torch.rand(1, 3, 4, 4))
