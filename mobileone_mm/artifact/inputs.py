"""What an exported model takes: pictures and numbers, checked before anything is computed, and as a network wants them.

A picture is uint8 RGB (H, W, 3) everywhere; only what runs a network lays it out in planes.
"""

from collections.abc import Collection
from typing import Any

import numpy as np
import numpy.typing as npt

from mobileone_mm.artifact.card import CENTER_CROP, RESIZE, Card
from mobileone_mm.errors import DataError
from mobileone_mm.pictures.reading import DEFAULT, Resampling, centre_cropped, stretched

Array = npt.NDArray[Any]
Picture = npt.NDArray[np.uint8]  # RGB (H, W, 3)
CHANNELS = 3


def require_names(given: Collection[str], known: Collection[str], optional: Collection[str]) -> None:
    """Refuse inputs that are unknown or too few.

    Raises:
        DataError: with the inputs that are known.
    """
    if not set(known) - set(optional) <= set(given) <= set(known):
        listed = ', '.join(f'{name} (optional)' if name in optional else name for name in known)
        raise DataError(f'inputs {sorted(given)} given, expected {listed}')


def checked_picture(name: str, value: Array, width: int, height: int) -> Array:
    """A picture, which has to be uint8 RGB (H, W, 3).

    Raises:
        DataError: it is something else.
    """
    if value.shape != (height, width, CHANNELS) or value.dtype != np.uint8:
        raise DataError(
            f'{found(name, value)}, expected an RGB picture, uint8 of shape ({height}, {width}, {CHANNELS}): '
            f'height {height}, width {width}; resize it before'
        )
    return value


def checked_number(name: str, value: Array) -> Array:
    """A number as double.

    Raises:
        DataError: it is something else, or not finite.
    """
    if value.shape != () or not np.isfinite(value):
        raise DataError(f'{found(name, value)}, expected one finite number')
    return value.astype(np.float64)


def found(name: str, value: Array) -> str:
    """What an input is, as the beginning of a message."""
    return f'{name}: {value.dtype} of shape {value.shape} given'


def fitted(picture: Picture, size: tuple[int, int], crop: str, resampling: Resampling = DEFAULT) -> Picture:
    """A picture of any size at `size` (width, height), as a card's `crop` says."""
    return (centre_cropped if crop == CENTER_CROP else stretched)(picture, size, resampling)


def fitted_for(picture: Picture, card: Card) -> Picture:
    """A picture of any size as an artifact takes it, resized as the test of its model does, where its card says how."""
    resampling = Resampling(**card.settings.get(RESIZE, {}))
    return fitted(picture, card.input_size, card.crop, resampling)


def as_planes(picture: Picture) -> npt.NDArray[np.float32]:
    """A picture (H, W, 3) as float32 planes (1, 3, H, W)."""
    return np.ascontiguousarray(picture.transpose(2, 0, 1)[None], np.float32)
