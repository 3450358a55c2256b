"""A wrong segmenter fails and a right one passes, however well or badly the model is conditioned.

Each mutation is made twice: in the graph, which is then not the model, and in what is converted, which is then not the
graph. Others are made in the file that was saved.
"""

import copy
import dataclasses
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import onnx
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from mobileone_mm.artifact.card import Card
from mobileone_mm.errors import ExportError, ParityError
from mobileone_mm.exporter import export as exporting
from mobileone_mm.exporter import source
from mobileone_mm.openmmlab import configs
from mobileone_mm.targets.target import Draft
from mobileone_mm.tasks.segmentation.graph import LOGITS, SegmenterGraph, enlarged
from mobileone_mm.weights import checkpoint
from programs import change_spec, save_changed_onnx
from tiny_segmenter import CLASSES, SIZE, export_segmenter, lively, write_config

BADLY_SCALED = 'weights x 3'  # by that much at each layer: float16 cannot hold what it computes
MODELS = {'trained': 1.0, 'untrained': None, BADLY_SCALED: 3.0}
ENDINGS = ('.onnx', '.mlpackage')
STRIDE = 4

Mutate = Callable[[SegmenterGraph], None]


def swapped_channels(graph: SegmenterGraph) -> None:
    graph.normalise.flip = not graph.normalise.flip


def wrong_mean(graph: SegmenterGraph) -> None:
    graph.normalise.mean.copy_(graph.normalise.mean.flip(1))


def wrong_deviation(graph: SegmenterGraph) -> None:
    graph.normalise.scale.mul_(1.1)


def changed_bias(graph: SegmenterGraph) -> None:
    bias = graph.model.backbone.stage1[0].reparam_conv.bias
    bias.copy_(torch.where(bias == 0, 0.1, 0.0))  # an untrained one is zero


def swapped_classes(graph: SegmenterGraph) -> None:
    layer = graph.model.decode_head.conv_seg
    for tensor in (layer.weight, layer.bias):
        tensor.copy_(tensor[[1, 0, *range(2, len(CLASSES))]].clone())


def other_weights(graph: SegmenterGraph) -> None:
    weight = graph.model.decode_head.aspp_modules[1].conv.weight
    weight.copy_(torch.randn(weight.shape, generator=torch.Generator().manual_seed(5)) * weight.std())


def lost_dilation(graph: SegmenterGraph) -> None:
    conv = graph.model.backbone.stage4[0].reparam_conv
    assert conv.dilation == (2, 2)
    conv.dilation = conv.padding = (1, 1)


def flipped_corners(graph: SegmenterGraph) -> None:
    graph.model.decode_head.align_corners = not graph.model.decode_head.align_corners


class Rewired(SegmenterGraph):
    """A segmenter that enlarges its logits, chooses the classes and fills the map as it is told to."""

    enlarge: Callable[..., Tensor]
    choose: Callable[[Tensor], Tensor]
    fill: Callable[[Tensor], Tensor]

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        logits = self.enlarge(self._scores(image), self.grid, self.model.decode_head.align_corners)
        classes = self.choose(logits).argmax(dim=1, keepdim=True).to(logits.dtype)
        classes = self.fill(functional.interpolate(classes, scale_factor=float(self.stride), mode='nearest'))
        if not self.as_picture:
            classes = classes.to(torch.int32).reshape(self.size[::-1])
        return (logits, classes) if LOGITS in self.outputs else (classes,)


def rewired(
    graph: SegmenterGraph,
    enlarge: Callable[..., Tensor] = enlarged,
    choose: Callable[[Tensor], Tensor] = lambda logits: logits,
    fill: Callable[[Tensor], Tensor] = lambda classes: classes,
) -> None:
    graph.__class__ = Rewired
    graph.enlarge, graph.choose, graph.fill = enlarge, choose, fill


def prolonged(planes: Tensor, step: int) -> Tensor:
    """With the last column and row once more, `step` times."""
    wider = torch.cat([planes, *[planes[..., -1:]] * step], dim=3)
    return torch.cat([wider, *[wider[..., -1:, :]] * step], dim=2)


def without_half_pixels(logits: Tensor, grid: tuple[int, int], _align_corners: bool) -> Tensor:
    """Enlarged with pixel i at place i * h / H, as a resize without half pixels does: half a pixel away."""
    return enlarged(prolonged(logits, 1), (grid[0] + 1, grid[1] + 1), True)[..., :-1, :-1]


def moved_logits(graph: SegmenterGraph) -> None:
    rewired(graph, enlarge=without_half_pixels)


def reversed_order(graph: SegmenterGraph) -> None:
    """The best class is sought from the last to the first, and counted from there."""
    rewired(graph, choose=lambda logits: logits.flip(1))


