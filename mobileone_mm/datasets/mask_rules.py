"""How masks are read: which id or colour is which label."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mobileone_mm.errors import DataError

IGNORED = 255  # mmseg's padding, and the one id that its losses and metrics leave out
IDS = 256  # an id is a byte once it is loaded

Colours = Sequence[Sequence[int]]


@dataclass(frozen=True)
class Rules:
    """How masks are read.

    Attributes:
        classes: names, in the order of the labels.
        labels: (256,) the label of each id, `IGNORED` for those without a class.
        colours: one RGB colour a class, in the order of the classes, then those that are ignored; None where masks
            hold ids.
    """

    classes: tuple[str, ...]
    labels: NDArray[np.int64]
    colours: Colours | None = None


def labels_of_ids(reduce_zero_label: bool, label_map: Mapping[int, int] | None) -> NDArray[np.int64]:
    """(256,) the label that mmseg's LoadAnnotations gives each id of a file."""
    labels = np.arange(IDS)
    if reduce_zero_label:
        labels = np.where((labels == 0) | (labels == IGNORED), IGNORED, labels - 1)
    mapped = labels.copy()
    for old, new in (label_map or {}).items():
        mapped[labels == old] = new
    return mapped


def has_label(value: int, rules: Rules) -> bool:
    """Whether an id of a file has a class, or is ignored."""
    return 0 <= value < IDS and bool(rules.labels[value] < len(rules.classes) or rules.labels[value] == IGNORED)


def require_colours(colours: Any, classes: Sequence[str]) -> tuple[tuple[int, int, int], ...]:
    """A colour map as given in a config, checked.

    Raises:
        DataError: it does not hold one RGB colour for each class at least, or one twice.
    """
    rows = (
        [tuple(row) for row in colours]
        if isinstance(colours, list | tuple) and all(isinstance(row, list | tuple) for row in colours)
        else []
    )
    sound = all(len(row) == 3 and all(isinstance(level, int) and 0 <= level < IDS for level in row) for row in rows)
    if not rows or not sound or len(rows) < len(classes) or len(set(rows)) < len(rows):
        raise DataError(
            f'colour_map={colours!r} given, expected one RGB colour a class, in the order of the {len(classes)} '
            'classes, each once: ((0, 0, 0), (128, 0, 0), ...); colours behind the last class are ignored'
        )
    return tuple(rows)
