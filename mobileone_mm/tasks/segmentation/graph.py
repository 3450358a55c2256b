"""The torch graph that is exported: one picture in, a class map out, every size a constant.

Letters: C classes, H x W the picture in pixels, h x w the grid on which classes are chosen: H / stride x W / stride.
"""

from copy import copy, deepcopy
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from mobileone_mm.errors import ConfigError, UsageError
from mobileone_mm.openmmlab.inputs import Normalise
from mobileone_mm.tasks.segmentation.options import SegmentationOptions
from mobileone_mm.tasks.task import Graph, Size

LOGITS = 'logits'
CLASS_MAP = 'semanticPredictions'  # as in Apple's own DeepLabV3


class SegmenterGraph(Graph):
    """A fused encoder-decoder with its normalisation, the enlarging of its logits, and the choice of the best class.

    Input: RGB picture (1, 3, H, W), 0..255. Output: `logits` (1, C, h, w) float; `semanticPredictions` (H, W) int32,
    the index of the class with the largest logit, each choice a square of stride x stride pixels.
    """

    outputs: tuple[str, ...] = (LOGITS, CLASS_MAP)

    def __init__(self, model: Any, size: Size, options: SegmentationOptions) -> None:
        """Take a model that `require_encoder_decoder` lets pass.

        Raises:
            UsageError: the map stride does not fit the size, or is coarser than the model's own logits.
        """
        super().__init__()
        self.size = size
        self.options = options
        self.as_picture = False
        self.model = deepcopy(model)
        self.model.auxiliary_head = None  # of use in training alone
        self.normalise = Normalise(model.data_preprocessor)
        self.classes: int = model.decode_head.num_classes
        options.require(self.classes, size)
        self.stride = options.stride_for(self.classes)
        self.grid = grid_of(size, self.stride)
        self.enlarges = required_grid(self.model, size, self.stride) != self.grid

    def packaged(self, *, logits: bool, as_picture: bool) -> 'SegmenterGraph':
        """The same graph with or without its logits, and a map (H, W) int32 or, as a picture, (1, 1, H, W) float."""
        graph = copy(self)
        graph.outputs = self.outputs if logits else (CLASS_MAP,)
        graph.as_picture = as_picture
        return graph

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        logits = self._scores(image)
        if self.enlarges:
            logits = enlarged(logits, self.grid, self.model.decode_head.align_corners)
        classes = logits.argmax(dim=1, keepdim=True)
        if self.stride > 1:
            # As float: converters enlarge no whole numbers. Up to 2048, float16 holds each.
            classes = functional.interpolate(classes.to(logits.dtype), scale_factor=float(self.stride), mode='nearest')
        if self.as_picture:
            classes = classes.to(logits.dtype)  # whole numbers become no picture (apple/coremltools#2380)
        else:
            width, height = self.size
            classes = classes.to(torch.int32).reshape(height, width)
        return (logits, classes) if LOGITS in self.outputs else (classes,)

    def _scores(self, image: Tensor) -> Tensor:
        return scores_of(self.model, self.normalise(image))


def scores_of(model: Any, inputs: Tensor) -> Tensor:
    """An encoder-decoder's own logits (1, C, ...)."""
    scores: Tensor = model.decode_head(model.extract_feat(inputs))
    return scores


def grid_of(size: Size, stride: int) -> tuple[int, int]:
    """(height, width) of the grid on which classes are chosen."""
    width, height = size
    return height // stride, width // stride


def required_grid(model: Any, size: Size, stride: int) -> tuple[int, int]:
    """(height, width) of the logits that a model in eval mode has by itself.

    Raises:
        UsageError: the grid of this map stride is coarser.
    """
    (height, width), (rows, columns) = size[::-1], grid_of(size, stride)
    with torch.no_grad():
        own = scores_of(model, torch.zeros(1, 3, height, width)).shape[-2:]
    if own[0] > rows or own[1] > columns:
        raise UsageError(
            f'`map_stride` {stride}: gives a grid of {columns}x{rows}, the model has logits for {own[1]}x{own[0]} '
            'places, which would be thrown away; choose a smaller one'
        )
    return own[0], own[1]


def enlarged(logits: Tensor, grid: tuple[int, int], align_corners: bool) -> Tensor:
    """Logits (1, C, ...) on a grid of (height, width)."""
    return functional.interpolate(logits, size=grid, mode='bilinear', align_corners=align_corners)


def require_encoder_decoder(model: Any) -> None:
    """Refuse a model that `SegmenterGraph` would export wrongly.

    Raises:
        ConfigError: it is no EncoderDecoder that chooses one class a pixel from one head's logits, or it is tested by
            sliding a window.
    """
    from mmseg.models import EncoderDecoder
    from mmseg.models.decode_heads.decode_head import BaseDecodeHead

    head = getattr(model, 'decode_head', None)
    own = isinstance(head, BaseDecodeHead) and all(
        getattr(type(head), name) is getattr(BaseDecodeHead, name) for name in ('predict', 'predict_by_feat')
    )
    if type(model) is not EncoderDecoder or not own:
        given = type(model if head is None else head).__name__
        raise ConfigError(f'{given} given, expected an EncoderDecoder with one decode head that gives a logit a class')
    assert head is not None
    if head.out_channels != head.num_classes:
        raise ConfigError(
            f'{type(head).__name__} has out_channels={head.out_channels} for {head.num_classes} classes, expected one '
            'a class: train two classes with out_channels=2 and a softmax, not with one and a sigmoid'
        )
    if head.num_classes < 2:
        raise ConfigError(f'{type(head).__name__} has {head.num_classes} class, expected two or more to choose from')
    mode = model.test_cfg.get('mode', 'whole')
    if mode != 'whole':
        raise ConfigError(
            f"test_cfg has mode={mode!r}, expected 'whole': a package takes a picture as a whole, so test it that way"
        )
