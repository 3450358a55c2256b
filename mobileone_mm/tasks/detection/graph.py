"""The torch graphs that are exported: one picture in, plain arrays out, every size a constant.

Letters: N priors over all levels, C classes, K confidence columns (C, or padded), A priors a position, P positions of
some levels, H x W the picture in pixels.
"""

import math
from collections.abc import Mapping, Sequence
from copy import deepcopy
from itertools import groupby
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from mobileone_mm.artifact.card import BOX
from mobileone_mm.errors import ConfigError

WH_RATIO_CLIP = 16 / 1000  # DeltaXYWHBBoxCoder.decode's default: a box is at most 62.5 times its prior, or that less
SMALLEST = 1e-3  # RMS of a tensor below which its own errors say nothing: float16's steps do not get finer there
# What the converter adds to a constant's name, and what its compression adds.
PACKED = ('_quantized', '_palettized')
ENDINGS = tuple(half + packed for half in ('', '_to_fp16') for packed in ('', *PACKED))


class DetectorGraph(nn.Module):
    """A fused SSD with its normalisation, softmax and box decoding; boxes are not clipped to the picture.

    Input: RGB picture (1, 3, H, W), 0..255. Output: `raw_confidence` (N, K) in 0..1, a softmax without its background
    column, columns from C on all zero; `raw_coordinates` (N, 4): centre x, centre y, width, height as fractions of the
    picture. Row i is prior i of mmdet's order (level, y, x, prior of the position).
    """

    def __init__(self, model: Any, input_size: tuple[int, int], columns: int) -> None:
        super().__init__()
        self.model = model
        self.normalise = Normalise(model.data_preprocessor)
        self.classes: int = model.bbox_head.num_classes
        self.columns = columns
        self.padding = columns - self.classes
        assert self.padding >= 0
        runs = _runs_of_levels(model, self.normalise, input_size)
        self.runs = nn.ModuleList(runs)
        self.levels = tuple(len(run.positions) for run in runs)
        self.rows = sum(run.priors * run.total for run in runs)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        scores, deltas = self.model.bbox_head(self.model.extract_feat(self.normalise(image)))
        outputs, first = [], 0
        for run, levels in zip(self.runs, self.levels, strict=True):
            last = first + levels
            outputs.append(run(scores[first:last], deltas[first:last]))
            first = last
        confidence, coordinates = (_joined(parts, dim=0) for parts in zip(*outputs, strict=True))
        if self.padding:
            confidence = functional.pad(confidence, (0, self.padding))
        return confidence, coordinates


class Normalise(nn.Module):
    """What a model's data preprocessor does to a picture loaded as BGR, for one that comes as RGB, 0..255."""

    mean: Tensor
    scale: Tensor

    def __init__(self, data_preprocessor: Any) -> None:
        super().__init__()
        # mmcv loads BGR: a preprocessor that converts feeds RGB to its model.
        self.flip = not data_preprocessor._channel_conversion
        self.enabled: bool = data_preprocessor._enable_normalize
        if self.enabled:
            self.register_buffer('mean', data_preprocessor.mean[None].clone(), persistent=False)
            self.register_buffer('scale', 1 / data_preprocessor.std[None], persistent=False)

    def forward(self, image: Tensor) -> Tensor:
        if self.flip:
            image = image.flip(1)
        return (image - self.mean) * self.scale if self.enabled else image


class BoxDecoder(nn.Module):
    """mmdet's DeltaXYWHBBoxCoder with its priors as constants, on deltas (A, 4, P), without the clip to the picture."""

    gain: Tensor
    shift: Tensor
    size: Tensor
    log_mean: Tensor
    log_std: Tensor

    def __init__(self, priors: Tensor, coder: Any) -> None:
        """Take `priors` (A, 4, P) as centre x, centre y, width, height, fractions of the picture."""
        super().__init__()
        means = priors.new_tensor(coder.means).view(1, BOX, 1)
        stds = priors.new_tensor(coder.stds).view(1, BOX, 1)
        centre, size = priors[:, :2], priors[:, 2:]
        self.register_buffer('gain', size * stds[:, :2], persistent=False)
        self.register_buffer('shift', centre + size * means[:, :2], persistent=False)
        self.register_buffer('size', size, persistent=False)
        self.register_buffer('log_mean', means[:, 2:], persistent=False)
        self.register_buffer('log_std', stds[:, 2:], persistent=False)
        self.has_mean = bool(means[:, 2:].any())
        self.limit = abs(math.log(WH_RATIO_CLIP))

    def forward(self, deltas: Tensor) -> Tensor:
        centre, log_size = deltas[:, :2], deltas[:, 2:] * self.log_std
        if self.has_mean:
            log_size = log_size + self.log_mean
        size = log_size.clamp(-self.limit, self.limit).exp() * self.size
        return torch.cat((centre * self.gain + self.shift, size), dim=1)


