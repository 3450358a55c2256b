"""What Core ML, Vision and Xcode want of one task: a cell, which its module fills."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from string import Template
from typing import Any

from mobileone_mm.artifact.card import Card
from mobileone_mm.artifact.inputs import Picture
from mobileone_mm.artifact.ladder import Rung
from mobileone_mm.targets.coreml.contract import Rule
from mobileone_mm.targets.coreml.interpreter import Interpreter
from mobileone_mm.targets.coreml.options import CoreMLOptions
from mobileone_mm.targets.coreml.rungs import Execution
from mobileone_mm.targets.coreml.runner import CoreMLRunner
from mobileone_mm.tasks.task import Graph


@dataclass(frozen=True)
class Cell:
    """A task's part of a package.

    Attributes:
        require: refuses options that are for another task.
        prepare: the graph as a package wants it, for these classes.
        outputs: what comes out of such a graph, as arguments of coremltools' converter.
        inner: values inside an ML program (`MIL_pb2.Block`) that are compared beside its outputs, by what to call them.
        assemble: the whole model (`Model_pb2.Model`) around an ML program, with a card.
        structure: faults in what stands where in a saved model, without which no rule can be asked.
        program_of: the ML program of a model of that structure.
        rules: beside those of every package.
        behind: checks of what stands behind the program, as it was executed here.
        in_core_ml: checks of what Core ML itself gives for the pictures against what was executed here; with no runner,
            the reason why it was not run.
        swift: the lines for an app, by a card and the name of the class that Xcode makes of the file.
    """

    require: Callable[[CoreMLOptions], None]
    prepare: Callable[[Graph, Sequence[str], CoreMLOptions], Graph]
    outputs: Callable[[Graph], Mapping[str, Any]]
    inner: Callable[[Any], Mapping[str, str]]
    assemble: Callable[[Any, Card, CoreMLOptions], Any]
    structure: Callable[[Any], Iterator[str]]
    program_of: Callable[[Any], Any]
    rules: tuple[Rule, ...]
    behind: Callable[[Interpreter, Card, Sequence[Execution]], list[Rung]]
    in_core_ml: Callable[[CoreMLRunner | str, Card, Sequence[Picture], Sequence[Execution]], list[Rung]]
    swift: Callable[[Card, str], str]


def swift_lines(name: str, **values: Any) -> str:
    """The lines of Swift of a template, its places filled in."""
    text = resources.files(__package__).joinpath('templates', f'{name}.swift').read_text('utf-8')
    return Template(text).substitute(values)
