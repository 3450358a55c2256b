"""Runs a package in Core ML itself, on macOS; elsewhere, `interpreter` runs it."""

import platform
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mobileone_mm.artifact.runner import Outputs
from mobileone_mm.targets.coreml.features import checked_inputs
from mobileone_mm.targets.coreml.library import coremltools
from mobileone_mm.targets.coreml.package import SavedPackage


@dataclass(frozen=True)
class CoreMLRunner:
    """A package that Core ML itself runs.

    Attributes:
        features: what the package takes (`FeatureDescription`s).
        model: `coremltools.models.MLModel`.
    """

    features: Any
    model: Any

    @property
    def inputs(self) -> list[str]:
        """Names of what the package takes."""
        return [feature.name for feature in self.features]

    def predict(self, inputs: Mapping[str, Any]) -> Outputs:
        """What Core ML gives: see `artifact.runner.Runner`."""
        from PIL import Image

        checked = checked_inputs(self.features, inputs)
        given = {
            name: Image.fromarray(value) if value.dtype == np.uint8 else value if value.shape else float(value)
            for name, value in checked.items()
        }
        return {name: np.asarray(value) for name, value in self.model.predict(given).items()}


def runs_here() -> bool:
    """Whether this system has Core ML."""
    return platform.system() == 'Darwin'


def open_in_core_ml(package: SavedPackage) -> CoreMLRunner:
    """Load a package into Core ML."""
    ct = coremltools()
    # Not all units: the GPU's compiler has been seen to end the process (ultralytics#24885).
    model = ct.models.MLModel(str(package.path), compute_units=ct.ComputeUnit.CPU_AND_NE)
    return CoreMLRunner(package.spec.description.input, model)
