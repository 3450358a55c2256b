"""The formats that can be written, by the ending of their files: one more is one folder and two lines here.

A format is imported when it is asked for: who writes ONNX files needs no coremltools.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mobileone_mm.artifact.formats import ARTIFACTS, ONNX, PACKAGE, ending_of
from mobileone_mm.errors import UsageError
from mobileone_mm.targets.coreml.options import CoreMLOptions
from mobileone_mm.targets.onnx.options import OnnxOptions

if TYPE_CHECKING:
    from mobileone_mm.targets.target import Saved, Target

OPTIONS: Mapping[str, type[Any]] = {PACKAGE: CoreMLOptions, ONNX: OnnxOptions}


def _core_ml() -> Target:
    from mobileone_mm.targets.coreml.target import TARGET

    return TARGET


def _onnx() -> Target:
    from mobileone_mm.targets.onnx.target import TARGET

    return TARGET


TARGETS: Mapping[str, Callable[[], Target]] = {PACKAGE: _core_ml, ONNX: _onnx}


def target_to_write(out: str | Path) -> Target:
    """The format that an output path names; a link there is called what it is called.

    Raises:
        UsageError: with the endings that are known.
    """
    return _target(out, Path(out).suffix)


def target_of(path: str | Path) -> Target:
    """The format of a file.

    Raises:
        UsageError: the ending is of nothing that is known.
    """
    return _target(path, ending_of(path))


def _target(path: str | Path, ending: str) -> Target:
    if ending not in TARGETS:
        raise UsageError(f'{path}: ending {ending!r} given, expected {" or ".join(ARTIFACTS)}')
    return TARGETS[ending]()


def open_saved(path: str | Path) -> Saved:
    """Open a saved file of any format, without judging it.

    Raises:
        UsageError: the ending is of nothing that is known.
        ExportError: it cannot be read, or holds the weights of another.
    """
    saved: Saved = target_of(path).open(Path(path))
    return saved
