"""A set that is split into training and validation by its files' names, so that no file has to be moved."""

import hashlib
from collections import Counter
from collections.abc import Collection, Mapping
from typing import Any

from mobileone_mm.errors import DataError

PARTS = ('all', 'train', 'val')


def require_part(part: str, share: float) -> None:
    """Refuse a part that there is not, or a share that leaves nothing of a part.

    Raises:
        DataError: with what was given.
    """
    if part not in PARTS:
        raise DataError(f'part={part!r} given, expected one of {", ".join(PARTS)}')
    if part != 'all' and not 0 < share < 1:
        raise DataError(f'val_share={share!r} given, expected a number between 0 and 1')


def held_out(
    names: Collection[str], share: float, seed: int, classes: Mapping[str, Collection[Any]] | None = None
) -> set[str]:
    """The names that are held out for validation: by a number drawn from each name and the seed.

    A new name moves hardly any other, and none from outside of the collection.

    Args:
        names: of the whole set.
        share: that is held out, between 0 and 1; at least one is, and at least one is not.
        seed: another seed, another choice.
        classes: what is in each; a name whose class would be left without any stays, unless all would.
    """
    drawn = sorted(names, key=lambda name: hashlib.sha256(f'{seed}/{name}'.encode('utf-8', 'surrogateescape')).digest())
    wanted = min(max(1, round(share * len(drawn))), len(drawn) - 1) if drawn else 0
    if classes is None:
        return set(drawn[:wanted])
    left = Counter(kind for name in drawn for kind in set(classes[name]))
    held: set[str] = set()
    for name in drawn:
        kinds = set(classes[name])
        if len(held) < wanted and all(left[kind] > 1 for kind in kinds):
            held.add(name)
            left.subtract(kinds)
    return held or set(drawn[: min(1, wanted)])


def names_of_part(
    part: str, names: Collection[str], share: float, seed: int, classes: Mapping[str, Collection[Any]] | None = None
) -> set[str]:
    """The names of a part of a set.

    Args:
        part: 'all', 'train' or 'val'.
        names: of the whole set.
        share: see `held_out`.
        seed: see `held_out`.
        classes: see `held_out`.

    Raises:
        DataError: there is no such part, or it would be empty.
    """
    require_part(part, share)
    if part == 'all':
        return set(names)
    if len(names) < 2:
        raise DataError(f'{len(names)} images cannot be split into training and validation; add images')
    held = held_out(names, share, seed, classes)
    return held if part == 'val' else set(names) - held
