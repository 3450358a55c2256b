"""What can be wrong with a set of boxes, found without mmdet: boxes, class names, files."""

import difflib
import math
import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mobileone_mm.errors import DataError

MIN_SIDE_PX = 1  # mmdet's COCO reader has the same floor; the log of a zero side is what makes a loss NaN
NAMES_SHOWN = 5  # how many files, names or ids a message lists before it only counts
IMAGE_ENDINGS = ('.jpg', '.jpeg', '.png', '.bmp', '.tif', '.tiff', '.webp')  # in the order VOC stems are looked for


class Tally:
    """Counts what was read and what was left out of one annotation file, to be said in one line."""

    def __init__(self) -> None:
        self.kept = 0
        self.dropped: Counter[str] = Counter()
        self.places: list[str] = []
        self.strangers: Counter[str] = Counter()

    def drop(self, reason: str, place: str) -> None:
        """Count a box that cannot be used, and where it is."""
        self.dropped[reason] += 1
        if place not in self.places:
            self.places.append(place)

    def __str__(self) -> str:
        reasons = ', '.join(f'{count} {reason}' for reason, count in sorted(self.dropped.items()))
        dropped = f'; dropped {self.dropped.total()}: {reasons} (in {shown(self.places)})' if self.dropped else ''
        return f'{self.kept} boxes{dropped}'


def shown(names: Iterable[Any]) -> str:
    """The first few names, and how many more there are."""
    every = [str(name) for name in names]
    rest = len(every) - NAMES_SHOWN
    return ', '.join(every[:NAMES_SHOWN]) + (f' and {rest} more' if rest > 0 else '')


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
    return None


def numbers(texts: Iterable[Any]) -> list[float]:
    """Floats, NaN where there is no number."""
    values = []
    for text in texts:
        try:
            values.append(float(text))
        except (TypeError, ValueError):
            values.append(math.nan)
    return values


def nearest(given: Iterable[str], known: Sequence[str]) -> str:
    """' (did you mean 'RBC' for 'rbc'?)', or nothing."""
    by_lower = {name.lower(): name for name in known}
    for name in given:
        close = difflib.get_close_matches(name.strip().lower(), by_lower, n=1)
        if close:
            return f' (did you mean {by_lower[close[0]]!r} for {name!r}?)'
    return ''


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
        raise _missing_images(folder, missing, len(names), next(iter(present.values())))


def require_stems(folder: str, stems: Sequence[str], backend_args: Mapping[str, Any] | None) -> dict[str, str]:
    """File name of each image; where several endings are there, the first of IMAGE_ENDINGS."""
    if backend_args is not None:
        return {stem: f'{stem}.jpg' for stem in stems}
    present = _listing(folder)
    ranked: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for name in present:
        stem, ending = os.path.splitext(name)
        if ending.lower() in IMAGE_ENDINGS:
            ranked[stem].append((IMAGE_ENDINGS.index(ending.lower()), name))
    missing = [stem for stem in stems if stem not in ranked]
    if missing:
        raise _missing_images(folder, missing, len(stems), present)
    return {stem: min(ranked[stem])[1] for stem in stems}


def _listing(folder: str) -> frozenset[str]:
    return frozenset(os.listdir(folder)) if os.path.isdir(folder) else frozenset()


def _missing_images(folder: str, missing: Sequence[str], total: int, present: Iterable[str]) -> DataError:
    found = sorted(present)
    holds = f'it holds {len(found)} files: {shown(found)}' if found else 'it holds no files or does not exist'
    return DataError(
        f'{len(missing)} of {total} images are missing in {folder}: {shown(missing)}; {holds}; '
        'set data_root and data_prefix in the config, or take these images out of the annotation file'
    )
