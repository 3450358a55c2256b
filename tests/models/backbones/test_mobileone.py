"""The whole backbone: the released code's numbers, the switches, and training."""

import pytest
import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.flop_counter import FlopCounterMode

from mobileone_mm.errors import ConfigError, FuseError
from mobileone_mm.models.backbones.block import MobileOneBlock
from mobileone_mm.models.backbones.mobileone import MobileOne
from mobileone_mm.models.backbones.squeeze_excite import SqueezeExcite
from mobileone_mm.models.backbones.variants import ARCHITECTURES
from mobileone_mm.parity import FLOAT32_RELATIVE_LIMIT, FLOAT64_RELATIVE_LIMIT, compare, require
from mobileone_mm.weights.checkpoint import save_checkpoint

CLASSES = 1000
# apple/ml-mobileone with its 1000-class linear: parameters trained, parameters fused; MACs (M) of the paper's table 9
PUBLISHED = {
    's0': (5_293_272, 2_078_504, 275),
    's1': (4_825_192, 4_764_840, 825),
    's2': (7_884_648, 7_808_168, 1299),
    's3': (10_170_600, 10_078_312, 1896),
    's4': (14_951_248, 14_838_352, 2978),
}
MAC_TOLERANCE = 1e-3  # relative
GRADIENT_RELATIVE_LIMIT = 1e-4  # float32 sums over 2048 pixels in another order
CHANNELS = {
    's0': (48, 128, 256, 1024),
    's1': (96, 192, 512, 1280),
    's2': (96, 256, 640, 2048),
    's3': (128, 320, 768, 2048),
    's4': (192, 448, 896, 2048),
}
TINY = {
    'num_blocks': [1, 2, 2, 1],
    'width_factor': [0.125, 0.125, 0.0625, 0.0625],
    'num_conv_branches': [2, 1, 3, 1],
    'num_se_blocks': [0, 0, 0, 0],
}


def parameters(backbone):
    linear = (backbone.stage4[-1].out_channels + 1) * CLASSES
    return sum(parameter.numel() for parameter in backbone.parameters()) + linear


@pytest.mark.parametrize('arch', PUBLISHED)
def test_parameters_and_macs_are_the_published_ones(arch):
    trained, fused, macs = PUBLISHED[arch]
    with torch.device('meta'):
        assert parameters(MobileOne(arch)) == trained
        deployed = MobileOne(arch, deploy=True).eval()
        assert parameters(deployed) == fused
        with FlopCounterMode(display=False) as counter:
            deployed(torch.empty(1, 3, 224, 224))
    measured = counter.get_total_flops() / 2 + deployed.stage4[-1].out_channels * CLASSES
    assert measured / 1e6 == pytest.approx(macs, rel=MAC_TOLERANCE)


@pytest.mark.parametrize('arch', CHANNELS)
def test_feature_maps_have_the_published_shapes(arch):
    with torch.device('meta'):
        maps = MobileOne(arch, out_indices=(0, 1, 2, 3), deploy=True).eval()(torch.empty(2, 3, 224, 224))
    expected = [(2, c, 56 >> i, 56 >> i) for i, c in enumerate(CHANNELS[arch])]
    assert [tuple(feature_map.shape) for feature_map in maps] == expected


def test_the_stem_is_one_dense_block_of_at_most_64_channels_with_k_1():
    for arch, width in {'s0': 48, 's1': 64, 's4': 64}.items():
        with torch.device('meta'):
            stem = MobileOne(arch).stage0
        assert (stem.out_channels, stem.groups, len(stem.rbr_conv), stem.rbr_skip) == (width, 1, 1, None)


def test_s4_squeezes_in_the_last_five_blocks_of_stage_3_and_in_stage_4():
    with torch.device('meta'):
        model = MobileOne('s4')
    gates = {name: m for name, m in model.named_modules() if isinstance(m, SqueezeExcite)}
    assert sorted(gates) == sorted([*(f'stage3.{i}.se' for i in range(10, 20)), 'stage4.0.se', 'stage4.1.se'])
    assert [gates[name].reduce.out_channels for name in ('stage3.10.se', 'stage4.1.se')] == [56, 128]


