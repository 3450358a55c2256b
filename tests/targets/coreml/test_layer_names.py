"""Operations of a converted program carry the layer they came from, and patterns name layers."""

from pathlib import Path

import pytest
import torch
from torch import nn

from mobileone_mm.errors import UsageError
from mobileone_mm.exporter.report import Report
from mobileone_mm.targets.coreml.layer_names import layers_of, named_by
from mobileone_mm.targets.coreml.package import open_package


class Inner(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(x).exp()


class Graph(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.model = nn.ModuleDict({'backbone': nn.Sequential(Inner(), nn.ReLU())})

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.model['backbone'](x) * 2


def test_layers_are_called_as_in_the_model() -> None:
    exported = torch.export.export(Graph(), (torch.zeros(1, 3, 2, 2),)).run_decompositions({})
    assert layers_of(exported) == {
        'conv2d': 'backbone.0.conv',
        'exp': 'backbone.0',
        'relu': 'backbone.1',
    }


def test_every_operation_of_a_package_has_its_layer(exported: Report, detector: tuple[Path, Path]) -> None:
    (block,) = (
        open_package(exported.artifact)
        .spec.pipeline.models[0]
        .mlProgram.functions['main']
        .block_specializations.values()
    )
    layers = exported.info.layers
    convolutions = [one for one in block.operations if one.type == 'conv']
    assert len(convolutions) > 10
    for one in convolutions:
        weight = one.inputs['weight'].arguments[0].name.removeprefix('p_model_').removesuffix('_weight_to_fp16')
        assert layers[one.outputs[0].name].replace('.', '_') == weight
    # What the converter added goes with the layer that reads it; joining rows belongs to none.
    assert layers['image_to_fp16'] == 'normalise'
    without = {one.type for one in block.operations if one.outputs[0].name not in layers} - {'const'}
    assert without <= {'cast', 'concat', 'pad'}


LAYERS = ('backbone.stage0.conv', 'backbone.stage10.conv', 'neck.l2_norm', 'runs.0.decode')


@pytest.mark.parametrize(
    ('patterns', 'expected'),
    [
        (('neck.l2_norm',), {'neck.l2_norm'}),
        (('neck',), {'neck.l2_norm'}),
        (('backbone.stage*',), {'backbone.stage0.conv', 'backbone.stage10.conv'}),
        (('backbone.stage1',), None),
        (('*.conv', 'runs.*'), {'backbone.stage0.conv', 'backbone.stage10.conv', 'runs.0.decode'}),
        (('*',), set(LAYERS)),
        ((), set()),
    ],
)
def test_patterns(patterns: tuple[str, ...], expected: set[str] | None) -> None:
    if expected is None:
        with pytest.raises(
            UsageError, match=r'`fp32_ops` backbone\.stage1: names none of the 4 layers, expected such as'
        ):
            named_by(patterns, LAYERS)
    else:
        assert named_by(patterns, LAYERS) == expected


def test_a_pattern_that_names_nothing_is_told_the_nearest() -> None:
    with pytest.raises(UsageError, match=r'`fp32_ops` neck\.l2norm: .* expected such as neck\.l2_norm'):
        named_by(('neck', 'neck.l2norm'), LAYERS)
