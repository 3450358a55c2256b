"""Dilation by output stride: each unit's own, in trained and fused form, told by what reaches it from a single pixel.

A pixel's response spreads by the dilation of every 3x3 unit it passes. Were one unit's dilation lost, in its branches
or in its fused convolution, the response of that unit would have another support: told here unit by unit.
"""

import pytest
import torch
from torch import Tensor, nn

from mobileone_mm.models.backbones.block import MobileOneBlock
from mobileone_mm.models.backbones.mobileone import MobileOne
from mobileone_mm.models.backbones.variants import ARCHITECTURES
from mobileone_mm.parity import FLOAT32_RELATIVE_LIMIT, FLOAT64_RELATIVE_LIMIT, compare, require

# By output stride: (stride, dilation of the first depthwise unit, of all others) of stages 1 to 4, written out by hand
# from the a trous law: the first unit of a stage that no longer strides still sees the grid of the stage before.
EXPECTED = {
    32: ((2, 1, 1), (2, 1, 1), (2, 1, 1), (2, 1, 1)),
    16: ((2, 1, 1), (2, 1, 1), (2, 1, 1), (1, 1, 2)),
    8: ((2, 1, 1), (2, 1, 1), (1, 1, 2), (1, 2, 4)),
}
MAPS = {32: (4, 8, 16, 32), 16: (4, 8, 16, 16), 8: (4, 8, 8, 8)}  # strides of the stages' maps
TINY = {
    'num_blocks': [1, 2, 3, 2],
    'width_factor': [0.125, 0.0625, 0.03125, 0.03125],
    'num_conv_branches': [2, 1, 3, 2],
    'num_se_blocks': [0, 0, 0, 0],
}
FORMS = ['trained', 'fused']


def in_form(model: MobileOne, form: str) -> MobileOne:
    if form == 'fused':
        model.switch_to_deploy()
    return model


def support(response: Tensor) -> list[list[int]]:
    """The pixels (row, column) that a single bright pixel moves, any channel."""
    moved: list[list[int]] = response.abs().amax(dim=(0, 1)).gt(1e-9).nonzero().tolist()
    return moved


def units(model: MobileOne, output_stride: int) -> list[tuple[str, MobileOneBlock, int, int]]:
    """Each depthwise unit by name, with the stride and dilation it has to have."""
    found = []
    for stage, (stride, first, others) in enumerate(EXPECTED[output_stride], start=1):
        for index in range(0, 2 * TINY['num_blocks'][stage - 1], 2):
            block = getattr(model, f'stage{stage}')[index]
            found.append((f'stage{stage}.{index}', block, stride if index == 0 else 1, others if index else first))
    return found


def model_of(output_stride: int, randomise, form: str) -> MobileOne:
    model = randomise(MobileOne(TINY, out_indices=(0, 1, 2, 3), output_stride=output_stride).double()).eval()
    return in_form(model, form)


@pytest.mark.parametrize('form', FORMS)
@pytest.mark.parametrize('output_stride', EXPECTED)
def test_each_unit_spreads_a_pixel_by_its_own_dilation(randomise_batch_norm, output_stride, form):
    model = model_of(output_stride, randomise_batch_norm, form)
    side, centre = 17, 8
    for name, block, stride, dilation in units(model, output_stride):
        block.activation = nn.Identity()  # ReLU would hide half of the taps
        impulse = torch.zeros(1, block.in_channels, side, side, dtype=torch.float64)
        impulse[..., centre, centre] = 1
        found = support(block(impulse) - block(torch.zeros_like(impulse)))
        reach = [centre - dilation, centre, centre + dilation]
        # At stride 2 every second pixel is computed: of the nine taps, those that fall on one.
        kept = [[row, column] for row in reach for column in reach if row % stride == column % stride == 0]
        expected = [[row // stride, column // stride] for row, column in kept]
        assert found == expected, name


@pytest.mark.parametrize('form', FORMS)
@pytest.mark.parametrize('output_stride', EXPECTED)
@pytest.mark.parametrize('size', [(64, 64), (97, 70), (33, 128)])
def test_maps_have_the_size_of_their_stride(randomise_batch_norm, output_stride, form, size):
    maps = model_of(output_stride, randomise_batch_norm, form)(torch.randn(1, 3, *size, dtype=torch.float64))
    expected = [tuple(-(-side // stride) for side in size) for stride in MAPS[output_stride]]
    assert [tuple(found.shape[2:]) for found in maps] == expected


@pytest.mark.parametrize('output_stride', EXPECTED)
@pytest.mark.parametrize('arch', ARCHITECTURES)
def test_fused_equals_trained_at_every_stride(randomise_batch_norm, arch, output_stride):
    options = {'out_indices': (0, 1, 2, 3), 'output_stride': output_stride, 'se_cfg': None}
    model = randomise_batch_norm(MobileOne(arch, **options)).eval()
    built = MobileOne(arch, deploy=True, **options).eval()
    x = torch.rand(1, 3, 65, 96)
    with torch.no_grad():
        expected = model(x)
        model.switch_to_deploy()
        built.load_state_dict(model.state_dict())  # the form that a fused file is loaded into
        for reference, switched, deployed in zip(expected, model(x), built(x), strict=True):
            require(compare(reference, switched), FLOAT32_RELATIVE_LIMIT, f'{arch} at stride {output_stride}')
            torch.testing.assert_close(deployed, switched, rtol=0, atol=0)


@pytest.mark.parametrize('form', FORMS)
@pytest.mark.parametrize('output_stride', [8, 16])
def test_every_stage_agrees_with_stride_32_where_both_have_a_pixel(randomise_batch_norm, output_stride, form):
    strided = model_of(32, randomise_batch_norm, form)
    dilated = MobileOne(TINY, out_indices=(0, 1, 2, 3), output_stride=output_stride, deploy=form == 'fused').double()
    dilated.load_state_dict(strided.state_dict())
    x = torch.randn(1, 3, 97, 70, dtype=torch.float64)
    steps = [wide // fine for wide, fine in zip(MAPS[32], MAPS[output_stride], strict=True)]
    for reference, found, step in zip(strided(x), dilated.eval()(x), steps, strict=True):
        require(
            compare(reference.detach(), found[..., ::step, ::step].detach()), FLOAT64_RELATIVE_LIMIT, f'step {step}'
        )


@pytest.mark.parametrize('form', FORMS)
@pytest.mark.parametrize('output_stride', [8, 16])
def test_a_dilation_lost_anywhere_is_seen(randomise_batch_norm, output_stride, form):
    """The comparison above tells: set one convolution's dilation back and its maps are wrong."""
    model = model_of(output_stride, randomise_batch_norm, form)
    x = torch.randn(1, 3, 97, 70, dtype=torch.float64)
    expected = model(x)[-1].detach()
    convs = [m for m in model.modules() if isinstance(m, nn.Conv2d)]
    dilated = [conv for conv in convs if conv.dilation != (1, 1) and conv.kernel_size == (3, 3)]
    assert dilated
    for conv in dilated:
        kept = conv.dilation, conv.padding
        conv.dilation, conv.padding = (1, 1), (1, 1)
        assert compare(expected, model(x)[-1].detach()).relative > 1e-3
        conv.dilation, conv.padding = kept