def test_apple_names_its_parameters_like_this():
    with torch.device('meta'):
        keys = MobileOne('s4').state_dict().keys()
    for key in (
        'stage0.rbr_conv.0.conv.weight',
        'stage0.rbr_scale.bn.running_mean',
        'stage3.10.se.reduce.weight',
        'stage3.10.rbr_skip.num_batches_tracked',
        'stage3.11.rbr_conv.0.conv.weight',
    ):
        assert key in keys
    assert len(keys) == 608  # 610 with the classifier's two


@pytest.mark.parametrize(
    ('indices', 'strides'), [(3, [32]), ((1, 3), [8, 32]), ((-1,), [32]), ((0, 1, 2, 3), [4, 8, 16, 32])]
)
def test_out_indices_choose_stages(indices, strides):
    maps = MobileOne(TINY, out_indices=indices).eval()(torch.randn(1, 3, 64, 96))
    assert [(64 // m.shape[2], 96 // m.shape[3]) for m in maps] == [(s, s) for s in strides]


@pytest.mark.parametrize('output_stride', [8, 16])
@pytest.mark.parametrize('deploy', [False, True])
def test_dilation_keeps_what_stride_32_computes(randomise_batch_norm, output_stride, deploy):
    """The a trous law: at the pixels that both have, dilated and strided network agree, borders included."""
    strided = randomise_batch_norm(MobileOne(TINY).double()).eval()
    dilated = MobileOne(TINY, output_stride=output_stride).double().eval()
    dilated.load_state_dict(strided.state_dict())
    if deploy:
        dilated.switch_to_deploy()
    x = torch.randn(1, 3, 97, 70, dtype=torch.float64)
    step = 32 // output_stride
    fine = dilated(x)[0]
    assert fine.shape[2:] == (-(-97 // output_stride), -(-70 // output_stride))
    require(compare(strided(x)[0].detach(), fine[..., ::step, ::step].detach()), FLOAT64_RELATIVE_LIMIT, 'dilated')


@pytest.mark.parametrize('arch', ARCHITECTURES)
@pytest.mark.parametrize(
    ('dtype', 'limit'), [(torch.float64, FLOAT64_RELATIVE_LIMIT), (torch.float32, FLOAT32_RELATIVE_LIMIT)]
)
def test_fused_equals_trained(randomise_batch_norm, arch, dtype, limit):
    model = randomise_batch_norm(MobileOne(arch, out_indices=(0, 1, 2, 3)).to(dtype)).eval()
    x = torch.rand(1, 3, 65, 64, dtype=dtype)
    with torch.no_grad():
        expected = model(x)
        model.switch_to_deploy()
        for reference, candidate in zip(expected, model(x), strict=True):
            require(compare(reference, candidate), limit, arch)


@pytest.mark.parametrize('arch', ARCHITECTURES)
def test_a_training_step_in_channels_last(arch):
    """Image batches made from HWC arrays are channels_last without anybody asking for it."""
    model = MobileOne(arch).train().to(memory_format=torch.channels_last)
    x = torch.rand(2, 3, 64, 64).to(memory_format=torch.channels_last)
    model(x)[0].square().mean().backward()
    gradients = [parameter.grad for parameter in model.parameters()]
    assert all(gradient is not None and gradient.isfinite().all() for gradient in gradients)


def test_the_stem_has_the_same_gradients_in_channels_last():
    stem = MobileOne('s1').stage0.train()
    x, weights = torch.rand(2, 3, 64, 64), torch.randn(2, 64, 32, 32)
    gradients = []
    for memory_format in (torch.contiguous_format, torch.channels_last):
        stem.zero_grad()
        (stem.to(memory_format=memory_format)(x.to(memory_format=memory_format)) * weights).sum().backward()
        gradients.append(stem.rbr_scale.conv.weight.grad.clone())
    require(compare(*gradients), GRADIENT_RELATIVE_LIMIT, 'gradient of the scale branch')


@pytest.mark.parametrize('frozen_stages', [-1, 0, 2, 4])
def test_frozen_stages_hold_weights_and_every_branch_statistic(frozen_stages):
    model = MobileOne(TINY, frozen_stages=frozen_stages).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    out = model(torch.randn(2, 3, 64, 64))[0]
    if frozen_stages < 4:
        out.sum().backward()
    frozen = tuple(f'stage{i}.' for i in range(frozen_stages + 1))
    for name, parameter in model.named_parameters():
        assert parameter.requires_grad is not name.startswith(frozen or ('none',))
    moved = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    statistics = {name for name in before if 'running' in name or 'tracked' in name}
    assert moved == {name for name in statistics if not name.startswith(frozen or ('none',))}


def test_norm_eval_holds_statistics_and_trains_weights():
    model = MobileOne(TINY, norm_eval=True).train()
    assert model.training
    assert not any(m.training for m in model.modules() if isinstance(m, _BatchNorm))
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_with_cp_gives_the_same_gradients_and_statistics():
    plain = MobileOne(TINY).double().train()
    recomputed = MobileOne(TINY, with_cp=True).double().train()
    recomputed.load_state_dict(plain.state_dict())
    x = torch.randn(2, 3, 64, 64, dtype=torch.float64)
    for model in (plain, recomputed):
        model(x.clone().requires_grad_())[0].square().sum().backward()
    torch.testing.assert_close(
        [p.grad for p in recomputed.parameters()], [p.grad for p in plain.parameters()], rtol=1e-9, atol=1e-9
    )
    torch.testing.assert_close(dict(recomputed.state_dict()), dict(plain.state_dict()), rtol=1e-12, atol=1e-12)


def test_sync_bn_is_built_and_fused(randomise_batch_norm):
    model = randomise_batch_norm(MobileOne(TINY, norm_cfg={'type': 'SyncBN'})).eval()
    norms = [m for m in model.modules() if isinstance(m, _BatchNorm)]
    assert norms
    assert all(isinstance(norm, nn.SyncBatchNorm) for norm in norms)
    x = torch.rand(1, 3, 64, 64)
    expected = model(x)[0].detach()
    model.switch_to_deploy()
    require(compare(expected, model(x)[0].detach()), FLOAT32_RELATIVE_LIMIT, 'SyncBN')


@pytest.mark.parametrize('kind', ['BN2d', nn.BatchNorm2d, nn.SyncBatchNorm])
def test_other_names_of_the_norms_are_built(kind):
    model = MobileOne(TINY, norm_cfg={'type': kind})
    assert any(isinstance(module, _BatchNorm) for module in model.modules())
    model.switch_to_deploy()


def test_the_fused_form_needs_no_norm():
    assert not any(isinstance(module, _BatchNorm) for module in MobileOne(TINY, norm_cfg=None, deploy=True).modules())


def test_ablation_switches_leave_branches_out():
    bare = MobileOne({**TINY, 'num_conv_branches': [1, 2, 3, 4], 'use_scale': False, 'use_skip': False})
    blocks = [m for m in bare.modules() if isinstance(m, MobileOneBlock)]
    assert all(block.rbr_scale is None and block.rbr_skip is None for block in blocks)
    assert [len(getattr(bare, f'stage{i}')[0].rbr_conv) for i in (1, 2, 3, 4)] == [1, 2, 3, 4]
    squeezed = MobileOne({**TINY, 'num_se_blocks': [0, 1, 0, 0]}, se_cfg={'ratio': 2})
    assert [type(block.se) for block in squeezed.stage2] == [nn.Identity, nn.Identity, SqueezeExcite, SqueezeExcite]


def test_a_fused_backbone_refuses_to_train_wherever_it_sits():
    for model in (MobileOne(TINY, deploy=True), MobileOne(TINY)):
        model.switch_to_deploy()
        assert not model.train(False).training
        with pytest.raises(FuseError, match='cannot be trained'):
            nn.Sequential(model).train()


@pytest.mark.parametrize('listed', [False, True])
@pytest.mark.parametrize('prefix', [{}, {'prefix': 'backbone.'}])
def test_pretrained_init_reads_the_file_also_from_a_list_of_rules(tmp_path, listed, prefix):
    source = MobileOne(TINY)
    save_checkpoint(tmp_path / 'weights.pth', source.state_dict(), None)
    rule = {'type': 'Pretrained', 'checkpoint': str(tmp_path / 'weights.pth'), **prefix}
    model = MobileOne(TINY, init_cfg=[{'type': 'Constant', 'layer': 'Conv2d', 'val': 3}, rule] if listed else rule)
    model.init_weights()
    torch.testing.assert_close(dict(model.state_dict()), dict(source.state_dict()), rtol=0, atol=0)


def test_a_prefix_that_would_be_ignored_is_refused(tmp_path):
    rule = {'type': 'Pretrained', 'checkpoint': 'weights.pth', 'prefix': 'neck.'}
    with pytest.raises(ConfigError, match=r"prefix='neck\.' given; leave it out"):
        MobileOne(TINY, init_cfg=rule).init_weights()


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ({'arch': 's5'}, "arch='s5' given, expected one of s0, s1, s2, s3, s4"),
        ({'arch': 3}, 'expected a string or a dict'),
        ({'arch': {'num_blocks': [1, 1, 1, 1]}}, "missing keys .*'width_factor'"),
        ({'arch': {**TINY, 'depth': 3}}, "unknown keys \\['depth'\\]"),
        ({'arch': {**TINY, 'num_blocks': [1, 2]}}, 'expected a list of four'),
        ({'arch': {**TINY, 'num_se_blocks': [2, 0, 0, 0]}}, 'no more squeeze-excite blocks than blocks'),
        (
            {'arch': {**TINY, 'num_blocks': '1234'}},
            r"arch\['num_blocks'\]='1234' given, expected a list of four \(int\)",
        ),
        ({'arch': {**TINY, 'num_blocks': [1.5, 1, 1, 1]}}, 'expected a list of four'),
        ({'arch': {**TINY, 'width_factor': ['a', 1, 1, 1]}}, r'expected a list of four \(int or float\)'),
        ({'arch': {**TINY, 'width_factor': [0, 1, 1, 1]}}, 'that leave each stage a channel'),
        ({'arch': {**TINY, 'width_factor': [1, -1, 1, 1]}}, 'that leave each stage a channel'),
        ({'arch': {**TINY, 'width_factor': [1, 1, 1, float('nan')]}}, 'that leave each stage a channel'),
        ({'arch': {**TINY, 'width_factor': [1, 1, 1, float('inf')]}}, 'that leave each stage a channel'),
        ({'in_channels': 0}, 'in_channels=0 given'),
        ({'norm_cfg': None}, 'norm_cfg=None given, expected'),
        ({'norm_cfg': {'type': 'GN', 'num_groups': 2}}, "expected dict.type='BN'., 'BN2d' or 'SyncBN'"),
        ({'norm_cfg': {'type': 'LN'}}, 'norm_cfg=.*LN.* given'),
        ({'arch': {**TINY, 'use_scale': [1, 1, 1, 1]}}, r"arch\['use_scale'\]=\[1, 1, 1, 1\] given, expected True or"),
        ({'arch': 's4', 'se_cfg': {'ratio': 0}}, 'se_cfg: ratio=0 given'),
        ({'arch': 's4', 'se_cfg': 16}, r'se_cfg=16 given, expected dict\(ratio=16\), or None'),
        ({'out_indices': None}, 'out_indices=None given'),
        ({'out_indices': 'ab'}, "out_indices='ab' given"),
        ({'output_stride': [8]}, 'expected 8, 16 or 32'),
        ({'out_indices': (4,)}, 'expected stages among 0, 1, 2, 3'),
        ({'output_stride': 4}, 'expected 8, 16 or 32'),
        ({'frozen_stages': 5}, 'expected -1'),
    ],
)
def test_arguments_that_do_not_fit_are_named(arguments, message):
    with pytest.raises(ConfigError, match=message):
        MobileOne(**arguments)
