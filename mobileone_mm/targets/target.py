"""What a format has to bring so that detectors can be exported to it."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from mobileone_mm.artifact.card import ArtifactInfo
from mobileone_mm.artifact.ladder import Boxes, Rung
from mobileone_mm.pictures.reading import Picture
from mobileone_mm.tasks.detection.graph import DetectorGraph
from mobileone_mm.tasks.detection.options import DetectorOptions


@dataclass(frozen=True)
class Converted:
    """A graph in another format, not saved yet.

    Attributes:
        operations: how often each operation stands in it.
        layers: layer of the torch model, by the name of an operation's output; empty where the format says it itself.
        weights_sha256: of the weights, as the format's check computes it again.
        save: writes it with what it says about itself to a path.
    """

    operations: Mapping[str, int]
    layers: Mapping[str, str]
    weights_sha256: str
    save: Callable[[ArtifactInfo, Path], None]


@dataclass(frozen=True)
class Target:
    """A format.

    Attributes:
        recognise: whether a folder is a file of this format, where that is a folder; such a one is replaced.
        made_with: the packages that make a file, imported.
        describe: (what reads it, what it computes in, how it stores weights) under options.
        columns: K, the confidence columns for C classes.
        convert: from a graph, (width, height) and options; what was made lives as long as the context.
        climb: the rungs of a saved file, by the graph and by what that gives for pictures.
        reclimb: what a saved file says about itself, and the rungs that need nothing else but pictures.
    """

    recognise: Callable[[Path], bool] | None
    made_with: Callable[[], Sequence[ModuleType]]
    describe: Callable[[DetectorOptions], tuple[str, str, str]]
    columns: Callable[[Sequence[str], DetectorOptions], int]
    convert: Callable[[DetectorGraph, tuple[int, int], DetectorOptions], AbstractContextManager[Converted]]
    climb: Callable[[Path, ArtifactInfo, DetectorGraph, Sequence[Picture], Sequence[Boxes]], list[Rung]]
    reclimb: Callable[[Path, Sequence[str | Path]], tuple[ArtifactInfo, list[Rung]]]
