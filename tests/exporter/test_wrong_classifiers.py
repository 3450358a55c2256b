"""A wrong graph of a classifier fails and a right one passes, trained or not; see test_wrong_graphs.py."""

import copy
import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from mobileone_mm.errors import ExportError, ParityError
from mobileone_mm.exporter import export as exporting
from mobileone_mm.exporter import source
from mobileone_mm.openmmlab import configs
from mobileone_mm.tasks.classification.graph import ClassifierGraph
from mobileone_mm.weights import checkpoint
from tiny_classifier import CLASSES, export_classifier, lively, write_config

MODELS = {'trained': True, 'untrained': False}
ENDINGS = ['.onnx', '.mlpackage']


def swapped_channels(graph: ClassifierGraph) -> None:
    graph.normalise.flip = not graph.normalise.flip


def wrong_mean(graph: ClassifierGraph) -> None:
    graph.normalise.mean.copy_(graph.normalise.mean.flip(1))


def wrong_deviation(graph: ClassifierGraph) -> None:
    graph.normalise.scale.mul_(1.1)


def moved_crop(graph: ClassifierGraph) -> None:
    assert graph.seen is not None
    rows, columns = graph.seen
    graph.seen = slice(rows.start + 2, rows.stop + 2), columns


def no_crop(graph: ClassifierGraph) -> None:
    graph.seen = None


def missing_bias(graph: ClassifierGraph) -> None:
    bias = graph.model.head.fc.bias
    bias.copy_(torch.where(bias == 0, 0.1, 0.0))  # an untrained one is zero; then one too many stands for one missing


def swapped_classes(graph: ClassifierGraph) -> None:
    for tensor in (graph.model.head.fc.weight, graph.model.head.fc.bias):
        tensor.copy_(tensor[[1, 0, *range(2, len(CLASSES))]])


def other_weights(graph: ClassifierGraph) -> None:
    weight = graph.model.backbone.stage1[0].reparam_conv.weight
    weight.copy_(torch.randn(weight.shape, generator=torch.Generator().manual_seed(5)) * weight.std())


MUTATIONS = [
    swapped_channels,
    wrong_mean,
    wrong_deviation,
    moved_crop,
    no_crop,
    missing_bias,
    swapped_classes,
    other_weights,
]


def mutated(graph: ClassifierGraph, mutate: Callable[[ClassifierGraph], None]) -> ClassifierGraph:
    wrong = copy.deepcopy(graph)
    with torch.no_grad():
        mutate(wrong)
    return wrong


@pytest.fixture(scope='module')
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Path]]:
    """Config and checkpoint by whether the model is as if trained."""
    made = {}
    for name, trained in MODELS.items():
        folder = tmp_path_factory.mktemp('model')
        torch.manual_seed(0)
        config_file = write_config(folder)
        model = configs.build_model(configs.load_config(config_file))
        model = lively(model) if trained else model
        meta = {'dataset_meta': {'classes': list(CLASSES)}}
        checkpoint.save_checkpoint(folder / 'best.pth', model.state_dict(), meta)
        made[name] = config_file, folder / 'best.pth'
    return made


@pytest.mark.parametrize('name', MODELS)
@pytest.mark.parametrize('ending', ENDINGS)
def test_the_right_graph_passes(ending: str, name: str, models: dict[str, tuple[Path, Path]], tmp_path: Path) -> None:
    assert not export_classifier(models[name], tmp_path / f'c{ending}').info.failed


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
        export_classifier(models[name], tmp_path / 'c.onnx')
    assert not list(tmp_path.iterdir())


def convert_otherwise(monkeypatch: pytest.MonkeyPatch, convert: Callable[..., Any]) -> None:
    """Have every format convert something else: `convert` takes the format's own function and its arguments."""

    def wrong_target(out: Path) -> Any:
        target = target_to_write(out)
        return dataclasses.replace(target, convert=lambda *args: convert(target.convert, *args))

    target_to_write = exporting.target_to_write
    monkeypatch.setattr(exporting, 'target_to_write', wrong_target)


@pytest.mark.parametrize('name', MODELS)
@pytest.mark.parametrize('mutate', MUTATIONS)
@pytest.mark.parametrize('ending', ENDINGS)
def test_a_file_that_is_not_the_graph_fails(
    ending: str,
    mutate: Callable[[Any], None],
    name: str,
    models: dict[str, tuple[Path, Path]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    convert_otherwise(monkeypatch, lambda own, graph, *args: own(mutated(graph, mutate), *args))
    with pytest.raises(ParityError, match=r'saved file|stored weights'):
        export_classifier(models[name], tmp_path / f'c{ending}')
    assert not list(tmp_path.iterdir())


def test_a_package_whose_labels_are_swapped_fails(
    models: dict[str, tuple[Path, Path]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def swapped(own: Callable[..., Any], graph: Any, task: Any, classes: Any, *args: Any) -> Any:
        return own(graph, task, (classes[1], classes[0], *classes[2:]), *args)

    convert_otherwise(monkeypatch, swapped)
    with pytest.raises(ExportError, match=r'the labels are 6, dog, cat, cow .*, the metadata say 6, cat, dog, cow'):
        export_classifier(models['trained'], tmp_path / 'c.mlpackage')
    assert not list(tmp_path.iterdir())
