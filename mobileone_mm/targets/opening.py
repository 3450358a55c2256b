"""One door to run what an export wrote: the same names and shapes on every system."""

import platform
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from mobileone_mm.artifact.card import require_weights
from mobileone_mm.artifact.inputs import Array, checked_inputs
from mobileone_mm.errors import ExportError, UsageError
from mobileone_mm.targets.coreml.interpreter import open_interpreter
from mobileone_mm.targets.coreml.library import coremltools
from mobileone_mm.targets.coreml.package import open_package
from mobileone_mm.targets.onnx.file import read_onnx, weights_digest
from mobileone_mm.targets.onnx.runner import open_onnx
from mobileone_mm.tasks.detection.options import ONNX_ENDING, PACKAGE_ENDING, ending_of
from mobileone_mm.weights.checkpoint import file_sha256


class Artifact(Protocol):
    """Something that predicts."""

    @property
    def metadata(self) -> Mapping[str, str]:
        """What the file says about itself: `export.info.info_of` reads it."""

    @property
    def inputs(self) -> Iterable[Any]:
        """Descriptions of what it takes, each with a `name`."""

    def predict(self, inputs: Mapping[str, Any]) -> dict[str, Array]:
        """Outputs by name, from inputs by name: a picture is uint8 RGB (H, W, 3); thresholds may be left out.

        Raises:
            DataError: the inputs are not what it takes.
        """


@dataclass(frozen=True)
class CoreML:
    """A package that Core ML itself runs.

    Attributes:
        inputs: what the package takes (`FeatureDescription`s).
        metadata: its user-defined metadata.
        model: `coremltools.models.MLModel`.
    """

    inputs: Any
    metadata: Mapping[str, str]
    model: Any

    def predict(self, inputs: Mapping[str, Any]) -> dict[str, Array]:
        from PIL import Image

        checked = checked_inputs(self.inputs, inputs)
        given = {
            name: Image.fromarray(value) if value.dtype == np.uint8 else value if value.shape else float(value)
            for name, value in checked.items()
        }
        return {name: np.asarray(value) for name, value in self.model.predict(given).items()}


def open_artifact(path: str | Path) -> Artifact:
    """Open what an export wrote: a `.mlpackage` runs in Core ML on macOS, and in `interpret` elsewhere.

    Raises:
        UsageError: the ending is of nothing that is known.
        ExportError: it cannot be read or run.
    """
    path = Path(path)
    ending = ending_of(path)
    if ending not in OPENERS:
        raise UsageError(f'{path}: ending {ending!r} given, expected {" or ".join(OPENERS)}')
    return OPENERS[ending](path)


def _open_package(path: Path) -> Artifact:
    package = open_package(path)
    if package.weights.is_file():  # that they are missing is said by who reads them
        _require_own(path, package.metadata, file_sha256(package.weights))
    if platform.system() != 'Darwin':
        return open_interpreter(path)
    ct = coremltools()
    # Not all units: the GPU's compiler has been seen to end the process (ultralytics#24885).
    model = ct.models.MLModel(str(path), compute_units=ct.ComputeUnit.CPU_AND_NE)
    return CoreML(package.spec.description.input, package.metadata, model)


def _open_onnx(path: Path) -> Artifact:
    model = open_onnx(path)
    _require_own(path, model.metadata, weights_digest(read_onnx(path)))
    return model


def _require_own(path: Path, metadata: Mapping[str, str], sha256: str) -> None:
    try:
        require_weights(metadata, sha256)
    except ExportError as error:
        raise ExportError(f'{path}: {error}') from error


OPENERS: Mapping[str, Callable[[Path], Artifact]] = {PACKAGE_ENDING: _open_package, ONNX_ENDING: _open_onnx}
