"""Branches summed before they convolve, or normalised together, against one after the other.

Outputs, gradients, statistics.
"""

import copy
import statistics
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.flop_counter import FlopCounterMode

from mobileone_mm.errors import ConfigError
from mobileone_mm.models.backbones import lags, taps
from mobileone_mm.models.backbones.batch_statistics import uses_batch
from mobileone_mm.models.backbones.block import MobileOneBlock

AS_CLOSE = 1.05  # times the error with branches, median of seeds; what is found is 0.6 to 1.04
LIMIT = 1e-9  # relative, float64; what is found is below 1e-12
# in, out, kernel, stride, dilation, groups, k, scale, skip
GEOMETRIES = {
    'stem': (3, 8, 3, 2, 1, 1, 1, True, False),
    'dense, dilation 2, skip': (5, 5, 3, 1, 2, 1, 2, True, True),
    'dense 5x5, stride 3': (4, 6, 5, 3, 1, 1, 2, True, False),
    'depthwise, skip': (6, 6, 3, 1, 1, 6, 4, True, True),
    'depthwise, a single branch': (6, 6, 3, 1, 1, 6, 1, False, False),
    'depthwise, stride 2': (6, 6, 3, 2, 1, 6, 3, True, False),
    'depthwise, dilation 2, skip': (6, 6, 3, 1, 2, 6, 2, True, True),
    'depthwise, dilation 4, no scale': (6, 6, 3, 1, 4, 6, 2, False, True),
    'depthwise, stride 2, dilation 2': (6, 6, 3, 2, 2, 6, 2, True, False),
    'depthwise 5x5, skip': (6, 6, 5, 1, 1, 6, 2, True, True),
    'depthwise, wider': (4, 8, 3, 1, 1, 4, 2, True, False),
    'grouped, skip': (6, 6, 3, 1, 1, 2, 2, True, True),
    'pointwise, wider': (6, 9, 1, 1, 1, 1, 4, True, False),
    'pointwise, skip': (6, 6, 1, 1, 1, 1, 4, True, True),
    'pointwise, grouped, stride 2': (6, 6, 1, 2, 1, 2, 2, True, False),
}
KINDS = ('stem', 'depthwise, skip', 'depthwise, stride 2', 'pointwise, skip')  # what MobileOne is made of
Geometry = tuple[int, int, int, int, int, int, int, bool, bool]
every_geometry = pytest.mark.parametrize('geometry', GEOMETRIES.values(), ids=GEOMETRIES.keys())
every_kind = pytest.mark.parametrize('geometry', [GEOMETRIES[kind] for kind in KINDS], ids=KINDS)


def make_block(geometry: Geometry, kind: type[MobileOneBlock] = MobileOneBlock, **options: Any) -> MobileOneBlock:
    in_channels, out_channels, kernel, stride, dilation, groups, k, scale, skip = geometry
    return kind(
        in_channels, out_channels, kernel, stride, dilation, groups, k, use_scale=scale, use_skip=skip, **options
    )


class AddingBlock(MobileOneBlock):
    """Adds up wherever sums of kernels would do."""

    def _way(self, x: Tensor) -> str:
        first: Any = self.rbr_conv[0]
        way = super()._way(x)
        return 'adding' if way == 'moments' and uses_batch(first.bn) else way


WAYS = {'moments': MobileOneBlock, 'adding': AddingBlock}
every_way = pytest.mark.parametrize('way', WAYS)


def pair(geometry: Geometry, way: str = 'moments', **options: Any) -> tuple[MobileOneBlock, MobileOneBlock]:
    """A block by branches and in another way, with the same random weights and statistics, float64."""
    branches = make_block(geometry, **options).double()
    for tensor in (*branches.parameters(), *branches.buffers()):
        if tensor.dim() == 4:
            nn.init.normal_(tensor)
        elif tensor.is_floating_point():
            nn.init.uniform_(tensor, 0.5, 1.5)
    moments = make_block(geometry, WAYS[way], train_impl='moments', **options).double()
    moments.load_state_dict(branches.state_dict(), strict=True)
    return branches, moments


