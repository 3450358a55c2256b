"""A saved Core ML package as this project writes it: its names, what it says about itself, and how to open it.

The format is specified in docs/package.md. coremltools validates nothing when it opens a package on Linux, so
neither does this module: `contract` does.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from google.protobuf.message import DecodeError  # type: ignore[import-untyped]  # stubs are a package of their own

from mobileone_mm.errors import ExportError
from mobileone_mm.export.coreml import coremltools

FORMAT_VERSION = 1
KEY_PREFIX = 'mobileone_mm.'  # of every key in the user-defined metadata

IMAGE = 'image'
RAW_CONFIDENCE, RAW_COORDINATES = 'raw_confidence', 'raw_coordinates'
CONFIDENCE, COORDINATES = 'confidence', 'coordinates'
IOU_THRESHOLD, CONFIDENCE_THRESHOLD = 'iouThreshold', 'confidenceThreshold'

SCALE_FILL = 'scaleFill'  # VNImageCropAndScaleOption: stretch to the input size, as keep_ratio=False trains
WEIGHTS = Path('Data/com.apple.CoreML/weights/weight.bin')


@dataclass(frozen=True)
class PackageInfo:
    """What a package says about itself; each field is one entry `mobileone_mm.<field>` of its metadata, as JSON.

    Attributes:
        task: 'detection'.
        config: path of the config, as it was given.
        checkpoint: path of the checkpoint, as it was given.
        checkpoint_sha256: of the checkpoint file.
        classes: the real classes, in order; columns and labels beyond them are padding.
        input_size: (width, height) in pixels.
        crop: Vision option that repeats the training's resize.
        clips_to_image: whether boxes are clipped to the picture.
        labels_per_box: how many labels one box can have.
        target: oldest system the package is for.
        precision: type the program computes in.
        iou_threshold: default of the input `iouThreshold`.
        confidence_threshold: default of the input `confidenceThreshold`.
        weights_sha256: of the file `WEIGHTS`.
        versions: of what made the package, by name.
        parity: the rungs it climbed before it was saved (`verify.Rung`), as dicts.
        format: version of this list.
    """

    task: str
    config: str
    checkpoint: str
    checkpoint_sha256: str
    classes: tuple[str, ...]
    input_size: tuple[int, int]
    crop: str
    clips_to_image: bool
    labels_per_box: int
    target: str
    precision: str
    iou_threshold: float
    confidence_threshold: float
    weights_sha256: str
    versions: Mapping[str, str]
    parity: tuple[Mapping[str, Any], ...]
    format: int = FORMAT_VERSION

    def as_metadata(self) -> dict[str, str]:
        """The entries of the user-defined metadata."""
        return {KEY_PREFIX + key: json.dumps(value, sort_keys=True) for key, value in asdict(self).items()}


def info_of(metadata: Mapping[str, str]) -> PackageInfo:
    """Read `PackageInfo` back from user-defined metadata.

    Raises:
        ExportError: an entry is missing, or is no JSON, or another version wrote it.
    """
    values: dict[str, Any] = {}
    for field in fields(PackageInfo):
        key = KEY_PREFIX + field.name
        if key not in metadata:
            raise ExportError(f'metadata: no entry {key}; expected a package written by tools/export.py')
        try:
            values[field.name] = json.loads(metadata[key])
        except json.JSONDecodeError as error:
            raise ExportError(f'metadata: {key} is {metadata[key]!r}, expected JSON') from error
    if values['format'] != FORMAT_VERSION:
        raise ExportError(f'metadata: format {values["format"]!r}, expected {FORMAT_VERSION}; export again')
    for name in ('classes', 'input_size', 'parity'):
        if not isinstance(values[name], list):
            raise ExportError(f'metadata: {KEY_PREFIX}{name} is {values[name]!r}, expected a list')
        values[name] = tuple(values[name])
    return PackageInfo(**values)


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
    """Bytes of all files in a folder."""
    return sum(file.stat().st_size for file in path.rglob('*') if file.is_file())
