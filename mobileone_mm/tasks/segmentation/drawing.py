"""Class maps drawn over their picture, alone or beside another one with what differs marked."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from mobileone_mm.pictures.colours import distinct_colours
from mobileone_mm.pictures.labels import draw_labels, draw_marked
from mobileone_mm.pictures.reading import Picture
from mobileone_mm.tasks.segmentation.agreement import Agreement
from mobileone_mm.tasks.segmentation.classes import IGNORED, ClassMap
from mobileone_mm.tasks.task import Size

MOST_NAMED = 5  # classes in a sentence


def drawn(picture: Picture, found: ClassMap, classes: Sequence[str]) -> Picture:
    """A copy of the picture (H, W, 3) under the colours of its classes, each named once."""
    return _drawn(picture, found, classes)


def drawn_pair(
    picture: Picture, left: ClassMap, right: ClassMap, classes: Sequence[str], _compared: Agreement
) -> tuple[Picture, Picture]:
    """Two copies of the picture (H, W, 3): pixels that differ are red."""
    size = _size(picture)
    differs = left.at(size) != right.at(size)
    return _drawn(picture, left, classes, differs), _drawn(picture, right, classes, differs)


def drawn_beside(
    picture: Picture,
    truth: ClassMap | None,
    left: ClassMap,
    right: ClassMap,
    classes: Sequence[str],
    compared: Agreement,
) -> list[tuple[Picture, str]]:
    """Copies of the picture (H, W, 3) with its mask, if that is known, and with both class maps; each in words."""
    pair = drawn_pair(picture, left, right, classes, compared)
    shown = [(image, said(found, classes)) for image, found in zip(pair, (left, right), strict=True)]
    if truth is not None:
        shown.insert(0, (drawn(picture, truth, classes), said(truth, classes)))
    return shown


def drawn_judged(
    picture: Picture, truth: ClassMap, found: ClassMap, wrong: npt.NDArray[np.bool_], classes: Sequence[str]
) -> list[tuple[str, Picture, str]]:
    """Copies of the picture (H, W, 3) with its mask, with a class map, and with the wrong pixels (H', W') in red.

    Each with a title, and the first two in words.
    """
    marked = ClassMap(wrong.astype(np.int32)).at(_size(picture)).astype(bool)
    return [
        ('annotated', drawn(picture, truth, classes), said(truth, classes)),
        ('found', drawn(picture, found, classes), said(found, classes)),
        ('mistakes', draw_marked(picture, marked), ''),
    ]


def _drawn(picture: Picture, found: ClassMap, classes: Sequence[str], marked: Any = None) -> Picture:
    return draw_labels(picture, found.at(_size(picture)), distinct_colours(len(classes)), classes, marked)


def _size(picture: Picture) -> Size:
    height, width = picture.shape[:2]
    return width, height


def shares(found: ClassMap, classes: Sequence[str]) -> dict[str, float]:
    """The part of the judged pixels that each class has, 0..1, the largest first; without those that have none."""
    judged = found.classes[found.classes != IGNORED]
    counts = np.bincount(judged.ravel(), minlength=len(classes))
    order = [int(index) for index in np.argsort(-counts, kind='stable') if counts[index]]
    return {_name(index, classes): float(counts[index]) / judged.size for index in order}


def _name(index: int, classes: Sequence[str]) -> str:
    return classes[index] if index < len(classes) else f'class {index}'


def counts(found: ClassMap, classes: Sequence[str]) -> Mapping[str, int]:
    """In how many pictures each class was found: 1 for each that is in this one."""
    return dict.fromkeys(shares(found, classes), 1)


def counted(counts: Mapping[str, int]) -> str:
    """In how many pictures each class was found, in words."""
    named = ', '.join(f'{name} in {count}' for name, count in Counter(counts).most_common())
    return f'classes: {named or "none"}'


def as_json(found: ClassMap, classes: Sequence[str], _size: Size) -> list[dict[str, Any]]:
    """The classes that are in a picture, and which part of it each has."""
    return [{'label': name, 'share': round(share, 4)} for name, share in shares(found, classes).items()]


def said(found: ClassMap, classes: Sequence[str]) -> str:
    """What was found, in words."""
    found_shares = shares(found, classes)
    texts = [f'{name} {_percent(share)}' for name, share in list(found_shares.items())[:MOST_NAMED]]
    rest = len(found_shares) - len(texts)
    return ', '.join(texts) + (f' and {rest} more' if rest else '') or 'no pixel is judged'


def _percent(share: float) -> str:
    """A share in whole percent; a little is not nothing, and nearly all is not all."""
    if 0 < share < 0.005:
        return 'under 1 %'
    return 'over 99 %' if 0.995 <= share < 1 else f'{100 * share:.0f} %'
