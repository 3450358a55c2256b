"""What an exported model takes: pictures, arrays and numbers, checked before anything is computed.

The checks by a description are Core ML's; those of a picture and of a number are every format's.
"""

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from mobileone_mm.errors import DataError, ExportError

Array = npt.NDArray[Any]
CHANNELS = 3


def require_readable(features: Any) -> None:
    """Refuse a model whose inputs nobody here can give.

    Raises:
        ExportError: a picture that is not RGB, or an input that is no picture, array or number.
    """
    for feature in features:
        kind = feature.type.WhichOneof('Type')
        if kind not in ('imageType', 'multiArrayType', 'doubleType'):
            raise ExportError(f'input {feature.name} is {kind}, expected a picture, an array or a number')
        image = feature.type.imageType
        if kind == 'imageType' and image.colorSpace != image.RGB:
            found = image.ColorSpace.Name(image.colorSpace)
            raise ExportError(f'input {feature.name} has colour space {found}, expected RGB')


def checked_inputs(features: Any, given: Mapping[str, Any]) -> dict[str, Array]:
    """Inputs as arrays: a picture uint8 RGB (H, W, 3), an array of the declared shape and type, a number as double.

    Raises:
        DataError: one is missing that is not optional, is unknown, or is not what the model takes.
    """
    known = {feature.name: feature.type for feature in features}
    require_names(given, known, {name for name, kind in known.items() if kind.isOptional})
    return {name: _checked(name, known[name], np.asarray(value)) for name, value in given.items()}


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
            f'{_found(name, value)}, expected an RGB picture, uint8 of shape ({height}, {width}, {CHANNELS}): '
            f'height {height}, width {width}; resize it before'
        )
    return value


def checked_number(name: str, value: Array) -> Array:
    """A number as double.

    Raises:
        DataError: it is something else, or not finite.
    """
    if value.shape != () or not np.isfinite(value):
        raise DataError(f'{_found(name, value)}, expected one finite number')
    return value.astype(np.float64)


def _checked(name: str, kind: Any, value: Array) -> Array:
    match kind.WhichOneof('Type'):
        case 'imageType':
            return checked_picture(name, value, kind.imageType.width, kind.imageType.height)
        case 'doubleType':
            return checked_number(name, value)
        case _:
            array = kind.multiArrayType
            if value.shape != tuple(array.shape):
                raise DataError(f'{_found(name, value)}, expected shape {tuple(array.shape)}')
            return value.astype(np.float16 if array.dataType == array.FLOAT16 else np.float32)


def _found(name: str, value: Array) -> str:
    return f'{name}: {value.dtype} of shape {value.shape} given'
