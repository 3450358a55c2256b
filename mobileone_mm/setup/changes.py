"""Which changes by chance fit a detector's pictures: flips where nothing has an upside, shrinking where sizes vary."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageOps

from mobileone_mm.setup.anchors import reached, sides_of
from mobileone_mm.setup.boxes import Boxes, Resize
from mobileone_mm.setup.maps import FEW, THRESHOLD, Maps
from mobileone_mm.setup.picture_sizes import spread_over

HORIZONTAL, EVERY = ('horizontal',), ('horizontal', 'vertical', 'diagonal')
SIDED = re.compile(r'(?i)(?<![a-z])(left|right)(?![a-z])')  # in a class's name: its mirror image is of another class
LEAST_BOXES, LEAST_PICTURES = 50, 20  # that tell whether pictures have an upside
MOST_PICTURES = 64  # whose brightness is looked at
THUMBNAIL = 32  # px
MOST_TALL = 1.15  # the median of how much higher than wide, or wider than high, boxes of a class are
MOST_SHIFT = 0.05  # of the height: how far the boxes' mean centre lies off the middle
MOST_SLOPE = 0.04  # of the range: by how much the upper half is brighter or darker than the lower, on average; a lamp's
# gradient under a microscope is 0.03, and photographs of the street have more, as the sky is bright
VARIED = 2.0  # from how many times the size of the smallest boxes of a class the largest are; a tenth left out each
STILL_REACHED = 0.5  # share of the boxes that anchors still have to reach at half their size


@dataclass(frozen=True)
class Upside:
    """What tells whether pictures have an upside.

    Attributes:
        tall: of the class that is most so, how much higher than wide its boxes are in the middle, or the other way
            round; of those with few boxes none counts.
        low: where the boxes' mean centre lies, of the height: 0 at the top.
        slope: how much brighter the upper half is than the lower on average, of the range.
        enough: whether there are boxes and pictures enough to tell.
    """

    tall: float
    low: float
    slope: float
    enough: bool

    @property
    def none(self) -> bool:
        """Whether nothing tells up from down."""
        level = abs(self.low - 0.5) <= MOST_SHIFT and abs(self.slope) <= MOST_SLOPE
        return self.enough and self.tall <= MOST_TALL and level


@dataclass(frozen=True)
class Changes:
    """What a training pipeline should do with pictures by chance.

    Attributes:
        flips: the directions, as mmdet's RandomFlip has them; none where classes have sides.
        upside: why.
        sided: names of classes that a flip would turn into others.
        expand: whether to shrink pictures by `Expand`.
        spread: the median over classes of how many times larger large boxes are than small ones.
        halved: the share of the boxes that an anchor would reach at half their size.
    """

    flips: tuple[str, ...]
    upside: Upside
    sided: tuple[str, ...]
    expand: bool
    spread: float
    halved: float


def choose_changes(boxes: Boxes, maps: Maps, side: int, paths: Sequence[str]) -> Changes:
    """The changes that fit a set whose detector has these maps at an input of `side` px.

    Args:
        boxes: of the set.
        maps: that were chosen.
        side: of the input, in px.
        paths: of its pictures.
    """
    upside = _upside(boxes, paths)
    sided = tuple(name for name in boxes.classes if SIDED.search(name))
    spread = _spread(boxes)
    halves = boxes.at(Resize((side, side))) / 2
    halved = float(reached(halves, np.zeros_like(boxes.labels), maps.anchors, THRESHOLD)[0])
    flips = () if sided else EVERY if upside.none else HORIZONTAL
    return Changes(flips, upside, sided, spread >= VARIED and halved >= STILL_REACHED, spread, halved)


def _upside(boxes: Boxes, paths: Sequence[str]) -> Upside:
    wh = boxes.xyxy[:, 2:] - boxes.xyxy[:, :2]
    ratios = np.log(wh[:, 1] / wh[:, 0])
    known = [label for label in np.unique(boxes.labels) if (boxes.labels == label).sum() >= FEW]
    tall = max((float(np.exp(abs(np.median(ratios[boxes.labels == label])))) for label in known), default=1.0)
    low = float((boxes.xyxy[:, 1::2].mean(axis=1) / boxes.sizes[:, 1]).mean())
    enough = len(boxes.xyxy) >= LEAST_BOXES and len(paths) >= LEAST_PICTURES
    return Upside(tall, low, _slope(paths), enough)


def _slope(paths: Sequence[str]) -> float:
    """How much brighter the upper half of pictures is than the lower, on average, of the range; 0 of none."""
    slopes = [slope for slope in map(_slope_of, spread_over(paths, MOST_PICTURES)) if slope is not None]
    return float(np.mean(slopes)) if slopes else 0.0


def _slope_of(path: str) -> float | None:
    try:
        with Image.open(path) as image:
            image.draft('L', (THUMBNAIL, THUMBNAIL))
            small = ImageOps.exif_transpose(image.convert('L').resize((THUMBNAIL, THUMBNAIL)))
    except (OSError, ValueError, SyntaxError):  # one that cannot be read is for `mobileone check` to name
        return None
    levels = np.asarray(small, np.float64) / 255
    return float(levels[: THUMBNAIL // 2].mean() - levels[THUMBNAIL // 2 :].mean())


def _spread(boxes: Boxes) -> float:
    """How many times larger than the small boxes of a class its large ones are: the median over classes."""
    sides = sides_of(boxes.xyxy[:, 2:] - boxes.xyxy[:, :2])
    groups = [sides[boxes.labels == label] for label in np.unique(boxes.labels)]
    spreads = [np.percentile(one, 90) / np.percentile(one, 10) for one in groups if len(one) >= FEW]
    return float(np.median(spreads)) if spreads else VARIED