class LevelRun(nn.Module):
    """Levels that follow one another with the same A: they share one softmax, one decoding and one transpose."""

    def __init__(self, positions: tuple[int, ...], priors: Tensor, coder: Any) -> None:
        """Take H * W of each level, and `priors` (A, 4, P) as `BoxDecoder` does."""
        super().__init__()
        self.positions = positions
        self.total = sum(positions)
        self.priors = priors.shape[0]
        self.decode = BoxDecoder(priors, coder)

    def forward(self, scores: list[Tensor], deltas: list[Tensor]) -> tuple[Tensor, Tensor]:
        """Turn (1, A * (C + 1), h, w) and (1, A * 4, h, w) of each level into (A * P, C) and (A * P, 4)."""
        channels = scores[0].shape[1] // self.priors
        # mmdet's background is the last column.
        confidence = self._side_by_side(scores, channels).softmax(dim=1)[:, : channels - 1]
        coordinates = self.decode(self._side_by_side(deltas, BOX))
        return self._rows(confidence, channels - 1), self._rows(coordinates, BOX)

    def _side_by_side(self, maps: list[Tensor], numbers: int) -> Tensor:
        flat = [level.reshape(1, -1, count) for level, count in zip(maps, self.positions, strict=True)]
        return _joined(flat, dim=2).reshape(self.priors, numbers, self.total)

    def _rows(self, values: Tensor, numbers: int) -> Tensor:
        return values.permute(2, 0, 1).reshape(self.total * self.priors, numbers)


def as_stored(graph: DetectorGraph, constants: Mapping[str, Any], half: bool) -> tuple[DetectorGraph, dict[str, float]]:
    """A copy that computes in float32 with the constants that a program stores, and how far they are from the graph's.

    Batch norms that fusing left are folded, as the converter does it.
    `constants` are the program's, unpacked, by name; `half` says whether it computes in float16. How far is, by the
    constant's name, its RMS error as a fraction of its RMS; infinite where it holds no number.
    """
    from mmcv.cnn import fuse_conv_bn

    copy: DetectorGraph = fuse_conv_bn(deepcopy(graph))
    errors = {}
    for name, tensor in (*copy.named_parameters(), *copy.named_buffers()):
        constant, stored = _stored(name, tensor.detach(), constants, half)
        error = _rms(stored - tensor.detach()) / _rms(tensor.detach()).clamp(min=SMALLEST)
        errors[constant] = float(error) if error.isfinite() else math.inf
        tensor.data = stored
    for name, module in copy.named_modules():
        # Its limit has no name of its own; it goes with the decoder's other constants.
        if isinstance(module, BoxDecoder) and f'b_{name}_gain_to_fp16'.replace('.', '_') in constants:
            module.limit = torch.tensor(module.limit).half().item()
    return copy, errors


def _rms(tensor: Tensor) -> Tensor:
    return tensor.double().square().mean().sqrt()


def _stored(name: str, tensor: Tensor, constants: Mapping[str, Any], half: bool) -> tuple[str, Tensor]:
    """A parameter or buffer as the program has it, and the constant's name; the converter calls them after these."""
    key = name.replace('.', '_')
    for stem in (f'p_{key}', f'b_{key}'):
        for ending in ENDINGS:
            found = constants.get(stem + ending)
            if isinstance(found, Tensor) and found.shape == tensor.shape:
                return stem + ending, found.clone()
    rounded = tensor.half().float()
    # The converter leaves an operation in float32 whose constants float16 cannot hold.
    return key, rounded if half and rounded.isfinite().all() else tensor


def require_ssd(model: Any) -> None:
    """Refuse a model that `DetectorGraph` would export wrongly.

    Raises:
        ConfigError: it is no single-stage detector with mmdet's SSDHead and DeltaXYWHBBoxCoder.
    """
    from mmdet.models.dense_heads import SSDHead
    from mmdet.models.task_modules.coders import DeltaXYWHBBoxCoder

    head = getattr(model, 'bbox_head', None)
    if not isinstance(head, SSDHead):
        given = type(model if head is None else head).__name__
        raise ConfigError(
            f'{given} given, expected an SSD (bbox_head=dict(type="mobileone_mm.SSDHead")): only SSD is exported'
        )
    coder = head.bbox_coder
    if type(coder) is not DeltaXYWHBBoxCoder or coder.add_ctr_clamp:
        raise ConfigError(f'{type(coder).__name__} given, expected DeltaXYWHBBoxCoder without add_ctr_clamp')


def _runs_of_levels(model: Any, normalise: Normalise, input_size: tuple[int, int]) -> list[LevelRun]:
    width, height = input_size
    with torch.no_grad():
        scores, _ = model.bbox_head(model.extract_feat(normalise(torch.zeros(1, 3, height, width))))
    sizes = [tuple(score.shape[-2:]) for score in scores]
    head = model.bbox_head
    levels = zip(head.num_base_priors, sizes, head.prior_generator.grid_priors(sizes, device='cpu'), strict=True)
    runs = []
    for count, run in groupby(levels, key=lambda level: level[0]):
        _, run_sizes, corners = zip(*run, strict=True)
        positions = tuple(math.prod(size) for size in run_sizes)
        fractions = _centre_form(torch.cat(corners), input_size)
        priors = fractions.view(sum(positions), count, BOX).permute(1, 2, 0).contiguous()
        runs.append(LevelRun(positions, priors, head.bbox_coder))
    return runs


def _centre_form(corners: Tensor, input_size: tuple[int, int]) -> Tensor:
    """(N, 4) x1, y1, x2, y2 in pixels to centre x, centre y, width, height in fractions of the picture."""
    low, high = corners[:, :2].double(), corners[:, 2:].double()
    pixels = low.new_tensor(input_size)
    return torch.cat(((low + high) / 2 / pixels, (high - low) / pixels), dim=1).to(corners.dtype)


def _joined(parts: Sequence[Tensor], dim: int) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.cat(list(parts), dim=dim)
