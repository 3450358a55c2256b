"""A training pipeline of the hosts' own transforms in which pixels are touched once."""

import logging
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import cv2
import mmcv
import numpy as np
from mmcv.transforms import BaseTransform
from mmengine import fileio
from mmengine.logging import print_log
from mmengine.registry import TRANSFORMS as ROOT_TRANSFORMS

from mobileone_mm.datasets.transforms.distortion import DISTORTIONS, RECOLOURS
from mobileone_mm.datasets.transforms.moves import MOVES, Results, blank, name_of, rotate
from mobileone_mm.datasets.transforms.view import FILTERS, Pixels, Recolour, View
from mobileone_mm.errors import ConfigError, DataError, one_line, printable, shown
from mobileone_mm.pictures.decoding import reason
from mobileone_mm.pictures.encoded import Encoded, encoded
from mobileone_mm.registry import TRANSFORMS

LOADER = 'LoadImageFromFile'
WITHOUT_PICTURE = ('LoadAnnotations', 'LoadMask')  # that need no pixels of the picture
SHOWN = ('color', 'color_ignore_orientation')  # kinds of pixels that are 8 bits of BGR, whatever a file holds
DEFAULT = ('cv2', 'color')  # the loader's decoder and kind of pixels, of which JPEG can be decoded smaller
BOXES = 'hbox'  # mmdet's name of boxes along the axes
COLOURED = 3  # dimensions of a picture
UNREADABLE = (OSError, ValueError, cv2.error)
TRIED_IN_A_ROW = 1000  # pictures that cannot be read, after which mmengine's data sets give up
RESAMPLED = (('cv2', 'bilinear'), *(('pillow', name) for name in FILTERS))  # as a view does it


