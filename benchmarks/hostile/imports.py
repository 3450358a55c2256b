"""Everything that a command imports, so that children have it from the start."""

import warnings
from importlib import import_module

import torch

MODULES = (
    *('coremltools', 'onnx', 'onnxruntime', 'onnxscript', 'supervision', 'torch._dynamo', 'torch.export'),
    *(f'{host}.{part}' for host in ('mmdet', 'mmseg', 'mmpretrain') for part in ('datasets', 'evaluation', 'models')),
    'mobileone_mm.datasets.class_folders',
    'mobileone_mm.evaluation.scoring',
    'mobileone_mm.exporter.export',
    'mobileone_mm.inspection.inspect',
    'mobileone_mm.prediction.gallery',
    'mobileone_mm.training.run',
)


def import_all() -> None:
    """Import it all."""
    torch.set_num_threads(1)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        for name in MODULES:
            import_module(name)
