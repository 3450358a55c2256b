"""Rankings written on their picture, alone or beside another one with what differs marked."""

from collections.abc import Mapping, Sequence
from typing import Any

from mobileone_mm.pictures.lines import draw_lines
from mobileone_mm.pictures.reading import Picture
from mobileone_mm.tasks.classification.agreement import Agreement
from mobileone_mm.tasks.classification.ranking import Ranking
from mobileone_mm.tasks.task import Size

MOST_NAMED = 5  # classes of a picture
LONGEST = 30  # characters of a name; ImageNet's go on with synonyms


def drawn(picture: Picture, found: Ranking, classes: Sequence[str]) -> Picture:
    """A copy of the picture (H, W, 3) with its most probable classes."""
    return _drawn(picture, found, classes, differs=False)


def drawn_pair(
    picture: Picture, left: Ranking, right: Ranking, classes: Sequence[str], compared: Agreement
) -> tuple[Picture, Picture]:
    """Two copies of the picture (H, W, 3): where the most probable class differs, it is red."""
    differs = bool(compared.differing)
    return _drawn(picture, left, classes, differs), _drawn(picture, right, classes, differs)


def drawn_beside(
    picture: Picture,
    truth: Ranking | None,
    left: Ranking,
    right: Ranking,
    classes: Sequence[str],
    compared: Agreement,
) -> list[tuple[Picture, str]]:
    """Copies of the picture (H, W, 3) with its class, if that is known, and with both rankings; each in words."""
    pair = drawn_pair(picture, left, right, classes, compared)
    shown = [(image, _first(found, classes)) for image, found in zip(pair, (left, right), strict=True)]
    if truth is not None:
        shown.insert(0, (drawn(picture, truth, classes), _first(truth, classes)))
    return shown


def drawn_judged(
    picture: Picture, truth: Ranking, found: Ranking, classes: Sequence[str]
) -> list[tuple[str, Picture, str]]:
    """A copy of the picture (H, W, 3) with its ranking, a wrong class on red; the title is the annotated class."""
    image = _drawn(picture, found, classes, differs=truth.best != found.best)
    return [(f'annotated: {_first(truth, classes)}', image, f'found: {_first(found, classes)}')]


def _drawn(picture: Picture, found: Ranking, classes: Sequence[str], differs: bool) -> Picture:
    return draw_lines(picture, _lines(found, classes), marked=differs)


def _first(found: Ranking, classes: Sequence[str]) -> str:
    return _lines(found, classes)[0]


def _lines(found: Ranking, classes: Sequence[str]) -> list[str]:
    return [_said(found, classes, index) for index in found.order(MOST_NAMED)]


def _said(found: Ranking, classes: Sequence[str], index: int) -> str:
    name = classes[index] if len(classes[index]) <= LONGEST else f'{classes[index][: LONGEST - 1]}…'
    return name if found.known else f'{name} {100 * found.probabilities[index]:.0f} %'


def counts(found: Ranking, classes: Sequence[str]) -> Mapping[str, int]:
    """The class of this picture, once."""
    return {classes[found.best]: 1}


def counted(counts: Mapping[str, int]) -> str:
    """How many pictures there are of each class, in words, the most frequent first."""
    ordered = sorted(counts.items(), key=lambda item: -item[1])
    named = ', '.join(f'{name} {count}' for name, count in ordered[:MOST_NAMED])
    rest = len(ordered) - MOST_NAMED
    return f'classes: {named or "none"}' + (f' and {rest} more' if rest > 0 else '')


def as_json(found: Ranking, classes: Sequence[str], _size: Size) -> list[dict[str, Any]]:
    """The most probable classes, and how probable they are."""
    return [
        {'label': classes[index], 'probability': round(float(found.probabilities[index]), 4)}
        for index in found.order(MOST_NAMED)
    ]


def said(found: Ranking, classes: Sequence[str]) -> str:
    """What was found, in words."""
    return ', '.join(_lines(found, classes))