@TRANSFORMS.register_module()
class OneWarp(BaseTransform):  # type: ignore[misc]  # mmcv is untyped
    """Runs a list of transforms as they are written, at a fraction of the cost: crops, sizes and flips are one warp.

    What it holds is the hosts' pipeline, unchanged: LoadImageFromFile; then whatever loads boxes or a mask; then
    transforms that move pixels (Expand, MinIoURandomCrop, Resize, RandomFlip of mmdet; Resize, RandomResize,
    RandomChoiceResize with ResizeShortestEdge, RandomCrop, RandomFlip of mmseg; RandomResizedCrop, RandomFlip of
    mmpretrain); then any others. Those that move pixels draw what they would draw, by the same calls of the same
    generators, and move boxes and masks, and the picture follows in one step from the file: of what the crop shows, at
    the size of the input. A JPEG that is shown smaller by a factor of two or more is decoded smaller, which averages
    pixels that the hosts skip.

    From the first other transform on, they run as they are, with two exceptions, which draw as their hosts do as well.
    PhotoMetricDistortion is done in less time. mmseg's RandomRotate joins the warp, if only mmseg's
    PhotoMetricDistortion stands before it, which then changes colours of the picture that is warped.

    A picture that cannot be read, or that was cut short, is named in the log and replaced by another of the set.

    Args:
        transforms: their configs.
        max_unreadable: different pictures that a process (each of a loader's workers is one) goes on without.

    Raises:
        ConfigError: it does not begin with LoadImageFromFile, holds what one warp cannot stand for, or what is no
            transform's config; or `max_unreadable` is no number.
        DataError: more pictures than `max_unreadable` cannot be read, or none at all.
    """

    def __init__(self, transforms: Sequence[Mapping[str, Any]], max_unreadable: int = 10) -> None:
        _require_transforms(transforms)
        _require_number(max_unreadable)
        steps = [ROOT_TRANSFORMS.build(dict(step)) for step in transforms]
        if not steps or type(steps[0]).__name__ != LOADER:
            given = name_of(steps[0]) if steps else 'nothing'
            raise ConfigError(f'OneWarp: begins with {given}, expected {LOADER}')
        self.load, others = steps[0], steps[1:]
        pixels = (place for place, step in enumerate(others) if not _needs_no_pixels(step))
        first = next(pixels, len(others))
        self.moves, self.rest = others[:first], others[first:]
        self._moved = [(step, MOVES.get(name_of(step))) for step in self.moves]
        self._expands = any(name_of(step) == 'mmdet.Expand' for step in self.moves)
        recoloured = [step for step in self.rest[:1] if name_of(step) in RECOLOURS and not self._expands]
        self._recolour = partial(RECOLOURS[name_of(recoloured[0])], recoloured[0]) if recoloured else None
        after = self.rest[len(recoloured) :]
        self._turns = after[0] if after and self._joins_the_warp(after[0]) else None
        self._after = [(step, DISTORTIONS.get(name_of(step))) for step in after[1 if self._turns else 0 :]]
        self.max_unreadable = max_unreadable
        self._unreadable: dict[str, str] = {}  # paths, with the reason
        self._in_a_row = 0  # that could not be read
        self._require_understood()

    def _require_understood(self) -> None:
        if self.load.color_type not in SHOWN or self.load.to_float32:
            raise ConfigError(
                f'OneWarp: {LOADER} has color_type={self.load.color_type!r} and to_float32={self.load.to_float32}, '
                f'expected {" or ".join(map(repr, SHOWN))} and False; leave OneWarp out'
            )
        for step in self.moves:
            way = _way(step)
            if way not in RESAMPLED[: 1 if self._expands else None]:  # Pillow's have no colour for what lies outside
                raise ConfigError(
                    f'OneWarp: {name_of(step)} resizes by {" ".join(way)}, expected one of '
                    f'{", ".join(map(" ".join, RESAMPLED))} (with Expand, the first); leave OneWarp out'
                )
            of_segments = name_of(step) == 'mmdet.LoadAnnotations' and step.with_seg
            if of_segments or getattr(step, 'with_mask', False) or getattr(step, 'box_type', BOXES) != BOXES:
                raise ConfigError(
                    f'OneWarp: {name_of(step)} loads masks of objects or a map of segments, or boxes that are none of '
                    'mmdet; it moves boxes and the masks of mmseg; leave OneWarp out'
                )

    def _joins_the_warp(self, step: Any) -> bool:
        """Whether a transform that follows is a turn that the warp can make as well."""
        return (
            name_of(step) == 'mmseg.RandomRotate'
            and not self._expands
            and (step.center, step.auto_bound, step.pal_val) == (None, False, 0)
            and all(_way(move) == RESAMPLED[0] for move in self.moves)
        )

    @property
    def transforms(self) -> list[Any]:
        """All of them, in order."""
        return [self.load, *self.moves, *self.rest]

    def transform(self, results: Results) -> Results | None:
        """Run them; None for a picture that cannot be read."""
        try:
            picture = self._opened(results['img_path'])
        except UNREADABLE as error:
            self._skip(results['img_path'], error)
            return None
        view = View.of(picture.size if isinstance(picture, Encoded) else (picture.shape[1], picture.shape[0]))
        results['img_shape'] = results['ori_shape'] = view.shape
        for step, move in self._moved:
            results['img'] = blank(view)
            if move:
                view = move(step, results, view)
            else:
                results = step(results)
        recolour = self._recolour() if self._recolour else None
        if self._turns:
            view = rotate(self._turns, results, view)
        try:
            results['img'] = _seen(view, picture, recolour)
        except UNREADABLE as error:
            self._skip(results['img_path'], error)
            return None
        for step, distort in self._after:
            if type(step).__name__.startswith('Pack'):
                results['img'] = _by_channel(results['img'])
            results = distort(step, results) if distort else step(results)
        self._in_a_row = 0
        return results

    def _opened(self, path: str) -> Encoded | Pixels:
        """A file that may be decoded smaller, or the pixels of any other.

        Raises:
            OSError, ValueError: it cannot be read.
        """
        data: bytes = fileio.get(path, backend_args=self.load.backend_args)
        if not data:
            raise ValueError('the file is empty')
        found = encoded(data) if (self.load.imdecode_backend, self.load.color_type) == DEFAULT else None
        if found:
            return found
        try:
            picture: Pixels | None = mmcv.imfrombytes(data, self.load.color_type, backend=self.load.imdecode_backend)
        except Exception as error:  # of any kind, for a file that is no picture
            raise ValueError(reason(error)) from error
        if picture is None:
            raise ValueError('no picture that OpenCV knows')
        return picture

    def _skip(self, path: str, error: Exception) -> None:
        """Count and name a picture that cannot be read; mmengine's data sets then take another one by chance.

        Raises:
            DataError: they are too many, or nothing else has come for long.
        """
        self._in_a_row += 1
        if path in self._unreadable:
            self._require_any()
            return
        self._unreadable[path] = one_line(error)
        count = len(self._unreadable)
        if count > self.max_unreadable:
            raise DataError(
                f'{path}: cannot be read: {error}; {count} pictures cannot, expected at most {self.max_unreadable}: '
                f'{shown(self._unreadable)}; `mobileone check` names all of them'
            )
        print_log(
            printable(
                f'{path}: cannot be read: {error}; another picture is taken instead ({count} of at most '
                f'{self.max_unreadable} in this process)'
            ),
            'current',
            logging.WARNING,
        )

    def _require_any(self) -> None:
        """Refuse to look on among pictures of which none can be read: there may be fewer than `max_unreadable`.

        Raises:
            DataError: with the first of them.
        """
        if self._in_a_row >= TRIED_IN_A_ROW:
            (first, why), count = next(iter(self._unreadable.items())), len(self._unreadable)
            raise DataError(
                f'{first}: cannot be read: {why}; nor can any other of the set: {self._in_a_row} tries in a row met '
                f'only {count} such pictures: {shown(self._unreadable)}; put the files back, or mend them: '
                '`mobileone check` names all of them'
            )


