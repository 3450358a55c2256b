"""A saved Core ML package: opened, not judged.

coremltools validates nothing when it opens a package on Linux, so neither does this module: `contract` does.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.protobuf.message import DecodeError  # type: ignore[import-untyped]  # stubs are a package of their own

from mobileone_mm.errors import ExportError
from mobileone_mm.export.coreml import coremltools

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
        raise ExportError(f'{path}: no such package folder; expected a .mlpackage written by tools/export.py')
    try:
        manifest = json.loads((path / 'Manifest.json').read_text())
        root = manifest['itemInfoEntries'][manifest['rootModelIdentifier']]['path']
        spec = coremltools().proto.Model_pb2.Model.FromString((path / 'Data' / root).read_bytes())
    except (OSError, ValueError, LookupError, TypeError, DecodeError) as error:
        raise ExportError(f'{path}: cannot be read as a Core ML package: {error}') from error
    return SavedPackage(path, spec)


def size_of(path: Path) -> int:
    """Bytes of a file, or of all files in a folder."""
    files = path.rglob('*') if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())
