"""The formats that can be written, by the ending of their files: one more is one folder and one line here."""

from collections.abc import Mapping
from pathlib import Path

from mobileone_mm.artifact.formats import ending_of
from mobileone_mm.errors import UsageError
from mobileone_mm.targets.coreml.target import TARGET as CORE_ML
from mobileone_mm.targets.onnx.target import TARGET as ONNX
from mobileone_mm.targets.target import Saved, Target

TARGETS: Mapping[str, Target] = {target.ending: target for target in (CORE_ML, ONNX)}


def target_of(path: str | Path) -> Target:
    """The format of a file.

    Raises:
        UsageError: the ending is of nothing that is known.
    """
    ending = ending_of(path)
    if ending not in TARGETS:
        raise UsageError(f'{path}: ending {ending!r} given, expected {" or ".join(TARGETS)}')
    return TARGETS[ending]


def open_saved(path: str | Path) -> Saved:
    """Open a saved file of any format, without judging it.

    Raises:
        UsageError: the ending is of nothing that is known.
        ExportError: it cannot be read, or holds the weights of another.
    """
    saved: Saved = target_of(path).open(Path(path))
    return saved
