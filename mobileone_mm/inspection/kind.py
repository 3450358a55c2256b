"""What a task has to bring so that its data can be looked at: one file a task in this folder brings it."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mobileone_mm.inspection.content import Content
from mobileone_mm.pictures.reading import Picture

SIDE = 320  # px of the longer side of a sample on the sheet

Infos = Sequence[Mapping[str, Any]]  # what a data set says of each image
Palette = Sequence[Sequence[int]]


@dataclass(frozen=True)
class Kind:
    """How the data of one task are looked at.

    Attributes:
        content: what a data set holds: from itself, those inside of its wrappers, and what these say of each image.
        drawn: a picture and its data sample, as the training pipeline gives them, for a sheet: with names and palette.
        shown: what is drawn on it, in words.
        columns: samples in a row of the sheet.
        legend: names with their colours, of data samples that are shown; none where the samples say all.
        least: the level from which on is shown what the reading of a data set logs; below it, notes say the same.
        require: refuses to begin where something is missing that draws.
    """

    content: Callable[[Any, Sequence[Any], Infos], Content]
    drawn: Callable[[Picture, Any, Sequence[str], Palette], Picture]
    shown: str
    columns: int = 4
    legend: Callable[[Sequence[Any], Sequence[str], Palette], list[tuple[str, Any]]] = lambda *_: []
    least: int = logging.ERROR
    require: Callable[[], Any] = lambda: None
