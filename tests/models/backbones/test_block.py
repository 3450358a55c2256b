"""One block: branches against the formula of the paper, fused against branches."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from mobileone_mm.errors import ConfigError, FuseError
from mobileone_mm.models.backbones.block import MobileOneBlock
from mobileone_mm.parity import FLOAT32_RELATIVE_LIMIT, FLOAT64_RELATIVE_LIMIT, compare, require

# in, out, kernel, stride, dilation, groups, k, scale, skip, squeeze-excite
GEOMETRIES = {
    'stem: dense 3x3, stride 2': (3, 8, 3, 2, 1, 1, 1, True, False, False),
    'depthwise, k=4, skip': (8, 8, 3, 1, 1, 8, 4, True, True, False),
    'depthwise, stride 2, k=4': (8, 8, 3, 2, 1, 8, 4, True, False, False),
    'depthwise, dilation 2, skip': (8, 8, 3, 1, 2, 8, 2, True, True, False),
    'depthwise, dilation 4, no skip': (8, 8, 3, 1, 4, 8, 1, True, False, False),
    'pointwise, k=4, wider': (8, 12, 1, 1, 1, 1, 4, True, False, False),
    'pointwise, skip': (8, 8, 1, 1, 1, 1, 1, True, True, False),
    'grouped, skip, squeeze-excite': (8, 8, 3, 1, 1, 2, 2, True, True, True),
    'dense 5x5, stride 3': (4, 6, 5, 3, 1, 1, 2, True, False, False),
    'no scale branch': (8, 8, 3, 1, 1, 8, 2, False, True, False),
    'a single branch': (8, 8, 3, 1, 1, 8, 1, False, False, False),
}


def make_block(geometry, **kwargs):
    in_channels, out_channels, kernel, stride, dilation, groups, k, scale, skip, squeezed = geometry
    return MobileOneBlock(
        in_channels,
        out_channels,
        kernel,
        stride=stride,
        dilation=dilation,
        groups=groups,
        num_conv_branches=k,
        use_scale=scale,
        use_skip=skip,
        se_cfg={'ratio': 4} if squeezed else None,
        **kwargs,
    )


@pytest.mark.parametrize('geometry', GEOMETRIES.values(), ids=GEOMETRIES.keys())
@pytest.mark.parametrize(
    ('dtype', 'limit'), [(torch.float64, FLOAT64_RELATIVE_LIMIT), (torch.float32, FLOAT32_RELATIVE_LIMIT)]
)
def test_fused_equals_branches(randomise_batch_norm, geometry, dtype, limit):
    block = randomise_batch_norm(make_block(geometry).to(dtype)).eval()
    x = torch.randn(2, geometry[0], 13, 10, dtype=dtype)
    expected = block(x).detach()
    block.switch_to_deploy()
    assert [name.split('.')[0] for name in block.state_dict() if not name.startswith('se.')] == ['reparam_conv'] * 2
    require(compare(expected, block(x).detach()), limit, 'fused block')


@pytest.mark.parametrize('geometry', GEOMETRIES.values(), ids=GEOMETRIES.keys())
def test_deploy_builds_the_very_shapes_that_fusing_makes(geometry):
    block = make_block(geometry)
    block.switch_to_deploy()
    built = make_block(geometry, deploy=True)
    built.load_state_dict(block.state_dict())
    x = torch.randn(1, geometry[0], 9, 8)
    torch.testing.assert_close(built.eval()(x), block.eval()(x), rtol=0, atol=0)


def test_branches_are_those_of_the_paper(randomise_batch_norm):
    """Sum of k conv-BN, 1x1 conv-BN and BN, then ReLU, written out with torch's functions."""
    block = randomise_batch_norm(make_block(GEOMETRIES['depthwise, dilation 2, skip']).double()).eval()
    x = torch.randn(2, 8, 6, 7, dtype=torch.float64)

    def norm(value, layer):
        return functional.batch_norm(value, layer.running_mean, layer.running_var, layer.weight, layer.bias, eps=1e-5)

    expected = norm(x, block.rbr_skip)
    for branch in block.rbr_conv:
        expected = expected + norm(functional.conv2d(x, branch.conv.weight, padding=2, dilation=2, groups=8), branch.bn)
    scaled = functional.conv2d(x, block.rbr_scale.conv.weight, groups=8)
    expected = torch.relu(expected + norm(scaled, block.rbr_scale.bn))
    torch.testing.assert_close(block(x), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize('size', [(8, 8), (9, 7), (1, 2)])
def test_strided_scale_branch_sees_the_pixels_of_a_strided_convolution(size):
    block = make_block(GEOMETRIES['stem: dense 3x3, stride 2']).double().eval()
    x = torch.randn(1, 3, *size, dtype=torch.float64)
    expected = functional.conv2d(x, block.rbr_scale.conv.weight, stride=2)
    torch.testing.assert_close(block.rbr_scale.conv(x[..., ::2, ::2]), expected, rtol=1e-12, atol=1e-12)


def test_no_pointwise_convolution_is_strided():
    """torch corrupts the heap in the weight gradient of a strided 1x1 convolution on 3 channels, channels_last."""
    convs = [m for m in make_block(GEOMETRIES['stem: dense 3x3, stride 2']).modules() if isinstance(m, nn.Conv2d)]
    assert [conv.stride for conv in convs if conv.kernel_size == (1, 1)] == [(1, 1)]


def test_fusing_twice_changes_nothing(randomise_batch_norm):
    block = randomise_batch_norm(make_block(GEOMETRIES['depthwise, k=4, skip'])).eval()
    block.switch_to_deploy()
    once = {name: value.clone() for name, value in block.state_dict().items()}
    block.switch_to_deploy()
    torch.testing.assert_close(dict(block.state_dict()), once, rtol=0, atol=0)


def test_a_fused_block_refuses_to_train_but_lets_hosts_switch_to_eval():
    block = make_block(GEOMETRIES['pointwise, skip'])
    block.train()
    block.eval()
    block.switch_to_deploy()
    assert not block.train(False).training
    with pytest.raises(FuseError, match='cannot be trained'):
        block.train()


def test_a_branch_that_is_no_plain_convolution_cannot_be_fused():
    block = make_block(GEOMETRIES['pointwise, skip'])
    block.rbr_conv[0].bn = nn.InstanceNorm2d(8)
    with pytest.raises(FuseError, match='expected Conv2d and BN or SyncBN'):
        block.switch_to_deploy()


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ({'kernel_size': 2}, 'kernel_size=2 given, expected an odd number'),
        ({'kernel_size': 3, 'stride': 2, 'use_skip': True}, 'use_skip=True with stride=2, .* expected stride 1'),
        ({'kernel_size': 3, 'out_channels': 12, 'use_skip': True}, 'in_channels=8 and out_channels=12 given'),
    ],
)
def test_a_block_that_cannot_be_is_refused(arguments, message):
    with pytest.raises(ConfigError, match=message):
        MobileOneBlock(**{'in_channels': 8, 'out_channels': 8, **arguments})