def _require_transforms(given: Any) -> None:
    if not isinstance(given, list | tuple):
        raise ConfigError(f'OneWarp: transforms is {given!r}, expected a list of transforms')
    for number, step in enumerate(given):
        if not isinstance(step, Mapping) or 'type' not in step:
            raise ConfigError(f'OneWarp: transforms.{number} is {step!r}, expected a transform: dict(type=...)')


def _require_number(most: Any) -> None:
    if isinstance(most, bool) or not isinstance(most, int) or most < 0:
        raise ConfigError(f'OneWarp: max_unreadable={most!r} given, expected a whole number of pictures, at least 0')


def _seen(view: View, picture: Encoded | Pixels, recolour: Recolour | None) -> Pixels:
    if isinstance(picture, Encoded):
        return view.decoded(picture, recolour)
    return view.recoloured(picture, recolour) if recolour else view.pixels(picture)


def _by_channel(picture: Any) -> Any:
    """A picture of 8 bits (H, W, 3) as the hosts pack it: one channel after the other in memory."""
    if picture.dtype != np.uint8 or picture.ndim != COLOURED or not picture.flags.c_contiguous:
        return picture
    planes = np.empty((3, *picture.shape[:2]), np.uint8)
    cv2.split(picture, list(planes))
    return planes.transpose(1, 2, 0)


def _way(step: Any) -> tuple[str, str]:
    """By what and how a transform resizes, or the Resize that it draws a size for."""
    while hasattr(step, 'resize'):
        step = step.resize
    return getattr(step, 'backend', 'cv2'), getattr(step, 'interpolation', 'bilinear')


def _needs_no_pixels(step: Any) -> bool:
    return name_of(step) in MOVES or type(step).__name__ in WITHOUT_PICTURE


def steps_of(pipeline: Any) -> list[Any]:
    """The transforms of a data set's pipeline; those of a OneWarp one by one."""
    steps = getattr(pipeline, 'transforms', ())
    return [inner for step in steps for inner in (step.transforms if isinstance(step, OneWarp) else (step,))]
