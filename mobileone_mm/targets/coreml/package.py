"""A saved Core ML package: opened, not judged.

coremltools validates nothing when it opens a package on Linux, so neither does this module: `contract` does.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from mobileone_mm.errors import ExportError
from mobileone_mm.outputs import file_sha256
from mobileone_mm.targets.coreml.library import coremltools

MANIFEST = 'Manifest.json'
WEIGHTS = Path('Data/com.apple.CoreML/weights/weight.bin')


@dataclass(frozen=True)
class SavedPackage:
    """A package folder with its parsed specification (`Model_pb2.Model`)."""

    path: Path
    spec: Any

    @property
    def weights(self) -> Path:
        """The weight file, which may be missing."""
        return self.path / WEIGHTS

    @cached_property
    def weights_sha256(self) -> str | None:
        """Of the weight file; None where it is missing."""
        return file_sha256(self.weights) if self.weights.is_file() else None

    @property
    def metadata(self) -> Mapping[str, str]:
        """The user-defined metadata."""
        return dict(self.spec.description.metadata.userDefined)


def open_package(path: str | Path) -> SavedPackage:
    """Open a saved `.mlpackage` folder.

    Raises:
        ExportError: no such folder, or its specification cannot be read.
    """
    path = Path(path)
    if not path.is_dir():
        raise ExportError(f'{path}: no such package folder; expected a .mlpackage as an export writes it')
    model = _model_file(path)
    model_type = coremltools().proto.Model_pb2.Model
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]  # late: it comes with coremltools

    try:
        spec = model_type.FromString(model.read_bytes())
    except (OSError, DecodeError) as error:
        raise ExportError(
            f'{path}: {model.relative_to(path)} cannot be read as a Core ML model, it is cut or damaged: {error}'
        ) from error
    return SavedPackage(path, spec)


def _model_file(path: Path) -> Path:
    """The file in a package that its manifest calls the model."""
    manifest = path / MANIFEST
    if not manifest.is_file():
        raise ExportError(f'{path}: no file {MANIFEST} in it; expected a .mlpackage as an export writes it')
    try:
        entries = json.loads(manifest.read_text('utf-8'))
        name = Path(entries['itemInfoEntries'][entries['rootModelIdentifier']]['path'])
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise ExportError(f'{path}: {MANIFEST} names no model, it is cut or damaged') from error
    file = path / 'Data' / name
    if name.is_absolute() or '..' in name.parts or not file.is_file():
        raise ExportError(f'{path}: {MANIFEST} names the model {str(name)!r}, and no such file is in Data')
    return file
