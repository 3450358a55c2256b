"""Which maps a detector looks at, with which anchors: an SSD's as the paper's config has them, or one finer."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mobileone_mm.models.backbones.variants import BASE_CHANNELS
from mobileone_mm.setup.anchors import Anchors, Floats, anchors_of, reached, sides_of, suited_from
from mobileone_mm.setup.boxes import Boxes, Resize

THRESHOLD = 0.5  # IoU from which on an anchor learns a box: `pos_iou_thr` of the assigner
ENOUGH = 0.8  # share of a class's boxes that an anchor should reach
FEW = 10  # boxes; what a class with fewer lacks decides nothing
GAIN = 0.05  # by which a finer map, or more anchors, has to raise the share of what is reached
COUNTS = (4, 6)  # anchors of a cell: as many as fit most sets, and as many as the paper's config has
EXTRA_CHANNELS = (512, 256, 256, 128)  # of the maps that SSDNeck adds, as in configs/_base_/ssdlite.py
FINE, COARSE = (1, 2, 3), (2, 3)  # the backbone's stages that make maps: from a stride of 8 px on, or of 16
FINE_EXTRA, COARSE_EXTRA = 2, 4  # maps that SSDNeck adds to them: up to so many, and always so many
LARGE = 0.01  # share of the boxes that should be large enough for a map that is added to FINE


@dataclass(frozen=True)
class Maps:
    """Maps of a detector and the anchors on them.

    Attributes:
        stages: the backbone's stages that make the first maps, as in its `out_indices`.
        anchors: on all maps.
        shares: of each class, the share of its boxes that an anchor reaches; NaN of one without boxes.
        share: of all boxes.
    """

    stages: tuple[int, ...]
    anchors: Anchors
    shares: tuple[float, ...]
    share: float

    @property
    def added(self) -> int:
        """How many maps a neck adds to those of the backbone."""
        return len(self.anchors.strides) - len(self.stages)

    def channels(self, width_factor: Sequence[float]) -> tuple[int, ...]:
        """Of each map, with a backbone of these widths."""
        widths = [int(BASE_CHANNELS[stage] * width_factor[stage]) for stage in self.stages]
        return (*widths, *EXTRA_CHANNELS[: self.added])

    def worst(self, counts: Sequence[int]) -> int | None:
        """The class that is reached least, of those with boxes enough to tell; None where none has."""
        known = [index for index, count in enumerate(counts) if count >= FEW]
        return min(known, key=lambda index: self.shares[index], default=None)


@dataclass(frozen=True)
class Choice:
    """The maps that were chosen, and what they were chosen over.

    Attributes:
        chosen: what a config should have.
        coarse: the best without a map of a stride of 8 px.
        counts: boxes of each class.
    """

    chosen: Maps
    coarse: Maps
    counts: tuple[int, ...]


def strides_of(side: int, stages: Sequence[int]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Strides and cells of all maps at an input of `side` px: halved and rounded up from one to the next."""
    cells = [-(-side // 2 ** (stages[0] + 2))]
    while len(cells) < len(stages) + (FINE_EXTRA if tuple(stages) == FINE else COARSE_EXTRA):
        cells.append(-(-cells[-1] // 2))
    return tuple(round(side / count) for count in cells), tuple(cells)


def choose_maps(boxes: Boxes, side: int, threshold: float = THRESHOLD) -> Choice:
    """The maps and anchors for a set, at an input of `side` x `side` px.

    A map of a stride of 8 px costs time, and is chosen where it reaches notably more: of all boxes, or of a class
    whose boxes too few anchors reach without it. Then maps that are coarser than the backbone's are left out if hardly
    a box is large enough for them, which saves as much.

    Args:
        boxes: the set.
        side: of the input, in px.
        threshold: IoU from which on an anchor reaches a box.
    """
    xyxy = boxes.at(Resize((side, side)))
    counts = tuple(np.bincount(boxes.labels, minlength=len(boxes.classes)).tolist())
    coarse = maps_with(boxes, xyxy, *strides_of(side, COARSE), COARSE, threshold)
    strides, cells = strides_of(side, FINE)
    sides = sides_of(xyxy[:, 2:] - xyxy[:, :2])
    used = len(FINE) + sum((sides >= suited_from(stride)).mean() >= LARGE for stride in strides[len(FINE) :])
    fine = maps_with(boxes, xyxy, strides[:used], cells[:used], FINE, threshold)
    return Choice(fine if _is_better(fine, coarse, counts) else coarse, coarse, counts)


def maps_with(
    boxes: Boxes,
    xyxy: Floats,
    strides: Sequence[int],
    cells: Sequence[int],
    stages: Sequence[int],
    threshold: float = THRESHOLD,
) -> Maps:
    """The anchors that fit a set on given maps: more to a cell only where that reaches notably more.

    Args:
        boxes: the set.
        xyxy: (N, 4) its boxes in px of the input.
        strides: of the maps.
        cells: of the maps.
        stages: of the backbone that make the first maps.
        threshold: IoU from which on an anchor reaches a box.
    """
    found = []
    for count in COUNTS:
        anchors = anchors_of(xyxy[:, 2:] - xyxy[:, :2], boxes.labels, strides, cells, count)
        shares = np.full(len(boxes.classes), np.nan)
        shares[np.unique(boxes.labels)] = reached(xyxy, boxes.labels, anchors, threshold)
        every = float(reached(xyxy, np.zeros_like(boxes.labels), anchors, threshold)[0])
        found.append(Maps(tuple(stages), anchors, tuple(shares.tolist()), every))
    few, many = found
    return many if many.share > few.share + GAIN else few


def _is_better(fine: Maps, coarse: Maps, counts: Sequence[int]) -> bool:
    if fine.share > coarse.share + GAIN:
        return True
    worst = coarse.worst(counts)
    return worst is not None and coarse.shares[worst] < ENOUGH and fine.shares[worst] > coarse.shares[worst] + GAIN
