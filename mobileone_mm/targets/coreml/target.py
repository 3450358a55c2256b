"""Core ML packages as a target."""

import logging
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from mobileone_mm import outputs
from mobileone_mm.artifact.card import KEY_PREFIX, Card, task_of
from mobileone_mm.artifact.digest import entry, require_unchanged
from mobileone_mm.artifact.formats import PACKAGE
from mobileone_mm.artifact.inputs import Picture
from mobileone_mm.artifact.ladder import Rung
from mobileone_mm.artifact.runner import Outputs, Runner
from mobileone_mm.errors import ExportError
from mobileone_mm.pictures.synthetic import drawn_picture
from mobileone_mm.targets.coreml import classifier, convert, detector, library, rungs, segmenter
from mobileone_mm.targets.coreml.cell import Cell
from mobileone_mm.targets.coreml.contract import check_contract, shape_of
from mobileone_mm.targets.coreml.interpreter import Interpreter, open_interpreter
from mobileone_mm.targets.coreml.layer_names import named_by
from mobileone_mm.targets.coreml.options import CoreMLOptions
from mobileone_mm.targets.coreml.package import WEIGHTS, SavedPackage, open_package, package_digest
from mobileone_mm.targets.coreml.runner import open_in_core_ml, runs_here
from mobileone_mm.targets.target import Described, Draft, Target
from mobileone_mm.tasks.layers import name_of
from mobileone_mm.tasks.task import Graph, Task

LOGGER = logging.getLogger(__name__)
NO_CORE_ML = 'not run: no Mac'
CELLS: Mapping[str, Cell] = {
    'detection': detector.CELL,
    'segmentation': segmenter.CELL,
    'classification': classifier.CELL,
}


@dataclass(frozen=True)
class OpenPackage:
    """A saved package, parsed once, with what runs it."""

    package: SavedPackage

    @property
    def path(self) -> Path:
        return self.package.path

    @property
    def metadata(self) -> Mapping[str, str]:
        return self.package.metadata

    @cached_property
    def interpreter(self) -> Interpreter:
        """What executes it on any system."""
        task = task_of(self.metadata, CELLS) if f'{KEY_PREFIX}task' in self.metadata else ''
        return open_interpreter(self.package, CELLS[task].inner if task else None)

    @cached_property
    def runner(self) -> Runner:
        return open_in_core_ml(self.package) if runs_here() else self.interpreter


@contextmanager
def _convert(
    graph: Graph, task: Task, classes: Sequence[str], _settings: Mapping[str, Any], options: CoreMLOptions
) -> Iterator[Draft]:
    cell = CELLS[task.name]
    with library.workspace() as folder:  # where the weights lie until they are saved
        prepared = cell.prepare(graph, classes, options)
        program, layers = convert.to_program(prepared, cell.outputs(prepared), options, folder)
        spec = program.get_spec()

        def save(card: Card, path: Path) -> None:
            assembled = cell.assemble(spec, card, options)
            digest = package_digest(assembled, Path(program.weights_dir, WEIGHTS.name))
            assembled.description.metadata.userDefined.update(entry(digest))
            library.save(assembled, program.weights_dir, path)

        yield Draft(
            operations=convert.operations(spec),
            layers=layers,
            shapes={name: shape_of(spec.description.output, name) for name in prepared.outputs},
            save=save,
        )


def _require(task: Task, build: Callable[[], Graph], options: CoreMLOptions) -> None:
    CELLS[task.name].require(options)
    if options.fp32_ops:
        named_by(
            options.fp32_ops,
            (name_of(name) for name, _ in build().named_modules() if name not in ('', 'model')),
        )


def _open(path: Path) -> OpenPackage:
    package = open_package(path)
    try:
        require_unchanged(package.metadata, lambda: package.digest)
    except ExportError as error:
        raise ExportError(f'{path}: {error}') from error
    return OpenPackage(package)


def _check(opened: OpenPackage) -> Card:
    try:
        cell = CELLS[task_of(opened.metadata, CELLS)]
    except ExportError as error:
        raise ExportError(f'{opened.path}: not a sound package: {error}') from error
    return check_contract(opened.package, cell.structure, cell.program_of, cell.rules)


def _rungs(
    opened: OpenPackage, card: Card, graph: Graph, pictures: Sequence[Picture], raw: Sequence[Outputs]
) -> list[Rung]:
    runs = rungs.execute_all(opened.interpreter, pictures, card)
    made = rungs.rungs_by_graph(opened.interpreter, card, graph, pictures, raw, runs)
    for rung in rungs.near_overflow(made):
        LOGGER.warning('%s is %.0f, %s', rung.name, rung.value, rung.note)
    return [*made, *_behind(opened, card, pictures, runs)]


def _recheck(opened: OpenPackage, card: Card, pictures: Sequence[Picture]) -> list[Rung]:
    pictures = pictures or [drawn_picture(card.input_size)]
    runs = rungs.execute_all(opened.interpreter, pictures, card)
    return [*rungs.rungs_by_itself(opened.interpreter, card, runs), *_behind(opened, card, pictures, runs)]


def _behind(
    opened: OpenPackage, card: Card, pictures: Sequence[Picture], runs: Sequence[rungs.Execution]
) -> list[Rung]:
    cell = CELLS[card.task]
    runner = open_in_core_ml(opened.package) if runs_here() else NO_CORE_ML
    return [*cell.behind(opened.interpreter, card, runs), *cell.in_core_ml(runner, card, pictures, runs)]


def _snippet(path: Path, card: Card) -> tuple[str, str]:
    """Swift lines with the class that Xcode makes of the file's name, those of docs/swift.md."""
    model = re.sub(r'\W|^(?=\d)', '_', path.stem)  # no Swift name begins with a digit
    intro = f'Drag {path.name} into Xcode, which generates the class {model} from it.'
    return intro, CELLS[card.task].swift(card, model)


TARGET = Target(
    ending=PACKAGE,
    options=CoreMLOptions,
    kind=outputs.PACKAGE,
    made_with=lambda: (library.coremltools(),),
    require=_require,
    describe=lambda options: Described(options.target, options.floats, options.stored, options.fp32_ops),
    convert=_convert,
    open=_open,
    check=_check,
    rungs=_rungs,
    recheck=_recheck,
    snippet=_snippet,
)
