"""The demos by the name of their task; one is imported when it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mobileone_mm.demo.demo import Demo


def _detection() -> Demo:
    from mobileone_mm.demo.detection import DETECTION

    return DETECTION


def _segmentation() -> Demo:
    from mobileone_mm.demo.segmentation import SEGMENTATION

    return SEGMENTATION


def _classification() -> Demo:
    from mobileone_mm.demo.classification import CLASSIFICATION

    return CLASSIFICATION


DEMOS: Mapping[str, Callable[[], Demo]] = {
    'detection': _detection,
    'segmentation': _segmentation,
    'classification': _classification,
}
