"""A saved Core ML package: opened, and not judged but for this: what is read here is all that Core ML could read.

coremltools validates nothing when it opens a package on Linux. The rules of our own packages are `contract`'s.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from mobileone_mm.artifact.digest import digest_of, known_copy, within
from mobileone_mm.errors import ExportError, shown
from mobileone_mm.outputs import file_sha256
from mobileone_mm.targets.coreml.library import coremltools

MANIFEST, MANIFEST_VERSION = 'Manifest.json', '1.0.0'
DATA = 'Data'
MODEL_ITEM, WEIGHTS_ITEM = 'com.apple.CoreML/model.mlmodel', 'com.apple.CoreML/weights'
MODEL = Path(DATA, MODEL_ITEM)
WEIGHTS = Path(DATA, WEIGHTS_ITEM, 'weight.bin')
WEIGHT_FILE = '@model_path/weights/weight.bin'  # what a program calls it
FOLDERS = {DATA, MODEL.parent.as_posix(), WEIGHTS.parent.as_posix()}
FILES = {MANIFEST, MODEL.as_posix(), WEIGHTS.as_posix()}
# What Core ML passes over: macOS leaves the one in any folder that is looked at, coremltools the other in a package.
BESIDE = ('.DS_Store', 'executorch_debug_handle_mapping.json')
EXPECTED = 'expected a .mlpackage as an export writes it'


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

    @cached_property
    def digest(self) -> str:
        """Of all that decides what it gives: see `package_digest`.

        Raises:
            ExportError: its weights are missing, or it has fields that are not known here.
        """
        if not self.weights.is_file():
            raise ExportError(f'the weights are missing: no file {WEIGHTS}')
        return package_digest(self.spec, self.weights)


def package_digest(spec: Any, weights: Path) -> str:
    """The digest of a package with this specification (`Model_pb2.Model`) and weight file.

    Whatever people may write into a package in Xcode or by coremltools is left out: author, description, licence,
    version, descriptions of inputs and outputs, and entries of the metadata that nobody reads.

    Raises:
        ExportError: the specification has fields that are not known here.
    """
    bare = known_copy(spec)
    bare.description.ClearField('metadata')
    for feature in (*bare.description.input, *bare.description.output):
        feature.ClearField('shortDescription')
    return digest_of(bare, spec.description.metadata.userDefined.items(), {WEIGHT_FILE: file_sha256(weights)})


def open_package(path: str | Path) -> SavedPackage:
    """Open a saved `.mlpackage` folder.

    Raises:
        ExportError: no such folder; it, or its manifest, or its program names files that are not where coremltools puts
            them; or its specification cannot be read.
    """
    path = Path(path)
    if not path.is_dir():
        raise ExportError(f'{path}: no such package folder; {EXPECTED}')
    _require_files(path)
    _require_manifest(path)
    model_type = coremltools().proto.Model_pb2.Model
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]  # late: it comes with coremltools

    try:
        spec = model_type.FromString((path / MODEL).read_bytes())
    except (OSError, DecodeError) as error:
        raise ExportError(f'{path}: {MODEL} cannot be read as a Core ML model, cut or damaged: {error}') from error
    foreign = {one.fileName for one in within(spec, 'BlobFileValue')} - {WEIGHT_FILE}
    if foreign:
        raise ExportError(f'{path}: constants lie in {_listed(foreign)}, expected them in {WEIGHT_FILE}')
    return SavedPackage(path, spec)


def _require_manifest(path: Path) -> None:
    """Refuse a manifest that names anything but the model and the folder of its weights, where they belong."""
    if not (path / MANIFEST).is_file():
        raise ExportError(f'{path}: no file {MANIFEST} in it; {EXPECTED}')
    try:
        manifest = json.loads((path / MANIFEST).read_text('utf-8'), object_pairs_hook=_without_doubles)
        items = {key: item['path'] for key, item in manifest['itemInfoEntries'].items()}
        root, version = items.pop(manifest['rootModelIdentifier']), manifest['fileFormatVersion']
        if root is None:
            raise ValueError('no path')
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise ExportError(f'{path}: {MANIFEST} names no model, it is cut or damaged') from error
    if version != MANIFEST_VERSION:
        raise ExportError(f'{path}: {MANIFEST} is of version {_listed([version])}, expected {MANIFEST_VERSION}')
    if root != MODEL_ITEM:
        raise ExportError(f'{path}: {MANIFEST} names the model {_listed([root])}, expected {MODEL_ITEM}')
    others = list(items.values())
    if others not in ([], [WEIGHTS_ITEM]):
        raise ExportError(f'{path}: {MANIFEST} names {_listed(others)} beside the model, expected {WEIGHTS_ITEM}')
    if not (path / MODEL).is_file():
        raise ExportError(f'{path}: {MANIFEST} names a model, and there is no file {MODEL}')


def _require_files(path: Path) -> None:
    """Refuse links, and whatever does not belong into a package."""
    links, foreign = [], []
    for folder in (path, *(path / name for name in FOLDERS)):
        for entry in folder.iterdir() if folder.is_dir() else ():
            name = entry.relative_to(path).as_posix()
            if entry.is_symlink():
                links.append(name)
            elif name not in (FOLDERS if entry.is_dir() else FILES) and entry.name not in BESIDE:
                foreign.append(name)
    if links:
        raise ExportError(f'{path}: links in it lead elsewhere: {_listed(links)}; put what they lead to in their place')
    if foreign:
        raise ExportError(f'{path}: holds what does not belong into a package: {_listed(foreign)}; {EXPECTED}')


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object, of which two readers could take another one of two entries with one name."""
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError('a name stands twice')
    return made


def _listed(names: Iterable[Any]) -> str:
    """Names out of a file, as a message may show them."""
    return shown(sorted(repr(name) for name in names))
