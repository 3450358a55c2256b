"""What an ONNX file has of one task: a cell, which its module fills."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mobileone_mm.artifact.card import Card
from mobileone_mm.artifact.inputs import Picture
from mobileone_mm.artifact.ladder import Rung
from mobileone_mm.artifact.runner import Outputs
from mobileone_mm.targets.onnx.contract import Rule
from mobileone_mm.targets.onnx.options import OnnxOptions
from mobileone_mm.targets.onnx.runner import Numbers, OnnxRunner
from mobileone_mm.tasks.task import Graph


@dataclass(frozen=True)
class Cell:
    """A task's part of a file.

    Attributes:
        graph_name: of the ONNX graph.
        require: refuses options that are for another task, or a graph, which it may have built.
        extend: makes the ONNX form of the graph (`onnx.GraphProto`) what a file holds, under a task's settings.
        cut: a copy of a model (`onnx.ModelProto`) that gives what the graph gives.
        plain: the operations of a model that compute in float32.
        numbers: inputs that are one number.
        structure: faults in the names of a saved model, without which no rule can be asked.
        rules: beside those of every file.
        behind: checks of what stands behind the graph, by what the graph gives for the pictures.
        python: name of the template of the lines for a program.
    """

    graph_name: str
    require: Callable[[Callable[[], Graph], OnnxOptions], None]
    extend: Callable[[Any, Graph, Mapping[str, Any], OnnxOptions], None]
    cut: Callable[[Any], Any]
    plain: Callable[[Any], Sequence[Any]]
    numbers: Numbers
    structure: Callable[[Any], Iterator[str]]
    rules: tuple[Rule, ...]
    behind: Callable[[OnnxRunner, Card, Sequence[Picture], Sequence[Outputs]], list[Rung]]
    python: str
