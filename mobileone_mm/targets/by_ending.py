"""The formats that can be written, by the ending of their files: one more is one module and one line here."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from mobileone_mm.artifact.card import ArtifactInfo
from mobileone_mm.artifact.ladder import Rung
from mobileone_mm.errors import UsageError
from mobileone_mm.targets.coreml import target as coreml
from mobileone_mm.targets.onnx import target as onnx
from mobileone_mm.targets.target import Target
from mobileone_mm.tasks.detection.options import ONNX_ENDING, PACKAGE_ENDING, ending_of

TARGETS: Mapping[str, Target] = {PACKAGE_ENDING: coreml.TARGET, ONNX_ENDING: onnx.TARGET}


def target_of(path: str | Path) -> Target:
    """The format of a file.

    Raises:
        UsageError: the ending is of nothing that is known.
    """
    ending = ending_of(path)
    if ending not in TARGETS:
        raise UsageError(f'{path}: ending {ending!r} given, expected {" or ".join(TARGETS)}')
    return TARGETS[ending]


def reclimb(path: str | Path, images: Sequence[str | Path] = ()) -> tuple[ArtifactInfo, list[Rung]]:
    """Judge a saved file by itself: what it says about itself, and the rungs that need neither config nor checkpoint.

    Raises:
        ExportError: it cannot be opened, or a rule of its format is broken.
        DataError: a picture cannot be read.
        UsageError: the ending is of nothing that is known.
    """
    return target_of(path).reclimb(Path(path), images)
