"""What can be wrong with a set of boxes, found without mmdet: boxes, class names, files, too few images."""

import difflib
import math
import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mobileone_mm.errors import DataError, shown
from mobileone_mm.pictures.endings import PICTURE_ENDINGS

MIN_SIDE_PX = 1  # mmdet's COCO reader has the same floor; the log of a zero side is what makes a loss NaN
ROUNDING_PX = 1  # that a box may end outside of its image without a word


class Tally:
    """Counts what was read and what was left out of one annotation file, to be said in one line."""

    def __init__(self) -> None:
        self.kept = self.reaching = 0
        self.dropped: Counter[str] = Counter()
        self.places: list[str] = []
        self.strangers: Counter[str] = Counter()
        self._first: dict[str, str] = {}

    def drop(self, reason: str, place: str) -> None:
        """Count a box that cannot be used, and where it is."""
        self.dropped[reason] += 1
        if place not in self.places:
            self.places.append(place)

    def meet(self, stranger: str, place: str) -> None:
        """Count a box of a class that is none of the set's, and where the first one is."""
        self.strangers[stranger] += 1
        self._first.setdefault(stranger, place)

    @property
    def met(self) -> list[str]:
        """The classes that are none of the set's, in words, the most frequent first."""
        words = []
        for name, count in self.strangers.most_common():
            place = self._first[name]
            words.append(
                f'{name!r} (1 box, in {place})' if count == 1 else f'{name!r} ({count} boxes, first in {place})'
            )
        return words

    def __str__(self) -> str:
        reasons = ', '.join(f'{count} {reason}' for reason, count in sorted(self.dropped.items()))
        dropped = f'; dropped {self.dropped.total()}: {reasons}' if self.dropped else ''
        if not (self.kept or self.dropped):
            return 'no annotations'
        reaching = f', {self.reaching} of them reaching out of their images' if self.reaching else ''
        return f'{self.kept} boxes{reaching}{dropped}' + (f' (in {shown(self.places)})' if self.places else '')


def class_names(classes: Any) -> tuple[str, ...]:
    """The classes of a config's data set, checked.

    Raises:
        DataError: they are no tuple of names, each given once.
    """
    if isinstance(classes, str):
        raise DataError(f"classes={classes!r} is one string, expected a tuple; for one class write: ('{classes}',)")
    if not isinstance(classes, list | tuple) or not all(isinstance(name, str) for name in classes):
        raise DataError(f'classes={classes!r} given, expected a tuple of names; write them as texts, in quotes')
    if not classes or len(set(classes)) != len(classes):
        raise DataError(f'classes={classes!r} given, expected at least one name and none twice')
    return tuple(classes)


def box_fault(box_xyxy: Sequence[float], width: float, height: float) -> str | None:
    """Why a box cannot be trained on, or None if it can.

    Args:
        box_xyxy: left, top, right, bottom in pixels of the image.
        width: of the image, in pixels.
        height: of the image, in pixels.
    """
    if len(box_xyxy) != 4 or not all(math.isfinite(side) for side in box_xyxy):
        return 'not four finite numbers'
    left, top, right, bottom = box_xyxy
    if right - left < MIN_SIDE_PX or bottom - top < MIN_SIDE_PX:
        return 'of zero size'
    if min(right, width) <= max(left, 0) or min(bottom, height) <= max(top, 0):
        return 'outside the image'
    if left < -width or top < -height or right > 2 * width or bottom > 2 * height:
        return 'ending more than an image away'
    return None


def reaches_out(box_xyxy: Sequence[float], width: float, height: float) -> bool:
    """Whether a sound box ends outside of its image, by more than a writer's rounding."""
    left, top, right, bottom = box_xyxy
    return min(left, top) < -ROUNDING_PX or right > width + ROUNDING_PX or bottom > height + ROUNDING_PX


def numbers(texts: Iterable[Any]) -> list[float]:
    """Floats, NaN where there is no number."""
    values = []
    for text in texts:
        try:
            values.append(float(text))
        except (TypeError, ValueError):
            values.append(math.nan)
    return values


def number(value: Any) -> float:
    """A number of a JSON file as float, NaN for whatever else stands there; a text of digits is no number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return math.nan
    try:
        return float(value)
    except OverflowError:  # an integer of some hundred digits
        return math.inf


def json_box(value: Any) -> list[float]:
    """The numbers of a `bbox` of a JSON file, nothing for what is not four finite ones."""
    box = [number(side) for side in value] if isinstance(value, list) else []
    return box if len(box) == 4 and all(math.isfinite(side) for side in box) else []


def nearest(given: Iterable[str], known: Sequence[str]) -> str:
    """' (did you mean 'RBC' for 'rbc'?)', or nothing."""
    by_lower = {name.lower(): name for name in known}
    for name in given:
        close = difflib.get_close_matches(name.strip().lower(), by_lower, n=1)
        if close:
            return f' (did you mean {by_lower[close[0]]!r} for {name!r}?)'
    return ''


def require_file(path: str) -> None:
    """Refuse what would keep whoever reads it waiting, such as a pipe; what is not there is for the reader to say.

    Raises:
        OSError: something stands there that is no file.
    """
    if os.path.exists(path) and not os.path.isfile(path):
        raise OSError('a folder' if os.path.isdir(path) else 'no regular file')


def require_images(folder: str, names: Sequence[str], backend_args: Mapping[str, Any] | None) -> None:
    """Check that all images exist with one listing per folder: a stat per file takes minutes on network disks."""
    if backend_args is not None:  # not files of this machine
        return
    present: dict[str, frozenset[str]] = {}
    missing = []
    for name in names:
        parent, base = os.path.split(os.path.join(folder, name))
        if parent not in present:
            present[parent] = _listing(parent)
        if base not in present[parent]:
            missing.append(name)
    if missing:
        raise _missing_images(
            folder,
            missing,
            len(names),
            next(iter(present.values())),
            'otherwise take these images out of the annotation file',
        )


def require_stems(folder: str, stems: Sequence[str], backend_args: Mapping[str, Any] | None) -> dict[str, str]:
    """File name of each image; where several endings are there, the first of PICTURE_ENDINGS."""
    if backend_args is not None:
        return {stem: f'{stem}.jpg' for stem in stems}
    present = _listing(folder)
    ranked: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for name in present:
        stem, ending = os.path.splitext(name)
        if ending.lower() in PICTURE_ENDINGS:
            ranked[stem].append((PICTURE_ENDINGS.index(ending.lower()), name))
    missing = [stem for stem in stems if stem not in ranked]
    if missing:
        raise _missing_images(
            folder, missing, len(stems), present, 'the list needs one image name a line, without ending or more columns'
        )
    return {stem: min(ranked[stem])[1] for stem in stems}


def _listing(folder: str) -> frozenset[str]:
    return frozenset(os.listdir(folder)) if os.path.isdir(folder) else frozenset()


def _missing_images(folder: str, missing: Sequence[str], total: int, present: Iterable[str], advice: str) -> DataError:
    found = sorted(present)
    holds = f'it holds {len(found)} files: {shown(found)}' if found else 'it holds no files or does not exist'
    return DataError(
        f'{len(missing)} of {total} images are missing in {folder}: {shown(missing)}; {holds}; '
        f'set data_root and data_prefix in the config; {advice}'
    )
