"""Every operation against torch: a tiny module is converted, saved, and its package executed."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from mobileone_mm.errors import ExportError
from mobileone_mm.models.backbones.block import MobileOneBlock
from mobileone_mm.targets.coreml import ops
from mobileone_mm.targets.coreml.interpreter import Interpreter
from programs import Of, convert, saved

HALF_ROUNDING = {'rtol': 2**-11, 'atol': 2**-25}  # half a unit in the last place; the same of the subnormal ones
FLOAT32 = {'rtol': 1e-6, 'atol': 1e-6}
ODD = (1, 6, 5, 7)


class WithConstant(nn.Module):
    """A function of the input and a constant that has a dimension a channel."""

    constant: Tensor

    def __init__(self, function: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function
        self.register_buffer('constant', torch.randn(1, ODD[1], 1, 1).half().float())

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x, self.constant)


def operations(interpreter: Interpreter) -> set[str]:
    return {step.operation for step in interpreter.program.steps} - {'cast'}


def positive(shape: Sequence[int]) -> Tensor:
    return torch.rand(*shape) + 0.25


def enlarged(size: tuple[int, int], align_corners: bool) -> nn.Module:
    return Of(lambda a: functional.interpolate(a, size=size, mode='bilinear', align_corners=align_corners))


CASES = [
    pytest.param('add', Of(lambda a, b: a + b), [ODD, (1, 6, 1, 7)], id='add, two inputs'),
    pytest.param('add', WithConstant(lambda x, c: x + c), [ODD], id='add a constant'),
    pytest.param('sub', WithConstant(lambda x, c: c - x), [ODD], id='sub from a constant'),
    pytest.param('sub', Of(lambda a, b: a - b), [ODD, ODD], id='sub'),
    pytest.param('mul', WithConstant(lambda x, c: x * c), [ODD], id='mul by a constant'),
    pytest.param('mul', Of(lambda a: a * 3.5), [(3, 5)], id='mul by a number'),
    pytest.param('real_div', Of(lambda a, b: a / b), [ODD, ODD], id='real_div'),
    pytest.param('pow', Of(lambda a: a**2), [ODD], id='pow'),
    pytest.param('exp', Of(torch.exp), [ODD], id='exp'),
    pytest.param('sqrt', Of(torch.sqrt), [ODD], id='sqrt'),
    pytest.param('clip', Of(lambda a: a.clamp(-0.5, 1.25)), [ODD], id='clip'),
    pytest.param('clip', nn.ReLU6(), [ODD], id='clip, ReLU6'),
    pytest.param('relu', nn.ReLU(), [ODD], id='relu'),
    pytest.param('leaky_relu', nn.LeakyReLU(0.125), [ODD], id='leaky_relu'),
    pytest.param('sigmoid', nn.Sigmoid(), [ODD], id='sigmoid'),
    pytest.param('silu', nn.SiLU(), [ODD], id='silu'),
    pytest.param('softmax', nn.Softmax(dim=1), [(5, 7, 3)], id='softmax'),
    pytest.param('conv', nn.Conv2d(6, 4, 3, bias=False), [ODD], id='conv, no bias, no padding'),
    pytest.param('conv', nn.Conv2d(6, 4, 3, 2, 1), [ODD], id='conv, stride'),
    pytest.param('conv', nn.Conv2d(6, 12, (3, 1), (1, 2), (2, 0), dilation=(2, 1), groups=3), [ODD], id='conv, groups'),
    pytest.param('conv', nn.Conv2d(6, 6, 5, 1, 2, groups=6), [ODD], id='conv, depthwise'),
    pytest.param('linear', nn.Linear(7, 4), [(1, 7)], id='linear'),
    pytest.param('linear', nn.Linear(7, 4, bias=False), [(3, 7)], id='linear, no bias'),
    pytest.param('max_pool', nn.MaxPool2d(2), [ODD], id='max_pool'),
    pytest.param('max_pool', nn.MaxPool2d(3, 2, 1), [ODD], id='max_pool, padding'),
    pytest.param('max_pool', nn.MaxPool2d(2, 2, ceil_mode=True), [ODD], id='max_pool, ceil_mode'),
    pytest.param('reduce_mean', nn.AdaptiveAvgPool2d(1), [ODD], id='reduce_mean'),
    pytest.param('upsample_bilinear', enlarged((10, 21), align_corners=False), [ODD], id='bilinear, whole factors'),
    pytest.param('upsample_bilinear', enlarged((12, 10), align_corners=False), [ODD], id='bilinear'),
    pytest.param('upsample_bilinear', enlarged((12, 10), align_corners=True), [ODD], id='bilinear, align_corners'),
    pytest.param('upsample_bilinear', enlarged((4, 6), align_corners=False), [(1, 6, 1, 1)], id='bilinear, of one'),
    pytest.param('upsample_nearest_neighbor', nn.Upsample(scale_factor=3), [ODD], id='nearest'),
    pytest.param('reduce_argmax', Of(lambda a: a.argmax(dim=1, keepdim=True).float()), [ODD], id='argmax'),
    pytest.param('reduce_sum', Of(lambda a: a.sum(dim=1)), [ODD], id='reduce_sum'),
    pytest.param('concat', Of(lambda a, b: torch.cat((b, a, b), dim=2)), [ODD, (1, 6, 2, 7)], id='concat'),
    pytest.param('pad', Of(lambda a: functional.pad(a, (0, 3), value=0.5)), [(5, 7)], id='pad'),
    pytest.param('pad', Of(lambda a: functional.pad(a, (1, 2, 3, 0))), [ODD], id='pad, two dimensions'),
    pytest.param('reshape', Of(lambda a: a.reshape(3, -1, 5)), [ODD], id='reshape'),
    pytest.param('reverse', Of(lambda a: a.flip(1)), [ODD], id='reverse'),
    pytest.param('slice_by_index', Of(lambda a: a[:, 2:-1]), [ODD], id='slice_by_index'),
    pytest.param('slice_by_index', Of(lambda a: a[:, 1:, ::2, :3]), [ODD], id='slice_by_index, strides'),
    pytest.param('slice_by_index', Of(lambda a: a[:, 2]), [ODD], id='slice_by_index, one of a dimension'),
    pytest.param('squeeze', Of(lambda a: a.squeeze(0)), [ODD], id='squeeze'),
    pytest.param('transpose', Of(lambda a: a.permute(2, 0, 1)), [(5, 7, 3)], id='transpose'),
]


@pytest.mark.parametrize(('operation', 'module', 'shapes'), CASES)
def test_an_operation_is_torchs(operation: str, module: nn.Module, shapes: list[Any], tmp_path: Path) -> None:
    module = module.half().float()  # constants as the program stores them
    make = positive if operation in ('real_div', 'sqrt') else torch.randn
    inputs = [make(shape).half().float() for shape in shapes]
    interpreter = saved(convert(module, inputs), tmp_path)
    assert operations(interpreter) == {operation}
    given = {chr(ord('a') + index): x.numpy() for index, x in enumerate(inputs)}
    with torch.no_grad():
        expected = module(*inputs)

    full = torch.from_numpy(interpreter.raw(given, 'float32')['out'])
    torch.testing.assert_close(full, expected, **FLOAT32)
    half = torch.from_numpy(interpreter.raw(given)['out'])
    torch.testing.assert_close(half, expected, **HALF_ROUNDING)
    assert torch.equal(half, half.half().float())


def test_the_cases_are_all_operations() -> None:
    assert {case.values[0] for case in CASES} | {'cast'} == set(ops.OPERATIONS)


@pytest.mark.parametrize('align_corners', [False, True])
@pytest.mark.parametrize(('old', 'new'), [(5, 5), (5, 10), (5, 12), (1, 4), (23, 360), (8, 128)])
def test_bilinear_places_are_those_of_the_specification(old: int, new: int, align_corners: bool) -> None:
    """By the grid points that MIL's reference gives for `upsample_bilinear`, in float64."""
    if align_corners:
        places = np.arange(new) * ((old - 1) / (new - 1))
    else:
        places = np.arange(new) * old / new + 0.5 * old / new - 0.5
    places = places.clip(0, old - 1)
    values = np.random.default_rng(old).normal(size=old)
    expected = np.interp(places, np.arange(old), values)
    column = torch.from_numpy(values)[None, None, :, None].expand(1, 1, old, 3)
    factor = new / old if new % old == 0 else (new + 1e-4) / old  # as coremltools writes it
    found = ops.OPERATIONS['upsample_bilinear'](column, factor, 1.0, align_corners)
    assert found.shape == (1, 1, new, 3)
    np.testing.assert_allclose(found[0, 0, :, 1].numpy(), expected, atol=1e-12)


