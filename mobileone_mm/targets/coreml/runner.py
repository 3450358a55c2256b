"""Runs a package in Core ML itself, on macOS; elsewhere, `interpreter` runs it."""

import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mobileone_mm.artifact.runner import Outputs
from mobileone_mm.errors import ExportError
from mobileone_mm.targets.coreml.classify import Labels, read_labels
from mobileone_mm.targets.coreml.convert import block
from mobileone_mm.targets.coreml.features import checked_inputs
from mobileone_mm.targets.coreml.library import coremltools
from mobileone_mm.targets.coreml.package import SavedPackage


@dataclass(frozen=True)
class CoreMLRunner:
    """A package that Core ML itself runs.

    Attributes:
        path: the package.
        features: what the package takes (`FeatureDescription`s).
        model: `coremltools.models.MLModel`.
        labels: what its last operation makes of probabilities.
    """

    path: Path
    features: Any
    model: Any
    labels: Labels | None = None

    @property
    def inputs(self) -> list[str]:
        """Names of what the package takes."""
        return [feature.name for feature in self.features]

    def predict(self, inputs: Mapping[str, Any]) -> Outputs:
        """What Core ML gives: see `artifact.runner.Runner`.

        Raises:
            DataError: the inputs are not what the package takes.
            ExportError: Core ML fails.
        """
        from PIL import Image

        checked = checked_inputs(self.features, inputs)
        given = {
            name: Image.fromarray(value) if value.dtype == np.uint8 else value if value.shape else float(value)
            for name, value in checked.items()
        }
        try:
            found = self.model.predict(given)
        except Exception as error:  # its errors have no class in common
            raise ExportError(f'{self.path}: Core ML cannot run it: {" ".join(str(error).split())}') from error
        if self.labels is not None:
            return self.labels.as_numbers(found)
        return {name: np.asarray(value) for name, value in found.items()}


def runs_here() -> bool:
    """Whether this system has Core ML."""
    return platform.system() == 'Darwin'


def open_in_core_ml(package: SavedPackage) -> CoreMLRunner:
    """Load a package into Core ML.

    Raises:
        ExportError: Core ML refuses it.
    """
    ct = coremltools()
    path = os.path.realpath(package.path)  # Core ML goes by the ending, which a link need not have
    try:
        # Not all units: the GPU's compiler has been seen to end the process (ultralytics#24885).
        model = ct.models.MLModel(path, compute_units=ct.ComputeUnit.CPU_AND_NE)
    except Exception as error:  # its errors have no class in common
        raise ExportError(f'{package.path}: Core ML cannot open it: {" ".join(str(error).split())}') from error
    labels = read_labels(block(package.spec)) if package.spec.WhichOneof('Type') == 'mlProgram' else None
    return CoreMLRunner(package.path, package.spec.description.input, model, labels)
