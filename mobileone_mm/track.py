"""How a long work says how far it is, without knowing who listens."""

from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar

Item = TypeVar('Item')


class Track(Protocol):
    """Gives the items of a loop one by one, and says meanwhile how many are done."""

    def __call__(self, items: Sequence[Item], what: str, /) -> Iterable[Item]:
        """The items; `what` they are, in the plural."""


def untracked(items: Sequence[Item], _what: str) -> Iterable[Item]:
    """The items, and nothing said."""
    return items
