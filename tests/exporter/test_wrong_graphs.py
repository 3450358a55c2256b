"""A wrong graph fails and a right one passes, however well or badly the model is conditioned.

Each mutation is made twice: in the graph, which is then not the model, and in what is converted, which is then not the
graph.
"""

import copy
import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from mobileone_mm.errors import ParityError
from mobileone_mm.exporter import export as exporting
from mobileone_mm.exporter import source
from mobileone_mm.openmmlab import configs
from mobileone_mm.tasks.detection.graph import DetectorGraph
from mobileone_mm.weights import checkpoint
from tiny_detector import CLASSES, SIZE, export_tiny, lively, write_config

MOVED = 3 / SIZE[0]  # of the picture: 3 px
BADLY_SCALED = 'weights x 3'  # by that much at each layer: float16 cannot hold what it computes
MODELS = {'trained': 1.0, 'untrained': None, BADLY_SCALED: 3.0}


def moved_prior(graph: DetectorGraph) -> None:
    graph.runs[0].decode.shift[1, 0, 2] += MOVED


def swapped_channels(graph: DetectorGraph) -> None:
    graph.normalise.flip = not graph.normalise.flip


def wrong_mean(graph: DetectorGraph) -> None:
    graph.normalise.mean.copy_(graph.normalise.mean.flip(1))


def wrong_deviation(graph: DetectorGraph) -> None:
    graph.normalise.scale.mul_(1.1)


def missing_bias(graph: DetectorGraph) -> None:
    bias = graph.model.backbone.stage1[0].reparam_conv.bias
    bias.copy_(torch.where(bias == 0, 0.1, 0.0))  # an untrained one is zero; then one too many stands for one missing


def swapped_classes(graph: DetectorGraph) -> None:
    layer = graph.model.bbox_head.cls_convs[0][-1]
    for tensor in (layer.weight, layer.bias):
        by_prior = tensor.clone().view(-1, len(CLASSES) + 1, *tensor.shape[1:])
        tensor.copy_(by_prior[:, [1, 0, *range(2, len(CLASSES) + 1)]].reshape(tensor.shape))


def other_weights(graph: DetectorGraph) -> None:
    weight = graph.model.neck.extra_layers[0][0].conv.weight
    weight.copy_(torch.randn(weight.shape, generator=torch.Generator().manual_seed(5)) * weight.std())


MUTATIONS = [
    moved_prior,
    swapped_channels,
    wrong_mean,
    wrong_deviation,
    missing_bias,
    swapped_classes,
    other_weights,
]


def mutated(graph: DetectorGraph, mutate: Callable[[DetectorGraph], None]) -> DetectorGraph:
    wrong = copy.deepcopy(graph)
    with torch.no_grad():
        mutate(wrong)
    return wrong


@pytest.fixture(scope='module')
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Path]]:
    """Config and checkpoint by what was done to the weights."""
    made = {}
    for name, factor in MODELS.items():
        folder = tmp_path_factory.mktemp('model')
        torch.manual_seed(0)
        config_file = write_config(folder)
        model = configs.build_model(configs.load_config(config_file))
        if factor is not None:
            model = lively(model, SIZE)
            with torch.no_grad():
                for layer in model.modules():
                    if isinstance(layer, nn.Conv2d):
                        layer.weight.mul_(factor)
        checkpoint.save_checkpoint(
            folder / 'best.pth', model.state_dict(), {'dataset_meta': {'classes': list(CLASSES)}}
        )
        made[name] = config_file, folder / 'best.pth'
    return made


def options_for(name: str, ending: str) -> dict[str, str]:
    return {'precision': 'fp32'} if (name, ending) == (BADLY_SCALED, '.mlpackage') else {}


@pytest.mark.parametrize('name', MODELS)
@pytest.mark.parametrize('ending', ['.onnx', '.mlpackage'])
def test_the_right_graph_passes(ending: str, name: str, models: dict[str, tuple[Path, Path]], tmp_path: Path) -> None:
    assert not export_tiny(models[name], tmp_path / f'd{ending}', **options_for(name, ending)).info.failed


@pytest.mark.parametrize('name', MODELS)
@pytest.mark.parametrize('mutate', MUTATIONS)
def test_a_graph_that_is_not_the_model_fails(
    mutate: Callable[[Any], None],
    name: str,
    models: dict[str, tuple[Path, Path]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def wrong_task(config: Any) -> Any:
        task = task_for(config)
        export = dataclasses.replace(task.export, graph=lambda *args: mutated(task.export.graph(*args), mutate))
        return dataclasses.replace(task, export=export)

    task_for = source.task_for
    monkeypatch.setattr(source, 'task_for', wrong_task)
    with pytest.raises(ParityError, match='exported graph = trained'):
        export_tiny(models[name], tmp_path / 'd.onnx')
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize('name', MODELS)
@pytest.mark.parametrize('mutate', MUTATIONS)
@pytest.mark.parametrize('ending', ['.onnx', '.mlpackage'])
def test_a_file_that_is_not_the_graph_fails(
    ending: str,
    mutate: Callable[[Any], None],
    name: str,
    models: dict[str, tuple[Path, Path]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def wrong_target(out: Path) -> Any:
        target = target_to_write(out)
        return dataclasses.replace(target, convert=lambda graph, *args: target.convert(mutated(graph, mutate), *args))

    target_to_write = exporting.target_to_write
    monkeypatch.setattr(exporting, 'target_to_write', wrong_target)
    with pytest.raises(ParityError, match=r'saved file|stored weights'):
        export_tiny(models[name], tmp_path / f'd{ending}', **options_for(name, ending))
    assert not list(tmp_path.iterdir())
