"""The study of bottlenecks: 30 layers, and activations that are what their papers write."""

import math

import pytest
import torch
from torch import Tensor, nn

from bottlenecks import CASES, Coefficients, DynamicReLU, DynamicShiftMax, Layer, Row, network, relu, table_of
from timing import Times

CHANNELS = 8


def picture() -> Tensor:
    return torch.randn(2, CHANNELS, 3, 3)


def coefficients(module: Coefficients, x: Tensor, picture: int) -> list[float]:
    """2 sigmoid(W2 relu(W1 mean + b1) + b2) - 1, number by number."""
    mean = [float(channel.mean()) for channel in x[picture]]

    def layer(linear: nn.Linear, values: list[float]) -> list[float]:
        rows = linear.weight.tolist()
        return [
            sum(w * v for w, v in zip(row, values, strict=True)) + b
            for row, b in zip(rows, linear.bias.tolist(), strict=True)
        ]

    hidden = [max(value, 0.0) for value in layer(module.reduce, mean)]
    return [2 / (1 + math.exp(-value)) - 1 for value in layer(module.expand, hidden)]


@pytest.mark.parametrize('name', CASES)
def test_has_30_layers_and_a_classifier(name: str) -> None:
    made = network(CASES[name].activation, CASES[name].skip).eval()
    layers = [module for module in made.modules() if isinstance(module, Layer)]
    assert [layer.conv.kernel_size for layer in layers] == [(3, 3)] * 30
    assert sum(layer.skip for layer in layers) == (25 if CASES[name].skip else 0)  # all but the first of each stage
    assert made(torch.zeros(1, 3, 32, 32)).shape == (1, 1000)


def test_a_skip_adds_the_input() -> None:
    layer = Layer(4, 4, 1, nn.Identity(), skip=True)
    x = torch.randn(1, 4, 5, 5)
    torch.testing.assert_close(layer(x), layer.conv(x) + x)


@pytest.mark.parametrize('per_channel', [False, True], ids=['A', 'B'])
def test_dynamic_relu_is_its_formula(per_channel: bool) -> None:
    module, x = DynamicReLU(CHANNELS, per_channel).double(), picture().double()
    found = module(x)
    for n in range(2):
        d = coefficients(module.coefficients, x, n)
        sets = len(d) // 4
        for c in range(CHANNELS):
            a1, b1, a2, b2 = (d[part * sets + c % sets] for part in range(4))
            expected = torch.maximum((1 + a1) * x[n, c] + b1 / 2, a2 * x[n, c] + b2 / 2)
            torch.testing.assert_close(found[n, c], expected)


def test_dynamic_shift_max_is_its_formula() -> None:
    module, x = DynamicShiftMax(CHANNELS).double(), picture().double()
    found = module(x)
    for n in range(2):
        d = coefficients(module.coefficients, x, n)
        for c in range(CHANNELS):
            a1, b1, a2, b2 = (d[part * CHANNELS + c] for part in range(4))
            other = x[n, (c + CHANNELS // 2) % CHANNELS]
            expected = torch.maximum((1 + a1) * x[n, c] + b1 * other, a2 * x[n, c] + b2 * other)
            torch.testing.assert_close(found[n, c], expected)


@pytest.mark.parametrize('name', ['Dynamic Shift-Max', 'DynamicReLU-A', 'DynamicReLU-B'])
def test_without_coefficients_they_are_relu(name: str) -> None:
    module, x = CASES[name].activation(CHANNELS), picture()
    for parameter in module.parameters():
        nn.init.zeros_(parameter)
    torch.testing.assert_close(module(x), relu(CHANNELS)(x))


def test_the_table_sets_ratios_to_relu_beside_the_papers() -> None:
    rows = [
        Row('ReLU', 10**6, 2 * 10**6, 1.53, {'torch': Times(2.0, 3.0)}),
        Row('SE-ReLU', 10**6, 2 * 10**6, 2.10, {'torch': Times(5.0, 6.0)}),
        Row('ReLU with skips', 10**6, 2 * 10**6, None, {'torch': Times(2.5, 6.0)}),
    ]
    lines = table_of(rows).splitlines()
    assert lines[2:] == [
        '| ReLU | 1.00 | 2.0 | 2.00 (3.00) | 1.00 | 1.53 | 1.00 |',
        '| SE-ReLU | 1.00 | 2.0 | 5.00 (6.00) | 2.50 | 2.10 | 1.37 |',
        '| ReLU with skips | 1.00 | 2.0 | 2.50 (6.00) | 1.25 |  |  |',
    ]
