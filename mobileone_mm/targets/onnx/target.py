"""ONNX files as a target: the same graph in float32."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any

import torch
from torch.nn.modules.batchnorm import _BatchNorm

from mobileone_mm import outputs
from mobileone_mm.artifact.card import IMAGE, Card, task_of
from mobileone_mm.artifact.digest import entry, require_unchanged
from mobileone_mm.artifact.formats import ONNX
from mobileone_mm.artifact.inputs import Picture
from mobileone_mm.artifact.ladder import Rung
from mobileone_mm.artifact.runner import Outputs, Runner
from mobileone_mm.errors import ExportError
from mobileone_mm.parity import FLOAT32_RELATIVE_LIMIT
from mobileone_mm.pictures.synthetic import drawn_picture
from mobileone_mm.targets.onnx import classifier, detector, segmenter
from mobileone_mm.targets.onnx.cell import Cell
from mobileone_mm.targets.onnx.contract import check_contract
from mobileone_mm.targets.onnx.convert import onnxscript, operations, show_layers, to_onnx
from mobileone_mm.targets.onnx.file import FLOATS, entries_of, file_digest, metadata_of, onnx, read_onnx, save_onnx
from mobileone_mm.targets.onnx.file import TARGET as READS
from mobileone_mm.targets.onnx.options import OnnxOptions
from mobileone_mm.targets.onnx.runner import OnnxRunner, onnxruntime, open_in_runtime
from mobileone_mm.targets.target import Described, Draft, Target
from mobileone_mm.tasks.layers import OF_MAX, Values, folded, layer_rung, name_of
from mobileone_mm.tasks.rounding import compared_by, probe_compared
from mobileone_mm.tasks.task import Graph, Task

CELLS: Mapping[str, Cell] = {
    'detection': detector.CELL,
    'segmentation': segmenter.CELL,
    'classification': classifier.CELL,
}
LAYERS_RUNG = 'graph -> saved file, layer by layer'
ONNX_RUNG = 'graph -> saved file, ONNX Runtime'


@dataclass(frozen=True)
class OpenOnnx:
    """A saved file, parsed once.

    Attributes:
        path: the file.
        model: `onnx.ModelProto`.
    """

    path: Path
    model: Any

    @property
    def metadata(self) -> Mapping[str, str]:
        return metadata_of(self.model)

    @property
    def _cell(self) -> Cell:
        # Somebody else's file says no task; it is run as it is.
        try:
            return CELLS[task_of(self.metadata, CELLS)]
        except ExportError:
            return CELLS['detection']

    @cached_property
    def runner(self) -> Runner:
        return self.whole

    @cached_property
    def whole(self) -> OnnxRunner:
        """What runs the file as it is."""
        return open_in_runtime(self.path, self.model, self._cell.numbers)

    @cached_property
    def raw(self) -> OnnxRunner:
        """What runs its graph, without what stands behind it."""
        return open_in_runtime(self.path, self._cell.cut(self.model), self._cell.numbers)

    def layer_values(self, picture: Picture) -> tuple[Outputs, Values]:
        """What its graph gives for a picture, and what its convolutions give on the way."""
        shown = self._cell.cut(self.model)
        layers = show_layers(shown)
        found = open_in_runtime(self.path, shown, self._cell.numbers).predict({IMAGE: picture})
        values = {name_of(layer): torch.from_numpy(found[output]) for output, layer in layers.items()}
        return found, values


@contextmanager
def _convert(
    graph: Graph, task: Task, classes: Sequence[str], settings: Mapping[str, Any], options: OnnxOptions
) -> Iterator[Draft]:
    cell = CELLS[task.name]
    model = to_onnx(graph, cell.graph_name, lambda converted: cell.extend(converted, graph, settings, options))

    def save(card: Card, path: Path) -> None:
        model.doc_string = card.described('')
        metadata = card.as_metadata()
        save_onnx(model, metadata | entry(file_digest(model, metadata.items())), path)

    yield Draft(
        operations=operations(model),
        layers={},
        shapes=_shapes(cell.cut(model)),
        save=save,
    )


def _shapes(model: Any) -> dict[str, list[int]]:
    return {
        output.name: [size.dim_value for size in output.type.tensor_type.shape.dim] for output in model.graph.output
    }


def _open(path: Path) -> OpenOnnx:
    opened = OpenOnnx(path, read_onnx(path))
    try:
        require_unchanged(opened.metadata, lambda: file_digest(opened.model, entries_of(opened.model)))
    except ExportError as error:
        raise ExportError(f'{path}: {error}') from error
    return opened


def _check(opened: OpenOnnx) -> Card:
    try:
        cell = CELLS[task_of(opened.metadata, CELLS)]
    except ExportError as error:
        raise ExportError(f'{opened.path}: not a sound ONNX file: {error}') from error
    return check_contract(opened.path, opened.model, cell.structure, cell.plain, cell.rules)


def _rungs(
    opened: OpenOnnx, card: Card, graph: Graph, pictures: Sequence[Picture], raw: Sequence[Outputs]
) -> list[Rung]:
    found = [opened.raw.predict({IMAGE: picture}) for picture in pictures]
    pairs = list(zip(raw, found, strict=True))
    return [
        _by_layers(opened, graph, pictures[0]),
        *compared_by(card, ONNX_RUNG, pairs, 'float32'),
        *CELLS[card.task].behind(opened.whole, card, pictures, found),
    ]


def _by_layers(opened: OpenOnnx, graph: Graph, picture: Picture) -> Rung:
    same = folded(graph)
    if any(isinstance(module, _BatchNorm) for module in same.modules()):
        note = 'not run: a batch norm is left, and what the converter makes of it is not known'
        return Rung(LAYERS_RUNG, None, FLOAT32_RELATIVE_LIMIT, OF_MAX, note)
    return layer_rung(LAYERS_RUNG, same, picture, *opened.layer_values(picture))


def _recheck(opened: OpenOnnx, card: Card, pictures: Sequence[Picture]) -> list[Rung]:
    drawn = drawn_picture(card.input_size)
    pictures = pictures or [drawn]
    found = [opened.raw.predict({IMAGE: picture}) for picture in pictures]
    return [
        *probe_compared(card, opened.raw.predict({IMAGE: drawn}), 'float32'),
        *CELLS[card.task].behind(opened.whole, card, pictures, found),
    ]


def _snippet(path: Path, card: Card) -> tuple[str, str]:
    width, height = card.input_size
    fitting = _template(f'{card.crop}.txt').substitute(width=width, height=height).rstrip()
    lines = _template(CELLS[card.task].python).substitute(
        card.settings,
        file=repr(path.name),
        classes=repr(list(card.classes)),
        width=width,
        height=height,
        fitting=fitting,
    )
    return 'In Python, with onnxruntime and opencv-python.', lines


def _template(name: str) -> Template:
    return Template(resources.files(__package__).joinpath('templates', name).read_text('utf-8'))


TARGET = Target(
    ending=ONNX,
    options=OnnxOptions,
    kind=outputs.ONNX,
    made_with=lambda: (onnx(), onnxruntime(), onnxscript()),
    require=lambda task, build, options: CELLS[task.name].require(build, options),
    describe=lambda _: Described(READS, FLOATS, FLOATS),
    convert=_convert,
    open=_open,
    check=_check,
    rungs=_rungs,
    recheck=_recheck,
    snippet=_snippet,
)
