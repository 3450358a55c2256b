"""ImageNet's classes by their WordNet ids, which are the names of their folders, and those of its 200-class sets."""

from functools import cache
from pathlib import Path

COMMENT = '#'


@cache
def synsets(mark: str = '') -> tuple[str, ...]:
    """The WordNet ids ('n01440764') of ImageNet's 1000 classes, or of those with a mark, in the order of the labels.

    Args:
        mark: 'A' for the 200 classes of ImageNet-A, 'R' for those of ImageNet-R.
    """
    rows = [line.split() for line in Path(__file__).with_name('synsets.txt').read_text().splitlines()]
    classes = [row for row in rows if row and row[0] != COMMENT]
    return tuple(name for name, *marks in classes if not mark or mark in ''.join(marks))


def labels(of: tuple[str, ...]) -> list[int]:
    """The place of each WordNet id among ImageNet's 1000: what a classifier's output for it is."""
    places = {name: place for place, name in enumerate(synsets())}
    return [places[name] for name in of]
