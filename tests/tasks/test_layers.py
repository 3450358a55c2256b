"""A graph that follows another form layer by layer: what is wrong shows where it is, however badly conditioned."""

from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from mobileone_mm.artifact.inputs import Picture
from mobileone_mm.artifact.runner import Outputs
from mobileone_mm.pictures.synthetic import drawn_picture
from mobileone_mm.tasks.layers import folded, in_float32, is_named, layer_rung
from mobileone_mm.tasks.task import Graph, run_graph

SIZE = (24, 16)
PICTURE = drawn_picture(SIZE)
CLOSE = 2e-6  # of a layer's largest value: what float32 rounds in one layer


class Tiny(Graph):
    """Convolutions with activations in place, one of them used twice, and a sum at the end."""

    size, outputs = SIZE, ('sums',)

    def __init__(self, gain: float = 1.0) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.model = nn.ModuleDict({name: nn.Conv2d(3, 3, 3, padding=1) for name in ('first', 'twice', 'last')})
        self.act = nn.ReLU(inplace=True)
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.mul_(gain)

    def forward(self, image: Tensor) -> tuple[Tensor]:
        layers = self.model
        x = self.act(layers['first'](image / 255))
        x = self.act(layers['twice'](self.act(layers['twice'](x))))
        return (self.act(layers['last'](x)).sum(dim=1),)


def values_of(graph: Tiny) -> tuple[Outputs, Mapping[str, Tensor]]:
    """What a graph in float64 gives when its layers pass on float32; their names as in the user's model."""
    double = deepcopy(graph).double()
    return in_float32(double, lambda: run_graph(double, PICTURE))


def test_layers_pass_on_float32_and_the_sum_is_in_float64() -> None:
    graph = Tiny()
    outputs, values = values_of(graph)
    assert set(values) == {'first', 'last'}  # of one that is used twice, nobody knows which is which
    assert {value.dtype for value in values.values()} == {torch.float32}
    assert values['first'].min() < 0  # as it was before the activation in place
    exact = torch.relu(values['last'].double()).sum(dim=1).numpy()
    np.testing.assert_array_equal(outputs['sums'], exact)


@pytest.mark.parametrize('gain', [1.0, 1e4, 1e-4])
def test_the_same_graph_differs_by_what_one_layer_rounds(gain: float) -> None:
    graph = Tiny(gain)
    rung = layer_rung('a -> b', graph, PICTURE, *values_of(graph))
    assert rung.holds
    assert 0 < rung.value < CLOSE  # type: ignore[operator]
    assert rung.unit == 'of max'


def biased(graph: Tiny) -> None:
    graph.model['first'].bias[1] = 0


def scaled(graph: Tiny) -> None:
    for parameter in graph.model['last'].parameters():
        parameter.mul_(1.001)


def no_number(graph: Tiny) -> None:
    graph.model['last'].bias[0] = torch.nan


@pytest.mark.parametrize(('change', 'layer'), [(biased, 'first'), (scaled, 'last'), (no_number, 'last')])
@pytest.mark.parametrize('gain', [1.0, 1e4, 1e-4])
def test_what_is_wrong_shows_where_it_is(gain: float, change: Callable[[Tiny], None], layer: str) -> None:
    graph = Tiny(gain)
    outputs, values = values_of(graph)
    with torch.no_grad():
        change(graph)
    rung = layer_rung('a -> b', graph, PICTURE, outputs, values)
    assert not rung.holds
    assert rung.note == f'{layer} is farthest'


def test_outputs_are_the_last_layer_and_padding_is_left_to_others() -> None:
    graph = Tiny()
    outputs, values = values_of(graph)
    padded = {'sums': np.pad(outputs['sums'], ((0, 0), (0, 0), (0, 3)))}
    assert layer_rung('a -> b', graph, PICTURE, padded, values).holds
    padded['sums'][0, 5, 5] += 0.001 * np.abs(outputs['sums']).max()
    rung = layer_rung('a -> b', graph, PICTURE, padded, values)
    assert rung.value == pytest.approx(0.001, rel=0.01)
    assert rung.note == 'sums is farthest'


def test_a_layer_of_another_shape_does_not_pass() -> None:
    graph = Tiny()
    outputs, values = values_of(graph)
    rung = layer_rung('a -> b', graph, PICTURE, outputs, {**values, 'first': values['first'][..., 1:]})
    assert rung.value == np.inf


def test_nothing_is_left_on_a_graph_that_followed() -> None:
    graph = Tiny()
    before = run_graph(graph, PICTURE)
    outputs, values = values_of(graph)
    layer_rung('a -> b', graph, PICTURE, outputs, {name: value + 1 for name, value in values.items()})
    np.testing.assert_array_equal(run_graph(graph, PICTURE)['sums'], before['sums'])


def test_norms_that_fusing_left_are_folded_in_a_copy() -> None:
    class Normed(Graph):
        size, outputs = SIZE, ('map',)

        def __init__(self) -> None:
            super().__init__()
            self.model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
            self.model[1].running_mean.uniform_()
            self.eval()

        def forward(self, image: Tensor) -> tuple[Tensor]:
            return (self.model(image / 255),)

    graph = Normed()
    copy = folded(graph)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in copy.modules())
    assert isinstance(graph.model[1], nn.BatchNorm2d)
    np.testing.assert_allclose(run_graph(copy, PICTURE)['map'], run_graph(graph, PICTURE)['map'], atol=1e-6)


@pytest.mark.parametrize(
    ('layer', 'patterns', 'named'),
    [
        ('backbone.stage1.0.conv', ('backbone.stage1',), True),
        ('backbone.stage1.0.conv', ('backbone.*.conv',), True),
        ('backbone.stage10.conv', ('backbone.stage1',), False),
        ('neck', ('backbone', 'nec?'), True),
        ('neck', (), False),
        ('', ('*',), False),
    ],
)
def test_patterns_name_a_layer_and_all_inside_it(layer: str, patterns: tuple[str, ...], named: bool) -> None:
    assert is_named(layer, patterns) == named


def test_the_picture_is_not_changed() -> None:
    kept: Picture = PICTURE.copy()
    graph: Any = Tiny()
    layer_rung('a -> b', graph, PICTURE, *values_of(graph))
    np.testing.assert_array_equal(PICTURE, kept)
