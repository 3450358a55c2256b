"""How far rounding moves a graph: against the same rounding by hand, and against what a saved package shows."""

from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from mobileone_mm.artifact.card import IMAGE
from mobileone_mm.artifact.ladder import Rung
from mobileone_mm.artifact.room import FLOAT16, FLOAT32
from mobileone_mm.pictures.synthetic import drawn_picture
from mobileone_mm.targets.coreml.interpreter import open_interpreter
from mobileone_mm.targets.coreml.package import open_package
from mobileone_mm.tasks.by_name import task_named
from mobileone_mm.tasks.rounding import Rounded, noise_of, relief
from mobileone_mm.tasks.task import Graph, run_graph
from tiny_detector import SIZE, export_tiny, graph_of

PICTURE = drawn_picture(SIZE)
TASK = task_named('detection')


class Sums(Graph):
    """Two layers, an activation in place, and arithmetic of the graph's own."""

    size, outputs = SIZE, ('sums', 'parts')

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.model = nn.ModuleDict({name: nn.Conv2d(3, 3, 1) for name in ('first', 'last')})
        self.act = nn.ReLU6(inplace=True)
        self.register_buffer('scale', torch.tensor(1 / 57.0))

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        x = self.act(self.model['first'](image * self.scale))
        low, high = self.model['last'](x).chunk(2, dim=2)
        return low + high, high


def half(tensor: Tensor) -> Tensor:
    return tensor.half().float()


def by_hand(graph: Sums, image: Tensor, kept: str = '') -> tuple[Tensor, Tensor]:
    def layer(name: str, x: Tensor) -> Tensor:
        conv = graph.model[name]
        rounded = (lambda tensor: tensor) if name == kept else half
        return rounded(nn.functional.conv2d(x, rounded(conv.weight), rounded(conv.bias)))

    x = layer('first', half(image * half(graph.scale)))
    low, high = half(layer('last', half(x.clamp(0, 6)))).chunk(2, dim=2)
    return half(low + high), high


@pytest.mark.parametrize('kept', ['', 'first', 'last'])
def test_constants_and_the_output_of_every_operation_are_rounded(kept: str) -> None:
    graph = Sums()
    rounded = Rounded(graph, [kept] if kept else [])(PICTURE)
    image = torch.from_numpy(PICTURE.transpose(2, 0, 1)[None].astype(np.float32))
    with torch.no_grad():
        expected = by_hand(graph, image, kept)
    for name, tensor in zip(graph.outputs, expected, strict=True):
        np.testing.assert_array_equal(rounded[name], tensor.numpy())
    assert graph.scale == torch.tensor(1 / 57.0)  # a copy was rounded


def test_a_constant_that_float16_cannot_hold_stays() -> None:
    graph = Sums()
    with torch.no_grad():
        graph.model['first'].weight[0, 0, 0, 0] = 1e6
    kept = Rounded(graph).graph.model['first']
    assert torch.equal(kept.weight, graph.model['first'].weight)
    assert torch.equal(kept.bias, half(graph.model['first'].bias))


@pytest.mark.parametrize('fp32_ops', [(), ('bbox_head', 'runs.*')])
def test_it_is_what_a_package_shows(fp32_ops: tuple[str, ...], detector: tuple[Path, Path], tmp_path: Path) -> None:
    """An independent road to the same numbers: the converted, saved and executed package."""
    report = export_tiny(detector, tmp_path / 'd.mlpackage', fp32_ops=fp32_ops)
    executed = open_interpreter(open_package(report.artifact)).raw({IMAGE: PICTURE})
    graph = graph_of(detector)
    rounded, raw = Rounded(graph, fp32_ops)(PICTURE), run_graph(graph, PICTURE)
    for name, values in rounded.items():
        found = executed[name][:, : values.shape[1]]
        moved = np.abs(found - raw[name]).max()
        assert moved > 0
        assert np.abs(found - values).max() <= 0.2 * moved


def test_noise_is_the_worst_of_the_pictures(detector: tuple[Path, Path]) -> None:
    graph, pictures = graph_of(detector), [PICTURE, PICTURE[::-1].copy(), np.full_like(PICTURE, 128)]
    alone = [noise_of(TASK, graph, [picture], half=True) for picture in pictures]
    together = noise_of(TASK, graph, pictures, half=True)
    assert set(together) == {FLOAT32, FLOAT16}
    for kind, distances in together.items():
        assert distances == {unit: max(one[kind].get(unit, 0.0) for one in alone) for unit in ('score', 'px')}
    assert 0 < together[FLOAT32]['score'] < 1e-5 < together[FLOAT16]['score'] < 0.1
    assert set(noise_of(TASK, graph, [PICTURE], half=False)) == {FLOAT32}


def test_float32_is_measured_against_float64(detector: tuple[Path, Path]) -> None:
    graph = graph_of(detector)
    exact, full = run_graph(deepcopy(graph).double(), PICTURE), run_graph(graph, PICTURE)
    assert {values.dtype.name for values in exact.values()} == {'float64'}
    expected = np.abs(exact['raw_confidence'] - full['raw_confidence']).max()
    assert noise_of(TASK, graph, [PICTURE], half=False)[FLOAT32]['score'] == expected


def test_what_is_no_number_is_left_out(detector: tuple[Path, Path]) -> None:
    graph = graph_of(detector)
    with torch.no_grad():
        graph.model.backbone.stage0.reparam_conv.weight.mul_(1e5)  # overflows float16 alone
    noise = noise_of(TASK, graph, [PICTURE], half=True)
    assert set(noise[FLOAT32]) == {'score', 'px'}
    assert noise[FLOAT16] == {}


def test_relief_names_the_layers_that_matter(detector: tuple[Path, Path]) -> None:
    graph = graph_of(detector)
    with torch.no_grad():
        for layer in graph.model.bbox_head.cls_convs:  # large numbers that cancel: only here does float16 hurt
            conv = layer[-1]
            conv.bias.add_(2000)
    (score, *_) = TASK.export.compare('a -> b', [(run_graph(graph, PICTURE), Rounded(graph)(PICTURE))], SIZE, FLOAT16)
    assert not score.holds
    said = relief(TASK, graph, [PICTURE], [score], [])
    assert "`fp32_ops` 'bbox_head.cls_convs'" in said
    assert '`precision` fp32' in said
    named = said.split("'")[1::2]
    helped, *_ = TASK.export.compare(
        'a -> b', [(run_graph(graph, PICTURE), Rounded(graph, named)(PICTURE))], SIZE, FLOAT16
    )
    assert helped.holds


def test_relief_says_so_when_no_few_layers_help(detector: tuple[Path, Path]) -> None:
    nothing = Rung('a -> b', 1.0, 1e-9, 'score')
    said = relief(TASK, graph_of(detector), [PICTURE], [nothing], [])
    assert said.startswith('float16 loses most in ')
    assert said.endswith('`precision` fp32 computes all in float32')
