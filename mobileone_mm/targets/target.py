"""What a format (a Core ML package, ...) has to bring so that models can be exported to it."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

from mobileone_mm.artifact.card import Card
from mobileone_mm.artifact.inputs import Picture
from mobileone_mm.artifact.ladder import Rung
from mobileone_mm.artifact.runner import Outputs, Runner
from mobileone_mm.atomic import Kind
from mobileone_mm.tasks.task import Graph, Task


@dataclass(frozen=True)
class Draft:
    """A graph in another format, not saved yet.

    Attributes:
        operations: how often each operation stands in it.
        layers: layer of the torch model, by the name of an operation's output; empty where the format says it itself.
        shapes: of the graph's outputs, by name.
        save: writes it with a card and a digest of both to a path.
    """

    operations: Mapping[str, int]
    layers: Mapping[str, str]
    shapes: Mapping[str, Sequence[int]]
    save: Callable[[Card, Path], None]


@dataclass(frozen=True)
class Described:
    """What options come to: what reads the file, the type it computes in, how it stores weights, layers in float32."""

    target: str
    precision: str
    weights: str
    fp32_ops: tuple[str, ...] = ()


class Saved(Protocol):
    """A file of a format, opened and parsed once; not judged."""

    @property
    def path(self) -> Path: ...

    @property
    def metadata(self) -> Mapping[str, str]:
        """What it says about itself: `tasks.by_name.read_card` reads it."""

    @property
    def runner(self) -> Runner:
        """What runs it here; made at first use."""


@dataclass(frozen=True)
class Target:
    """A format.

    Attributes:
        ending: of its files.
        options: the class of its options, a frozen dataclass whose fields all have defaults.
        kind: how an older file is told from another's.
        made_with: the packages that make a file, imported.
        require: refuses options that do not fit a task or its graph, which it may have built; before anything slow.
        describe: what options come to.
        convert: a graph of a task with these classes, under the task's settings; what was made lives as long as the
            context.
        open: a saved file, which has to be what its export wrote.
        check: what an opened file says about itself, once every rule of its format holds.
        rungs: checks of an opened file against its graph, and what that gives for pictures.
        recheck: checks of an opened file that need nothing else but pictures; without any, the drawn one.
        snippet: what to do with a file, in a sentence or two, and the lines of code for it.
    """

    ending: str
    options: Callable[..., Any]
    kind: Kind
    made_with: Callable[[], Sequence[ModuleType]]
    require: Callable[[Task, Callable[[], Graph], Any], None]
    describe: Callable[[Any], Described]
    convert: Callable[[Graph, Task, Sequence[str], Mapping[str, Any], Any], AbstractContextManager[Draft]]
    open: Callable[[Path], Any]
    check: Callable[[Any], Card]
    rungs: Callable[[Any, Card, Graph, Sequence[Picture], Sequence[Outputs]], list[Rung]]
    recheck: Callable[[Any, Card, Sequence[Picture]], list[Rung]]
    snippet: Callable[[Path, Card], tuple[str, str]]
