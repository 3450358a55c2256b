"""Plain data: what a weight file may hold beside tensors, so that it loads without running code."""

from collections.abc import Iterator, Mapping
from itertools import count
from typing import Any

import numpy as np
from torch import Tensor

from mobileone_mm.errors import CheckpointError

# Exact types: a subclass of float or str would be stored by the name of its class.
KEPT = (bool, int, float, str, bytes, Tensor)
MOST_VALUES = 300_000  # names and colours of ImageNet-21k's classes are 109,000
DEEPEST = 100


class _Dropped:
    """Marks what `plain` leaves out."""


def plain(value: Any) -> Any:
    """Numbers, strings, tensors and containers of them; NumPy's become Python's, anything else in a container goes.

    Raises:
        CheckpointError: it holds more than any weight file needs, such as a list that holds itself.
    """
    return _plain(value, '', 0, count())


def plain_meta(stored: object) -> dict[str, Any]:
    """The `meta` of a file as plain data; {} where it is no dict.

    Raises:
        CheckpointError: as `plain`.
    """
    if not isinstance(stored, Mapping):
        return {}
    try:
        return dict(plain(stored))
    except CheckpointError as error:
        raise CheckpointError(f'meta: {error}') from error


def _plain(value: Any, key: str, depth: int, met: Iterator[int]) -> Any:
    """`key` is the outermost one that leads to `value`; `met` counts the values, those in two places twice."""
    if next(met) > MOST_VALUES or depth > DEEPEST:
        raise CheckpointError(
            f'{key!r} holds more than {MOST_VALUES:,} values, or is nested more than {DEEPEST} deep, or in itself; '
            'expected the few values that describe a training'
        )
    if value is None or type(value) in KEPT:
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist() if value.dtype != object else _Dropped
    if isinstance(value, Mapping):
        named = {name: item for name, item in value.items() if isinstance(name, str | int | float | bool)}
        kept = {name: _plain(item, key if depth else str(name), depth + 1, met) for name, item in named.items()}
        return {name: item for name, item in kept.items() if item is not _Dropped}
    if isinstance(value, list | tuple | set | frozenset):
        kind = {list: list, tuple: tuple}.get(type(value), list)
        items = [_plain(item, key, depth + 1, met) for item in value]
        return kind(item for item in items if item is not _Dropped)
    return _Dropped
