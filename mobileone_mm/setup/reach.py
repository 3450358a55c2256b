"""How many boxes of a data set a detector's anchors reach, and anchors that reach more."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import nn

from mobileone_mm.errors import ConfigError, printable
from mobileone_mm.setup.anchors import Anchors, Floats, best_ious
from mobileone_mm.setup.boxes import Boxes, Resize, boxes_of, resize_of
from mobileone_mm.setup.maps import ENOUGH, FINE, GAIN, Maps, choose_maps, maps_with
from mobileone_mm.setup.text import share

MOST_LISTED = 10  # classes in a line
FINEST = 8  # px: the stride of the finest map that we make


@dataclass(frozen=True)
class Reach:
    """What anchors reach of a set's boxes, as they are without changes by chance.

    Attributes:
        classes: names, in the order of the labels.
        counts: boxes of each class that were looked at.
        shares: of each class, the share with an anchor at the IoU from which on it is assigned; NaN without boxes.
        share: of all boxes.
        threshold: that IoU, `pos_iou_thr` of the assigner.
        rescued: the share of all boxes that get an anchor only because the best one is given to each, from an IoU of
            `min_pos_iou` on; 0 where the assigner does not do that.
        least: that IoU.
        lines: for the config's `model`, whose anchors reach notably more; empty where we know none.
        better: what those reach of all boxes.
    """

    classes: tuple[str, ...]
    counts: tuple[int, ...]
    shares: tuple[float, ...]
    share: float
    threshold: float
    rescued: float
    least: float
    lines: tuple[str, ...] = ()
    better: float = 0.0

    @property
    def low(self) -> tuple[str, ...]:
        """The classes of which too few boxes are reached, the least reached first."""
        return tuple(name for value, name in self._rows() if value < ENOUGH)

    def said(self) -> str:
        """All of it in a line, the classes that are reached least first."""
        rows = self._rows()
        listed = ', '.join(f'{printable(name)} {share(value)}' for value, name in rows[:MOST_LISTED])
        more = f', more of {len(rows) - MOST_LISTED} others' if len(rows) > MOST_LISTED else ''
        others = f'; another {share(self.rescued)} have only their best one, from an IoU of {self.least:g} on'
        return (
            f'anchors reach {share(self.share)} of the boxes at an IoU of {self.threshold:g} ({listed}{more})'
            f'{others if self.rescued else ""}'
        )

    def warning(self) -> str:
        """What to say where `low` has some: what that means, and the lines."""
        text = f'{self.said()}. Under {share(ENOUGH)} of a class, the rest is hardly learned'
        if not self.lines:
            return f'{text}. Larger inputs reach more of small boxes (docs/own_data.md)'
        inner = ''.join(f'\n    {line}' for line in self.lines)
        return f"{text}. These anchors reach {share(self.better)}; in the config's `model`:{inner}"

    def _rows(self) -> list[tuple[float, str]]:
        """The share and the name of each class that has boxes, the least reached first."""
        return sorted(row for row in zip(self.shares, self.classes, strict=True) if row[0] == row[0])


def reach_of(model: nn.Module, dataset: Any) -> Reach | None:
    """What the anchors of a detector reach in the data set that it trains on.

    None of a model without anchors that are assigned by IoU, of a pipeline that resizes to no one size, and of a set
    without boxes. Boxes of some thousand pictures are looked at.

    Args:
        model: a single-stage detector of mmdet.
        dataset: its training data, read.

    Raises:
        ConfigError: there are anchors for more maps than the model makes.
    """
    head: Any = getattr(model, 'bbox_head', None)
    generator: Any = getattr(head, 'prior_generator', None)
    assigner: Any = getattr(head, 'assigner', None)
    resize = resize_of(dataset)
    if not (hasattr(generator, 'base_anchors') and hasattr(assigner, 'pos_iou_thr') and resize):
        return None
    boxes = boxes_of(dataset)
    if not len(boxes.xyxy):
        return None
    anchors = [level.double().cpu().numpy() for level in generator.base_anchors]
    xyxy, cells = boxes.at(resize), _cells(model, resize)[: len(anchors)]  # mmdet's heads leave out further maps
    if len(cells) < len(anchors):
        raise ConfigError(
            f'model.bbox_head.anchor_generator has anchors for {len(anchors)} maps, but backbone and neck make '
            f'{len(cells)}: change its strides and sizes, or model.backbone.out_indices and the channels of the neck'
        )
    best = best_ious(xyxy, anchors, [(float(width), float(height)) for width, height in generator.strides], cells)
    threshold, least = float(assigner.pos_iou_thr), _least(assigner.min_pos_iou)
    shares = np.full(len(boxes.classes), np.nan)
    for label in np.unique(boxes.labels):
        shares[label] = (best[boxes.labels == label] >= threshold).mean()
    rescues = bool(getattr(assigner, 'match_low_quality', True))
    rescued = float(((best < threshold) & (best >= least) & (best > 0)).mean()) if rescues else 0.0
    counts = np.bincount(boxes.labels, minlength=len(boxes.classes))
    known = Reach(
        boxes.classes,
        tuple(counts.tolist()),
        tuple(shares.tolist()),
        float((best >= threshold).mean()),
        threshold,
        rescued,
        least,
    )
    return _with_lines(known, model, boxes, xyxy, resize, cells) if known.low else known


def _least(given: Any) -> float:
    """`min_pos_iou`, which may be a number or a word for any."""
    return float(given) if isinstance(given, int | float) else 0.0


def _cells(model: Any, resize: Resize) -> list[tuple[int, int]]:
    """The cells along x and y of each map at an input, found by looking at nothing: weights and statistics stay."""
    training = model.training
    device = next(model.parameters()).device
    width, height = resize.size
    try:
        with torch.no_grad():
            maps = model.eval().extract_feat(torch.zeros(1, 3, height, width, device=device))
    finally:
        model.train(training)
    return [(one.shape[-1], one.shape[-2]) for one in maps]


def _with_lines(
    known: Reach, model: nn.Module, boxes: Boxes, xyxy: Floats, resize: Resize, cells: Sequence[tuple[int, int]]
) -> Reach:
    """The same with lines for the config, if there are anchors that reach notably more; of square inputs alone."""
    side, other = resize.size
    if side != other or resize.keep_ratio:
        return known
    counts = [count for count, _ in cells]
    same = maps_with(boxes, xyxy, [round(side / count) for count in counts], counts, (), known.threshold)
    found = [(same, _anchor_lines(same.anchors))]
    widths = getattr(getattr(model, 'backbone', None), 'arch', {}).get('width_factor')
    if widths and counts[0] < side // FINEST:
        fine = choose_maps(boxes, side, known.threshold).chosen
        found += [(fine, _map_lines(fine, widths))] if fine.stages == FINE else []
    better = [one for one in found if _gains(one[0], known)]
    if not better:
        return known
    maps, lines = max(better, key=lambda one: one[0].share)
    return replace(known, lines=tuple(lines), better=maps.share)


def _gains(maps: Maps, known: Reach) -> bool:
    """Whether other maps reach notably more: of all boxes, or of a class that is reached too little."""
    pairs = zip(maps.shares, known.shares, strict=True)
    of_low = any(new > old + GAIN for new, old in pairs if old < ENOUGH)
    return maps.share > known.share + GAIN or (of_low and maps.share >= known.share)


def _anchor_lines(anchors: Anchors) -> Iterator[str]:
    yield 'bbox_head=dict('
    yield from _generator_lines(anchors)
    yield '),'


def _map_lines(maps: Maps, width_factor: Sequence[float]) -> Iterator[str]:
    channels = maps.channels(width_factor)
    yield f'backbone=dict(out_indices={maps.stages}),'
    if maps.added:
        yield 'neck=dict('
        yield f'    in_channels={channels[: len(maps.stages)]},'
        yield f'    out_channels={channels},'
        yield f'    level_strides={(2,) * maps.added},'
        yield f'    level_paddings={(1,) * maps.added},'
        yield '),'
    else:
        yield 'neck=None,'
    yield 'bbox_head=dict('
    yield f'    in_channels={channels},'
    yield from _generator_lines(maps.anchors)
    yield '),'


def _generator_lines(anchors: Anchors) -> Iterator[str]:
    yield '    anchor_generator=dict('
    yield '        _delete_=True,'
    yield "        type='YOLOAnchorGenerator',"
    yield f'        strides={list(anchors.strides)},'
    yield '        base_sizes=['
    yield from (f'            {list(shapes)},' for shapes in anchors.shapes)
    yield '        ],'
    yield '    ),'
