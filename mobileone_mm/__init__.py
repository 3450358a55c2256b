"""MobileOne for OpenMMLab, and a checked way from a trained model to Core ML."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from mobileone_mm.errors import (
    CheckpointError,
    ConfigError,
    DataError,
    ExportError,
    FuseError,
    MobileOneError,
    ParityError,
    UsageError,
)

if TYPE_CHECKING:
    from mobileone_mm.evaluation.scoring import evaluate
    from mobileone_mm.exporter.export import export
    from mobileone_mm.exporter.verify import verify
    from mobileone_mm.openmmlab.shipped import config
    from mobileone_mm.prediction.gallery import predict
    from mobileone_mm.reparam import fuse, fuse_checked
    from mobileone_mm.targets.artifact import open_artifact
    from mobileone_mm.targets.coreml.options import CoreMLOptions
    from mobileone_mm.targets.onnx.options import OnnxOptions
    from mobileone_mm.tasks.detection.options import DetectionOptions
    from mobileone_mm.weights.checkpoint import load_weights

__version__ = '0.1.0'

__all__ = [
    'CheckpointError',
    'ConfigError',
    'CoreMLOptions',
    'DataError',
    'DetectionOptions',
    'ExportError',
    'FuseError',
    'MobileOneError',
    'OnnxOptions',
    'ParityError',
    'UsageError',
    'config',
    'evaluate',
    'export',
    'fuse',
    'fuse_checked',
    'load_weights',
    'open_artifact',
    'predict',
    'verify',
]

# Where each stands: torch and mmengine are imported with the first that is used, not with the package.
_DOORS = {
    'CoreMLOptions': 'targets.coreml.options',
    'DetectionOptions': 'tasks.detection.options',
    'OnnxOptions': 'targets.onnx.options',
    'config': 'openmmlab.shipped',
    'evaluate': 'evaluation.scoring',
    'export': 'exporter.export',
    'fuse': 'reparam',
    'fuse_checked': 'reparam',
    'load_weights': 'weights.checkpoint',
    'open_artifact': 'targets.artifact',
    'predict': 'prediction.gallery',
    'verify': 'exporter.verify',
}


def __getattr__(name: str) -> Any:
    """Import a door's module when the door is first used."""
    if name not in _DOORS:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    return getattr(import_module(f'{__name__}.{_DOORS[name]}'), name)


def __dir__() -> list[str]:
    return [*__all__, '__version__']
