"""What a pipeline takes of a picture: crops, sizes and flips as one affine map, and the pixels by that map."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mobileone_mm.pictures.encoded import REDUCED, Encoded

Pixels = NDArray[np.uint8]
Colour = tuple[int, int, int]
Recolour = Callable[[Pixels], Pixels]  # what changes each pixel by itself
# Pillow's filters by mmcv's names; they average all pixels that fall into one, where OpenCV takes two of them a side.
FILTERS = {'bilinear': Image.Resampling.BILINEAR, 'bicubic': Image.Resampling.BICUBIC}

BLACK = (0, 0, 0)
MOST_COPIED = 4  # times the result's area: up to here, to copy a window costs less than to warp it
FLIPS = {(True, False): 1, (False, True): 0, (True, True): -1}  # OpenCV's codes, by x and by y


@dataclass(frozen=True)
class View:
    """A window of a picture, and the size and the way round that it is shown in.

    Attributes:
        left, top: where the window begins, in px of the picture, upright; it may reach out of the picture.
        wide, high: its size there.
        width, height: in px of the result.
        mirrored: whether it is shown the other way round, by x and by y.
        fill: BGR of what lies outside of the picture; None, and there its border goes on.
        turn: by how many degrees it is then turned about its middle, clockwise; corners of the result are left black.
        pillow: the filter by which Pillow resamples, a key of `FILTERS`; None, and OpenCV does, bilinearly.
    """

    left: float
    top: float
    wide: float
    high: float
    width: int
    height: int
    mirrored: tuple[bool, bool] = (False, False)
    fill: Colour | None = None
    turn: float = 0.0
    pillow: str | None = None

    @classmethod
    def of(cls, size: tuple[int, int]) -> 'View':
        """All of a picture of `size` (width, height)."""
        width, height = size
        return cls(0.0, 0.0, width, height, width, height)

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the result, as the hosts have it."""
        return self.height, self.width

    def cropped(self, left: int, top: int, right: int, bottom: int) -> 'View':
        """A part of it, in px of the result so far; larger than that where it reaches out."""
        begin, wide = _along((self.left, self.wide, self.width), (left, right), self.mirrored[0])
        above, high = _along((self.top, self.high, self.height), (top, bottom), self.mirrored[1])
        return replace(self, left=begin, top=above, wide=wide, high=high, width=right - left, height=bottom - top)

    def resized(self, width: int, height: int, pillow: str | None = None) -> 'View':
        """The same at another size, in px."""
        return replace(self, width=width, height=height, pillow=pillow)

    def flipped(self, direction: str) -> 'View':
        """The same the other way round: 'horizontal', 'vertical' or 'diagonal', as the hosts call it."""
        by_x, by_y = self.mirrored
        return replace(self, mirrored=(by_x ^ (direction != 'vertical'), by_y ^ (direction != 'horizontal')))

    def turned(self, degrees: float) -> 'View':
        """The same, turned clockwise; that comes last."""
        return replace(self, turn=degrees)

    @property
    def reduction(self) -> int:
        """By how much the picture may be decoded smaller: a key of `REDUCED`."""
        shrinks = min(self.wide / self.width, self.high / self.height)
        return max((by for by in REDUCED if by <= shrinks), default=1)

    def recoloured(self, picture: Pixels, recolour: Recolour) -> Pixels:
        """The result (height, width, 3) of the whole picture, with other colours.

        Where it is larger than its window, the window's pixels are changed, of which there are fewer. At edges that is
        not quite the same, because colours between two are then mixed from the new ones. So they are where it is
        turned, since black corners stay black.
        """
        if not self.turn and self.wide * self.high >= self.width * self.height:
            return recolour(self.pixels(picture))
        near, part = self._near(picture)
        return near.pixels(recolour(part))

    def _near(self, picture: Pixels) -> tuple['View', Pixels]:
        """The same view of the part of a picture that the window needs, and that part; it has a pixel at least."""
        height, width = picture.shape[:2]
        left, top = (min(max(0, int(begin) - 1), side - 1) for begin, side in ((self.left, width), (self.top, height)))
        right, bottom = max(left + 1, int(self.left + self.wide) + 2), max(top + 1, int(self.top + self.high) + 2)
        return replace(self, left=self.left - left, top=self.top - top), picture[top:bottom, left:right]

    def pixels(self, picture: Pixels) -> Pixels:
        """The result (height, width, 3) of the whole picture."""
        if self.turn:
            return self._turned(picture)
        cut, size = self._cut(picture), (self.width, self.height)
        if self.pillow is not None:
            box = None if cut is not None else self._box(picture)
            resized = np.array(Image.fromarray(picture if cut is None else cut).resize(size, FILTERS[self.pillow], box))
        elif cut is not None:
            resized = cv2.resize(cut, size, interpolation=cv2.INTER_LINEAR).astype(np.uint8, copy=False)
        else:
            return self._warped(picture)
        return cv2.flip(resized, FLIPS[self.mirrored]).astype(np.uint8, copy=False) if any(self.mirrored) else resized

    def _cut(self, picture: Pixels) -> Pixels | None:
        """The window as a picture of its own, which gives the hosts' result to the last bit.

        None where it does not begin and end at pixels; and where it is much larger than the result, which needs no more
        than two pixels a side of it.
        """
        place = (self.left, self.top, self.left + self.wide, self.top + self.high)
        left, top, right, bottom = whole = tuple(map(int, place))
        height, width = picture.shape[:2]
        inside = picture[max(0, top) : max(0, bottom), max(0, left) : max(0, right)]
        if whole != place:
            return None
        if not inside.size:
            return np.full((1, 1, 3), self.fill or 0, np.uint8)
        around = max(0, -top), max(0, bottom - height), max(0, -left), max(0, right - width)
        if not any(around):
            return inside
        enlarges = self.wide < self.width or self.high < self.height
        if self.fill is None or not (enlarges or self.wide * self.high <= MOST_COPIED * self.width * self.height):
            return None
        return cv2.copyMakeBorder(inside, *around, cv2.BORDER_CONSTANT, value=self.fill).astype(np.uint8, copy=False)

    def _box(self, picture: Pixels) -> tuple[float, float, float, float]:
        """The window for Pillow, which takes none that ends some hundredths of a px outside."""
        height, width = picture.shape[:2]
        right, bottom = min(width, self.left + self.wide), min(height, self.top + self.high)
        return max(0, self.left), max(0, self.top), right, bottom

    def decoded(self, picture: Encoded, recolour: Recolour | None = None) -> Pixels:
        """The result, of a picture that is decoded no larger than it has to be.

        Raises:
            ValueError: it cannot be decoded.
        """
        by = self.reduction
        pixels, (right, down) = picture.reduced(by)
        smaller = replace(
            self, left=self.left / by + right, top=self.top / by + down, wide=self.wide / by, high=self.high / by
        )
        return smaller.recoloured(pixels, recolour) if recolour else smaller.pixels(pixels)

    def _turned(self, picture: Pixels) -> Pixels:
        left, top = max(0, int(self.left)), max(0, int(self.top))
        window = picture[top : math.ceil(self.top + self.high), left : math.ceil(self.left + self.wide)]
        upright = replace(self, left=self.left - left, top=self.top - top)._matrix()
        middle = (self.width - 1) / 2, (self.height - 1) / 2
        turned = np.vstack([cv2.getRotationMatrix2D(middle, self.turn, 1.0), [0.0, 0.0, 1.0]])
        size = self.width, self.height
        return warped(window, upright @ turned, size, borderMode=cv2.BORDER_CONSTANT, borderValue=BLACK)

    def _matrix(self) -> NDArray[np.float64]:
        """(2, 3): from pixels of the result, upright, to pixels of the picture."""
        across, right = _slope(self.left, self.wide, self.width, self.mirrored[0])
        along, down = _slope(self.top, self.high, self.height, self.mirrored[1])
        return np.array([[across, 0.0, right], [0.0, along, down]])

    def _warped(self, picture: Pixels) -> Pixels:
        near, part = self._near(picture)
        return warped(
            part,
            near._matrix(),
            (self.width, self.height),
            borderMode=cv2.BORDER_REPLICATE if self.fill is None else cv2.BORDER_CONSTANT,
            borderValue=self.fill or BLACK,
        )


def warped(picture: Pixels, matrix: NDArray[np.float64], size: tuple[int, int], **border: Any) -> Pixels:
    """The picture by a matrix (2, 3) from the result's pixels to its own; four channels take OpenCV half the time."""
    four = cv2.cvtColor(picture, cv2.COLOR_BGR2BGRA)
    found = cv2.warpAffine(four, matrix, size, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, **border)
    return cv2.cvtColor(found, cv2.COLOR_BGRA2BGR).astype(np.uint8, copy=False)


def _along(axis: tuple[float, float, int], part: tuple[int, int], mirrored: bool) -> tuple[float, float]:
    """Where a part of an axis (begin and length in the picture, px of the result) begins, and how long it is."""
    begin, length, px = axis
    first, last = (px - part[1], px - part[0]) if mirrored else part
    return begin + first * length / px, (last - first) * length / px


def _slope(begin: float, length: float, px: int, mirrored: bool) -> tuple[float, float]:
    """Which pixel of the picture the first of the result is, and the next ones: centres lie at half a px."""
    step = length / px
    if mirrored:
        return -step, begin + length - step / 2 - 0.5
    return step, begin + step / 2 - 0.5
