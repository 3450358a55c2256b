"""A set that is split into training and validation by its files' names, so that no file has to be moved."""

import hashlib
from collections.abc import Collection

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


def held_out(names: Collection[str], share: float, seed: int) -> set[str]:
    """The names that are held out for validation: by a number drawn from each name and the seed.

    A new name moves hardly any other, and none from outside of the collection.

    Args:
        names: of the whole set.
        share: that is held out, between 0 and 1; at least one is, and at least one is not.
        seed: another seed, another choice.
    """
    drawn = sorted(names, key=lambda name: hashlib.sha256(f'{seed}/{name}'.encode('utf-8', 'surrogateescape')).digest())
    return set(drawn[: min(max(1, round(share * len(drawn))), len(drawn) - 1)]) if drawn else set()
