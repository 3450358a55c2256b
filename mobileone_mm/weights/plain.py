"""Plain data: what a weight file may hold beside tensors, so that it loads without running code."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from torch import Tensor


class _Dropped:
    """Marks what `plain` leaves out."""


def plain(value: Any) -> Any:
    """Numbers, strings, tensors and containers of them; NumPy's become Python's, anything else in a container goes."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist() if value.dtype != object else _Dropped
    if isinstance(value, Mapping):
        kept = {key: plain(item) for key, item in value.items() if isinstance(key, str | int | float | bool)}
        return {key: item for key, item in kept.items() if item is not _Dropped}
    if isinstance(value, list | tuple | set | frozenset):
        kind = {list: list, tuple: tuple}.get(type(value), list)
        return kind(item for item in map(plain, value) if item is not _Dropped)
    # Exact types: a subclass of float or str would be stored by the name of its class.
    return value if value is None or type(value) in (bool, int, float, str, bytes, Tensor) else _Dropped