def images(geometry: Geometry, size: tuple[int, int, int] = (3, 11, 8)) -> Tensor:
    return torch.randn(size[0], geometry[0], *size[1:], dtype=torch.float64) + 0.5


def step(block: nn.Module, x: Tensor, autocast: torch.dtype | None = None) -> dict[str, Tensor]:
    """Output, gradients and buffers after a step, whose loss weights every output differently."""
    x = x.detach().requires_grad_()
    block.zero_grad()
    with torch.autocast('cpu', autocast, enabled=autocast is not None):
        out = block(x)
    weights = torch.linspace(-1, 2, out.numel(), dtype=torch.float64).reshape(out.shape)
    (out.double() * weights).sum().backward()
    assert x.grad is not None
    found = {'output': out.detach(), 'gradient of the input': x.grad}
    found |= {f'gradient of {name}': p.grad for name, p in block.named_parameters() if p.grad is not None}
    return found | {name: buffer.clone() for name, buffer in block.named_buffers()}


def distance(expected: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> float:
    """The largest difference of any entry, relative to the largest number in it; of gradients, in any of them.

    A gradient may be zero but for rounding: what a branch adds to all of a channel, its norm takes away.
    """
    assert expected.keys() == found.keys()
    steepest = max(float(value.abs().max()) for name, value in expected.items() if name.startswith('gradient'))
    worst = 0.0
    for name, value in expected.items():
        assert value.shape == found[name].shape, name
        assert found[name].isfinite().all(), name
        scale = (steepest if name.startswith('gradient') else float(value.abs().max())) or 1.0
        worst = max(worst, float((value.double() - found[name].double()).abs().max()) / scale)
    return worst


@every_way
@every_geometry
@pytest.mark.parametrize('size', [(3, 11, 8), (1, 5, 7), (2, 2, 1)], ids=str)
def test_a_step_is_that_of_the_branches(geometry: Geometry, size: tuple[int, int, int], way: str) -> None:
    branches, moments = pair(geometry, way)
    for _ in range(2):  # the second from where the first left the running statistics
        x = images(geometry, size)
        assert distance(step(branches, x), step(moments, x)) < LIMIT


@every_way
@every_geometry
def test_gradients_add_up_and_are_clipped_as_those_of_the_branches(geometry: Geometry, way: str) -> None:
    both = pair(geometry, way)
    for block in both:
        for _ in range(2):
            out = block(images(geometry, (2, 5, 7)).mul_(0).add_(torch.arange(7.0)).requires_grad_())
            (out * torch.linspace(-1, 2, out.numel(), dtype=torch.float64).reshape(out.shape)).sum().backward()
        torch.nn.utils.clip_grad_norm_(block.parameters(), 0.5)
    gradients = [{f'gradient of {name}': p.grad for name, p in block.named_parameters()} for block in both]
    assert distance(*gradients) < LIMIT
    memory = [gradient.data_ptr() for gradient in gradients[1].values()]
    assert len(set(memory)) == len(memory)


def own_eps(block: MobileOneBlock) -> None:
    for index, norm in enumerate(m for m in block.modules() if isinstance(m, _BatchNorm)):
        norm.eps = 10.0 ** -(index + 1)


def still_norms(block: MobileOneBlock) -> None:
    for module in block.modules():
        if isinstance(module, _BatchNorm):
            module.eval()


def frozen(block: MobileOneBlock) -> None:
    block.eval().requires_grad_(False)


@every_way
@every_kind
@pytest.mark.parametrize(
    ('norm', 'change'),
    [
        ({'momentum': 0.3}, None),
        ({'momentum': None}, None),
        ({'momentum': 0.0}, None),
        ({'eps': 0.5}, None),
        ({'affine': False}, None),
        ({'track_running_stats': False}, None),
        ({'track_running_stats': False}, still_norms),
        ({'type': 'SyncBN'}, None),  # alone
        ({}, own_eps),
        ({}, still_norms),  # norm_eval
        ({}, frozen),
    ],
)
def test_norms_do_what_batch_norm_does(geometry: Geometry, norm: dict[str, Any], change: Any, way: str) -> None:
    both = pair(geometry, way, norm_cfg={'type': 'BN', **norm})
    for block in both:
        if change is not None:
            change(block)
    for _ in range(2):
        x = images(geometry)
        assert distance(*(step(block, x) for block in both)) < LIMIT


@every_way
@every_kind
@pytest.mark.parametrize('layout', [torch.channels_last, torch.contiguous_format], ids=str)
@pytest.mark.parametrize('part', [1, 2**20])
def test_neither_layout_nor_parts_of_the_batch_matter(
    geometry: Geometry, layout: torch.memory_format, part: int, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(taps, 'PART', part)
    monkeypatch.setattr(lags, 'PART', part)
    branches, moments = pair(geometry, way)
    x = images(geometry).contiguous(memory_format=layout)
    assert distance(step(branches, x), step(moments.to(memory_format=layout), x)) < LIMIT
    # float32 takes other ways through torch, some of which have crashed in channels_last
    assert distance(step(branches.float(), x.float()), step(moments.float(), x.float())) < 1e-4


@every_kind
def test_squeeze_excite_and_activation_follow(geometry: Geometry) -> None:
    branches, moments = pair(geometry, se_cfg={'ratio': 2}, act_cfg={'type': 'LeakyReLU'})
    x = images(geometry)
    assert distance(step(branches, x), step(moments, x)) < LIMIT


def twice(_module: nn.Module, _given: Any, output: Tensor) -> Tensor:
    return 2 * output


@every_way
@every_kind
@pytest.mark.parametrize('options', [{'act_cfg': None}, {'act_cfg': {'type': 'LeakyReLU'}}, {}], ids=str)
@pytest.mark.parametrize('watched', [None, 'se', 'activation'])
def test_what_follows_the_sum_is_left_out_only_where_it_is_a_relu_that_nobody_watches(
    geometry: Geometry, options: dict[str, Any], watched: str | None, way: str
) -> None:
    both = pair(geometry, way, **options)
    for block in both if watched else ():
        block.get_submodule(str(watched)).register_forward_hook(twice)
    x = images(geometry)
    assert distance(*(step(block, x) for block in both)) < LIMIT


@every_way
@every_kind
def test_an_input_needs_no_gradient(geometry: Geometry, way: str) -> None:
    branches, other = pair(geometry, way)
    x = images(geometry)
    for block in (branches, other):
        block(x).square().sum().backward()
    for (name, expected), found in zip(branches.named_parameters(), other.parameters(), strict=True):
        assert expected.grad is not None
        assert found.grad is not None
        limit = LIMIT * max(1.0, float(expected.grad.abs().max()))
        torch.testing.assert_close(found.grad, expected.grad, rtol=0, atol=limit, msg=name)


@pytest.mark.parametrize('kind', ['depthwise, skip', 'pointwise, skip'])
def test_norms_together_compile_in_one_piece(kind: str) -> None:
    _, plain = pair(GEOMETRIES[kind], 'adding')
    compiled = torch.compile(copy.deepcopy(plain), backend='aot_eager', fullgraph=True)
    x = images(GEOMETRIES[kind])
    assert distance(step(plain, x), {n.replace('_orig_mod.', ''): t for n, t in step(compiled, x).items()}) < LIMIT


# By how much a float32 step may be wrong, beside three times as much as with branches. A channel without variance is
# amplified 1 / sqrt(eps) = 316 times, and with it what rounding leaves of its mean.
ROUNDING = 1e-6
INPUTS: dict[str, tuple[Callable[[Tensor], Tensor], float]] = {
    'constant channels': (lambda x: (x * 0 + 1) * torch.arange(x.shape[1]).reshape(-1, 1, 1), 316 * ROUNDING),
    'dead channels': (lambda x: x * (torch.arange(x.shape[1]).reshape(-1, 1, 1) % 2), ROUNDING),
    'nothing at all': (torch.zeros_like, ROUNDING),
    'a large mean': (lambda x: 1000 + 0.01 * x, ROUNDING),
    'one picture': (lambda x: x[:1], ROUNDING),
}


@every_way
@every_kind
@pytest.mark.parametrize(('change', 'rounding'), INPUTS.values(), ids=INPUTS.keys())
def test_variances_keep_their_sign_and_their_digits(
    geometry: Geometry, change: Callable[[Tensor], Tensor], rounding: float, way: str
) -> None:
    reference, moments = pair(geometry, way, norm_cfg={'type': 'BN', 'momentum': 1.0})
    branches = copy.deepcopy(reference).float()
    x = change(images(geometry)).float()
    expected, usual, found = step(reference, x.double()), step(branches, x), step(moments.float(), x)
    for norm in (m for m in moments.modules() if isinstance(m, _BatchNorm)):
        assert norm.running_var is not None
        assert norm.running_var.min() >= 0
    assert distance(expected, found) <= 3 * distance(expected, usual) + rounding


@every_kind
@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_mixed_precision_is_as_close_as_with_branches(geometry: Geometry, dtype: torch.dtype) -> None:
    """Statistics are those of float32. Without an activation, whose mask a last digit can turn over in either way."""
    reference, moments = pair(geometry, act_cfg=None)
    branches, moments = copy.deepcopy(reference).float(), moments.float()
    x = images(geometry, (4, 16, 16)).to(dtype)
    expected, usual, found = step(reference, x.double()), step(branches, x, dtype), step(moments, x, dtype)
    assert found['output'].dtype == usual['output'].dtype == dtype
    for name, value in expected.items():
        if name in dict(moments.named_buffers()):
            torch.testing.assert_close(found[name].double(), value.double(), rtol=1e-5, atol=1e-5)
        else:
            more = 1.3 if name == 'gradient of the input' else 1.1  # biases are summed alike, within 1e-4
            assert rms(found[name], value) <= more * rms(usual[name], value) + 1e-4 * float(value.abs().max()), name


@every_kind
@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
@pytest.mark.parametrize('k', [1, 4])
def test_what_rounding_a_kernel_does_to_the_mean_is_taken_away_as_by_batch_norm(
    geometry: Geometry, dtype: torch.dtype, k: int
) -> None:
    """Inputs lie on one side of zero, as behind a ReLU, so that all taps move the mean the same way."""
    ratios = []
    for seed in range(25):
        torch.manual_seed(seed)
        reference, moments = pair((*geometry[:6], k, *geometry[7:]), act_cfg=None)
        branches, moments = copy.deepcopy(reference).float(), moments.float()
        x = (images(geometry, (4, 16, 16)) + 3).to(dtype)
        expected = step(reference, x.double())['output']
        usual, found = (step(block, x, dtype)['output'] for block in (branches, moments))
        ratios.append(rms(found, expected) / rms(usual, expected))
    assert statistics.median(ratios) < AS_CLOSE


@every_kind
def test_mixed_precision_is_closer_than_with_branches_behind_a_relu(geometry: Geometry) -> None:
    """On the whole: an output that rounds to the other side of zero gains or loses its gradient, in either way."""
    ratios = []
    for seed in range(15):
        torch.manual_seed(seed)
        reference, moments = pair(geometry)
        branches, moments = copy.deepcopy(reference).float(), moments.float()
        x = images(geometry, (4, 16, 16)).to(torch.bfloat16)
        expected = step(reference, x.double())
        usual, found = (step(block, x, torch.bfloat16) for block in (branches, moments))
        ratios += [
            rms(found[name], value) / rms(usual[name], value)
            for name, value in expected.items()
            if name.startswith('gradient') and rms(usual[name], value) > 1e-3 * float(value.abs().max())
        ]
    assert statistics.median(ratios) < 1  # what is found is 0.5 to 0.7


def rms(found: Tensor, expected: Tensor) -> float:
    return float((found.double() - expected.double()).square().mean().sqrt())


def test_a_single_value_per_channel_is_refused_as_by_batch_norm() -> None:
    for block in (*pair(GEOMETRIES['pointwise, skip']), *pair(GEOMETRIES['pointwise, skip'], 'adding')):
        with pytest.raises(ValueError, match=r'(?i)expected more than 1 value per channel when training'):
            block(images(GEOMETRIES['pointwise, skip'], (1, 1, 1)))


def test_modes_that_cannot_be_are_refused() -> None:
    with pytest.raises(ConfigError, match="train_impl='fast' given, expected one of branches, moments, auto"):
        make_block(GEOMETRIES['stem'], train_impl='fast')
    conv_cfg = {'type': 'Conv2d', 'padding_mode': 'reflect'}
    with pytest.raises(
        ConfigError, match=r"train_impl='moments' with conv_cfg=.*reflect.* given; expected Conv2d that"
    ):
        make_block(GEOMETRIES['stem'], train_impl='moments', conv_cfg=conv_cfg)


@pytest.mark.parametrize('impl', ['moments', 'auto'])
@pytest.mark.parametrize(('size', 'channels'), [((1, 1, 512, 512), 1), ((16, 64, 56, 56), 64)], ids=str)
def test_a_kernel_that_is_a_number_a_channel_needs_no_convolution(
    size: tuple[int, ...], channels: int, impl: str
) -> None:
    torch.manual_seed(0)
    branches = MobileOneBlock(channels, channels, 1, groups=channels).double()
    other = MobileOneBlock(channels, channels, 1, groups=channels, train_impl=impl).double()
    other.load_state_dict(branches.state_dict())
    x = torch.randn(size, dtype=torch.float64)
    assert distance(step(branches, x), step(other, x)) < LIMIT


@pytest.mark.parametrize('impl', ['moments', 'auto'])
@every_kind
def test_inputs_that_are_empty_or_of_another_dtype_end_as_with_branches(geometry: Geometry, impl: str) -> None:
    block = make_block(geometry, train_impl=impl)
    side = 6 // geometry[3]
    assert block.eval()(torch.zeros(0, geometry[0], 6, 6)).shape == (0, geometry[1], side, side)
    for mode in (True, False):
        with pytest.raises(RuntimeError, match=r'(?i)type'):
            block.train(mode)(torch.zeros(2, geometry[0], 6, 6, dtype=torch.uint8))


def biased(block: MobileOneBlock) -> None:
    block.rbr_conv[0].conv.bias = nn.Parameter(torch.ones(block.out_channels, dtype=torch.float64))


def weightless(block: MobileOneBlock) -> None:
    norm = block.rbr_conv[0].bn
    norm.affine, norm.weight, norm.bias = False, None, None


def weighty(block: MobileOneBlock) -> None:
    torch.nn.utils.parametrizations.weight_norm(block.rbr_conv[0].conv)


def watched(block: MobileOneBlock) -> None:
    block.rbr_conv[0].bn.register_forward_hook(lambda _norm, _given, output: 2 * output)


def half_still(block: MobileOneBlock) -> None:
    block.rbr_conv[0].bn.eval()


@pytest.mark.parametrize('change', [weighty, watched, half_still, biased, weightless])
@every_kind
def test_where_branches_are_not_plain_they_run_themselves(geometry: Geometry, change: Any) -> None:
    torch.manual_seed(0)
    both = pair(geometry)
    for block in both:
        change(block)
    x = images(geometry)
    assert distance(*(step(block, x) for block in both)) == 0


def convolved(block: nn.Module, x: Tensor) -> int:
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        block(x)
    return int(counter.get_total_flops())


@every_kind
def test_evaluation_is_one_convolution_and_equals_the_fused_form(geometry: Geometry) -> None:
    branches, moments = (block.eval() for block in pair(geometry))
    x = images(geometry)
    fused = copy.deepcopy(branches)
    fused.switch_to_deploy()
    with torch.no_grad():
        torch.testing.assert_close(moments(x), fused(x), rtol=1e-12, atol=1e-12)
    assert convolved(moments, x) == convolved(fused, x) < convolved(branches, x)