def renumbered(graph: SegmenterGraph) -> None:
    """The same of the map that is made of the choice."""
    rewired(graph, fill=lambda classes: len(CLASSES) - 1 - classes)


def moved_choice(graph: SegmenterGraph) -> None:
    """The logits stay where they are, the classes move."""
    rewired(graph, choose=lambda logits: pulled(logits, 1))


def moved_squares(graph: SegmenterGraph) -> None:
    """Each square of a coarse map begins half a square too early."""
    rewired(graph, fill=lambda classes: pulled(classes, graph.stride // 2))


def finer_grid(graph: SegmenterGraph) -> None:
    graph.stride //= 2
    graph.grid = (2 * graph.grid[0], 2 * graph.grid[1])


def pulled(planes: Tensor, step: int) -> Tensor:
    """Moved to the left and upwards."""
    return prolonged(planes, step)[..., step:, step:]


def nothing(graph: SegmenterGraph) -> None:
    """Another way to write the same."""
    rewired(graph)


MUTATIONS = [
    swapped_channels,
    wrong_mean,
    wrong_deviation,
    changed_bias,
    swapped_classes,
    other_weights,
    lost_dilation,
    flipped_corners,
    moved_logits,
    reversed_order,
    renumbered,
]
# These show only where a map has more than one class, which an untrained model's has not.
OF_THE_MAP: list[tuple[Mutate, dict[str, Any]]] = [
    (moved_logits, {'logits': True}),
    (moved_choice, {'logits': True}),
    (moved_choice, {}),
    (moved_squares, {'map_stride': STRIDE}),
]
OF_GRAPHS = [(mutate, name, {}) for mutate in MUTATIONS for name in MODELS] + [
    (mutate, name, options)
    for mutate, options in OF_THE_MAP
    for name in ('trained', BADLY_SCALED)
    if 'logits' not in options  # which a graph always gives
]
OF_FILES = (
    [(mutate, 'trained', {}) for mutate in MUTATIONS]
    + [(mutate, name, {}) for mutate in (moved_logits, renumbered) for name in ('untrained', BADLY_SCALED)]
    + [(mutate, 'trained', options) for mutate, options in OF_THE_MAP]
)


def mutated(graph: SegmenterGraph, mutate: Mutate) -> SegmenterGraph:
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
        config_file = write_config(folder, output_stride=8)  # with dilations in the last two stages
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


def wrong_graph(monkeypatch: pytest.MonkeyPatch, mutate: Mutate) -> None:
    def wrong_task(config: Any) -> Any:
        task = task_for(config)
        export = dataclasses.replace(task.export, graph=lambda *args: mutated(task.export.graph(*args), mutate))
        return dataclasses.replace(task, export=export)

    task_for = source.task_for
    monkeypatch.setattr(source, 'task_for', wrong_task)


def wrong_file(monkeypatch: pytest.MonkeyPatch, mutate: Mutate) -> None:
    def wrong_target(out: Path) -> Any:
        target = target_to_write(out)
        return dataclasses.replace(target, convert=lambda graph, *args: target.convert(mutated(graph, mutate), *args))

    target_to_write = exporting.target_to_write
    monkeypatch.setattr(exporting, 'target_to_write', wrong_target)


@pytest.mark.parametrize(
    ('name', 'options'),
    [*((name, {}) for name in MODELS), ('trained', {'logits': True}), ('trained', {'map_stride': STRIDE})],
)
@pytest.mark.parametrize('ending', ENDINGS)
def test_the_right_graph_passes(
    ending: str, name: str, options: dict[str, Any], models: dict[str, tuple[Path, Path]], tmp_path: Path
) -> None:
    report = export_segmenter(models[name], tmp_path / f's{ending}', **options, **options_for(name, ending))
    assert not report.info.failed


def test_another_way_to_write_the_same_passes(
    models: dict[str, tuple[Path, Path]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for wrong in (wrong_graph, wrong_file):
        wrong(monkeypatch, nothing)
        assert not export_segmenter(models['trained'], tmp_path / 's.mlpackage', map_stride=STRIDE).info.failed


@pytest.mark.parametrize(('mutate', 'name', 'options'), OF_GRAPHS)
def test_a_graph_that_is_not_the_model_fails(
    mutate: Mutate,
    name: str,
    options: dict[str, Any],
    models: dict[str, tuple[Path, Path]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wrong_graph(monkeypatch, mutate)
    with pytest.raises(ParityError, match='exported graph = trained'):
        export_segmenter(models[name], tmp_path / 's.onnx', **options)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(('mutate', 'name', 'options'), OF_FILES)
@pytest.mark.parametrize('ending', ENDINGS)
def test_a_file_that_is_not_the_graph_fails(
    ending: str,
    mutate: Mutate,
    name: str,
    options: dict[str, Any],
    models: dict[str, tuple[Path, Path]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wrong_file(monkeypatch, mutate)
    # An ONNX file that chooses from something else than its logits breaks a rule of its format.
    with pytest.raises((ParityError, ExportError), match=r'saved file|stored weights|ArgMax is over'):
        export_segmenter(models[name], tmp_path / f's{ending}', **options, **options_for(name, ending))
    assert not list(tmp_path.iterdir())


def test_a_graph_of_another_stride_fails(
    models: dict[str, tuple[Path, Path]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong_graph(monkeypatch, finer_grid)
    with pytest.raises(ParityError, match=r'logits of shape \(1, 4, 32, 48\) given, \(1, 4, 16, 24\) expected'):
        export_segmenter(models['trained'], tmp_path / 's.onnx', map_stride=STRIDE)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize('ending', ENDINGS)
def test_a_file_of_another_stride_fails(
    ending: str, models: dict[str, tuple[Path, Path]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong_file(monkeypatch, finer_grid)
    with pytest.raises(ExportError, match=r'1x4x32x48, .*1x4x16x24'):
        export_segmenter(models['trained'], tmp_path / f's{ending}', map_stride=STRIDE)
    assert not list(tmp_path.iterdir())


def spoilt_file(monkeypatch: pytest.MonkeyPatch, change: Callable[[Card], Card], spoil: Callable[[Path], None]) -> None:
    """Saved with another card, and changed afterwards."""

    def wrong_target(out: Path) -> Any:
        target = target_to_write(out)

        def save(draft: Draft, card: Card, path: Path) -> None:
            draft.save(change(card), path)
            spoil(path)

        @contextmanager
        def convert(*args: Any) -> Iterator[Draft]:
            with target.convert(*args) as draft:
                yield dataclasses.replace(draft, save=partial(save, draft))

        return dataclasses.replace(target, convert=convert)

    target_to_write = exporting.target_to_write
    monkeypatch.setattr(exporting, 'target_to_write', wrong_target)


def same(given: Any) -> Any:
    return given


def untouched(_path: Path) -> None:
    pass


def other_labels(card: Card) -> Card:
    return dataclasses.replace(card, classes=card.classes[::-1])


def half_a_pixel_away(path: Path) -> None:
    """The last resize as a converter might write it: without half pixels."""
    if path.suffix == '.onnx':
        model = onnx.load(path)
        resize = [node for node in model.graph.node if node.op_type == 'Resize' and b'linear' in modes(node)][-1]
        for attribute in resize.attribute:
            if attribute.name == 'coordinate_transformation_mode':
                attribute.s = b'asymmetric'
        save_changed_onnx(model, path)
    else:
        change_spec(path, other_corners)


def modes(node: Any) -> list[bytes]:
    return [attribute.s for attribute in node.attribute if attribute.name == 'mode']


def other_corners(spec: Any) -> None:
    (block,) = spec.mlProgram.functions['main'].block_specializations.values()
    last = [operation for operation in block.operations if operation.type == 'upsample_bilinear'][-1]
    name = last.inputs['align_corners'].arguments[0].name
    constant = next(operation for operation in block.operations if operation.outputs[0].name == name)
    value = constant.attributes['val'].immediateValue.tensor.bools
    value.values[0] = not value.values[0]


@pytest.mark.parametrize('options', [{}, {'logits': True}, {'map_stride': STRIDE}], ids=str)
@pytest.mark.parametrize('ending', ENDINGS)
def test_a_resize_that_was_changed_in_the_file_fails(
    ending: str,
    options: dict[str, Any],
    models: dict[str, tuple[Path, Path]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    spoilt_file(monkeypatch, same, half_a_pixel_away)
    with pytest.raises(ParityError, match='saved file = graph, layer by layer'):
        export_segmenter(models['trained'], tmp_path / f's{ending}', **options)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize('ending', ENDINGS)
def test_labels_in_another_order_fail(
    ending: str, models: dict[str, tuple[Path, Path]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoilt_file(monkeypatch, other_labels, untouched)
    with pytest.raises(ExportError, match='its metadata have other classes than it was saved with'):
        export_segmenter(models['trained'], tmp_path / f's{ending}')
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize('ending', ENDINGS)
def test_a_file_that_is_left_alone_passes(
    ending: str, models: dict[str, tuple[Path, Path]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoilt_file(monkeypatch, same, untouched)
    assert not export_segmenter(models['trained'], tmp_path / f's{ending}').info.failed
