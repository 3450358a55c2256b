"""Stands in for mmcv's compiled extension `mmcv._ext`, where there is none: `nms` from torchvision, else a clear error.

mmcv imports its extension and asks it for every op by name, whether an op is called or not. Of those ops an SSD calls
`nms`; DeepLabV3 and the classifiers call none. The start-up finder (docs/install.md) asks this module for the spec;
torch is imported by the first call of an op, not by the look-up.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import TYPE_CHECKING, Any, NoReturn

from mobileone_mm.errors import MobileOneError

if TYPE_CHECKING:
    from torch import Tensor

SERVED_BY = 'none (mmcv._ext is served by mobileone_mm from torchvision)'
HOW_TO_COMPILE = 'docs/install.md, "A compiled mmcv"'


class MissingOpError(MobileOneError, RuntimeError):
    """An op of mmcv's compiled extension was called that is not served."""


class ServedExtensionLoader:
    """Loads the served `mmcv._ext`; also the mark by which the doctor tells it from a compiled one."""

    def create_module(self, spec: ModuleSpec) -> None:
        """Leave making the module to the import system."""

    def exec_module(self, module: ModuleType) -> None:
        """Put the served ops into `module`; any other public name answers with a function that raises."""
        module.__doc__ = __doc__
        module.__dict__.update(
            nms=nms,
            get_compiler_version=_compiler,
            get_compiling_cuda_version=_compiler,
            __getattr__=_absent_op,
        )


def served_spec(name: str) -> ModuleSpec:
    """The import spec of the served extension, for the start-up finder."""
    # The loader has all that the import system calls; its base class would only add an import of importlib.abc.
    return ModuleSpec(name, ServedExtensionLoader(), origin=__name__)  # type: ignore[arg-type]


def nms(boxes: Tensor, scores: Tensor, iou_threshold: float, offset: int) -> Tensor:
    """Indices of the boxes that non-maximum suppression keeps, as mmcv's compiled op gives them.

    A box goes if its IoU with a kept box of higher score is above the threshold; of equal scores the earlier box comes
    first. Boxes without area have no IoU and stay.

    Args:
        boxes: (N, 4) float32, x1, y1, x2, y2.
        scores: (N,), any real dtype, on the device of `boxes`.
        iou_threshold: 0..1, rounded to float32 as mmcv does.
        offset: 0, or 1 where x2 and y2 are the last pixel inside, so that width = x2 - x1 + 1.

    Returns:
        (K,) int64, by falling score, on the device of `boxes`.

    Raises:
        RuntimeError: another dtype, shape or a second device, which the compiled op refuses too.
    """
    import torch
    from torchvision.ops import nms as torchvision_nms

    _check(boxes, scores)
    order = scores.argsort(descending=True, stable=True)
    ranked = boxes.detach()[order]
    if offset:
        ranked = ranked + ranked.new_tensor([0.0, 0.0, offset, offset])
    # torchvision wants scores of the boxes' dtype: ranks are exact there, whatever the dtype of the scores was.
    ranks = torch.arange(len(order), 0, -1, dtype=boxes.dtype, device=boxes.device)
    # torchvision compares with a double. An IoU of 3/5 is above 0.6 then, but not above mmcv's float32 0.6.
    threshold = struct.unpack('f', struct.pack('f', iou_threshold))[0]
    return order[torchvision_nms(ranked, ranks, threshold)]


def _check(boxes: Tensor, scores: Tensor) -> None:
    import torch

    if boxes.dtype != torch.float32:
        raise RuntimeError(
            f'mmcv nms: boxes of {boxes.dtype} given, torch.float32 expected, as by a compiled mmcv: call boxes.float()'
        )
    if boxes.device != scores.device:
        raise RuntimeError(f'mmcv nms: boxes on {boxes.device} and scores on {scores.device}; one device expected')
    if boxes.ndim != 2 or boxes.shape[1] != 4 or scores.shape != boxes.shape[:1]:
        raise RuntimeError(
            f'mmcv nms: boxes {tuple(boxes.shape)} and scores {tuple(scores.shape)} given; (N, 4) and (N,) expected'
        )


def _compiler() -> str:
    return SERVED_BY


def _absent_op(name: str) -> Callable[..., NoReturn]:
    """A function that raises when called: mmcv only wants to see that the op is there when it is imported."""
    if name.startswith('__'):
        raise AttributeError(f'the served mmcv._ext has no attribute {name!r}')

    def absent(*args: Any, **kwargs: Any) -> NoReturn:
        raise MissingOpError(
            f'mmcv op {name!r}: not served without a compiled mmcv (mobileone_mm serves `nms` only); '
            f'to get a compiled mmcv see {HOW_TO_COMPILE}'
        )

    absent.__name__ = name
    return absent
