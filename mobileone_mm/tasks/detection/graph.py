"""The torch graphs that are exported: one picture in, plain arrays out, every size a constant.

Letters: N priors over all levels, C classes, K confidence columns (C, or padded), A priors a position, P positions of
some levels, H x W the picture in pixels.
"""

import math
from collections.abc import Callable, Sequence
from copy import copy
from itertools import groupby
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from mobileone_mm.errors import ConfigError
from mobileone_mm.openmmlab.inputs import Normalise
from mobileone_mm.tasks.detection.rows import BOX, RAW_CONFIDENCE, RAW_COORDINATES
from mobileone_mm.tasks.task import Graph

WH_RATIO_CLIP = 16 / 1000  # DeltaXYWHBBoxCoder.decode's default: a box is at most 62.5 times its prior, or that less


class DetectorGraph(Graph):
    """A fused SSD with its normalisation, softmax and box decoding; boxes are not clipped to the picture.

    Input: RGB picture (1, 3, H, W), 0..255. Output: `raw_confidence` (N, K) in 0..1, a softmax without its background
    column, columns from C on all zero; `raw_coordinates` (N, 4): centre x, centre y, width, height as fractions of the
    picture. Row i is prior i of mmdet's order (level, y, x, prior of the position).
    """

    outputs = (RAW_CONFIDENCE, RAW_COORDINATES)

    def __init__(self, model: Any, size: tuple[int, int]) -> None:
        super().__init__()
        self.size = size
        self.model = model
        self.normalise = Normalise(model.data_preprocessor)
        self.classes: int = model.bbox_head.num_classes
        self.padding = 0
        runs = _runs_of_levels(model, self.normalise, size)
        self.runs = nn.ModuleList(runs)
        self.levels = tuple(len(run.positions) for run in runs)
        self.rows = sum(run.priors * run.total for run in runs)

    def padded(self, columns: int) -> 'DetectorGraph':
        """The same graph with columns of zeros behind those of the classes."""
        assert columns >= self.classes
        graph = copy(self)
        graph.padding = columns - self.classes
        return graph

    def round_numbers(self, in_half: Callable[[str], bool]) -> None:
        for name, module in self.named_modules():
            # Its limit has no name of its own; it goes with the decoder's other constants.
            if isinstance(module, BoxDecoder) and in_half(f'{name}.gain'):
                module.limit = torch.tensor(module.limit).half().item()

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
