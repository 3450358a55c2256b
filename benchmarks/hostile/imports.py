"""Everything that a command imports, so that children have it from the start."""

import os

for name in ('OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS', 'MKL_NUM_THREADS'):
    os.environ.setdefault(name, '1')  # a child of a process with threads has locks that nobody opens

import logging
import warnings

import torch

torch.set_num_threads(1)
logging.disable(logging.NOTSET)
with warnings.catch_warnings():
    warnings.simplefilter('ignore')
    import coremltools
    import mmdet.datasets
    import mmdet.evaluation
    import mmdet.models
    import mmpretrain.datasets
    import mmpretrain.evaluation
    import mmpretrain.models
    import mmseg.datasets
    import mmseg.evaluation
    import mmseg.models
    import onnx
    import onnxruntime
    import onnxscript
    import supervision
    import torch._dynamo
    import torch.export
    import torch.onnx._internal.exporter._core

    import mobileone_mm.datasets.class_folders
    import mobileone_mm.evaluation.scoring
    import mobileone_mm.exporter.export
    import mobileone_mm.inspection.inspect
    import mobileone_mm.prediction.gallery
    import mobileone_mm.training.run