@pytest.mark.parametrize('target', ['iOS15', 'iOS16', 'iOS17', 'iOS18'])
def test_a_block_with_squeeze_and_excitation(target: str, tmp_path: Path) -> None:
    block = MobileOneBlock(8, 8, 3, stride=2, se_cfg={'ratio': 4})
    block.switch_to_deploy()
    block = block.half().float()
    x = torch.randn(1, 8, 7, 9).half().float()
    interpreter = saved(convert(block, [x], target), tmp_path)
    assert operations(interpreter) == {'conv', 'mul', 'reduce_mean', 'relu', 'sigmoid'}
    with torch.no_grad():
        expected = block(x)
    torch.testing.assert_close(torch.from_numpy(interpreter.raw({'a': x}, 'float32')['out']), expected, **FLOAT32)
    torch.testing.assert_close(torch.from_numpy(interpreter.raw({'a': x})['out']), expected, rtol=4e-3, atol=4e-3)


def test_an_unknown_operation_is_named(tmp_path: Path) -> None:
    model = convert(Of(lambda a: torch.erf(a) + torch.tanh(a)), [torch.zeros(ODD)])
    with pytest.raises(ExportError, match=r'no such operation is known here: erf \(it gives erf\w*\), tanh \(it gives'):
        saved(model, tmp_path)


@pytest.mark.parametrize(
    ('module', 'message'),
    [
        (nn.Conv1d(6, 4, 3), r'operation \w+ \(conv with p_\w+\): 3 dimensions given, 4 known'),
        (
            Of(lambda a: functional.pad(a, (1, 1), mode='reflect')),
            r'operation \w+ \(pad\): mode reflect given, constant',
        ),
    ],
)
def test_an_argument_that_is_not_known_is_named(module: nn.Module, message: str, tmp_path: Path) -> None:
    x = torch.zeros(1, 6, 8)
    interpreter = saved(convert(module, [x]), tmp_path)
    with pytest.raises(ExportError, match=message):
        interpreter.raw({'a': x})
