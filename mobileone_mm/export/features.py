"""What a Core ML model takes, by its description: pictures, arrays and numbers, checked before anything is computed."""

from collections.abc import Mapping
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
    unknown = sorted(set(given) - set(known))
    missing = sorted(name for name, kind in known.items() if name not in given and not kind.isOptional)
    if unknown or missing:
        raise DataError(f'inputs {sorted(given)} given, expected {_listed(known)}')
    return {name: _checked(name, known[name], np.asarray(value)) for name, value in given.items()}


def _checked(name: str, kind: Any, value: Array) -> Array:
    found = f'{name}: {value.dtype} of shape {value.shape} given'
    match kind.WhichOneof('Type'):
        case 'imageType':
            height, width = kind.imageType.height, kind.imageType.width
            if value.shape != (height, width, CHANNELS) or value.dtype != np.uint8:
                raise DataError(
                    f'{found}, expected an RGB picture, uint8 of shape ({height}, {width}, {CHANNELS}): '
                    f'height {height}, width {width}; resize it before'
                )
            return value
        case 'doubleType':
            if value.shape != () or not np.isfinite(value):
                raise DataError(f'{found}, expected one finite number')
            return value.astype(np.float64)
        case _:
            array = kind.multiArrayType
            if value.shape != tuple(array.shape):
                raise DataError(f'{found}, expected shape {tuple(array.shape)}')
            return value.astype(np.float16 if array.dataType == array.FLOAT16 else np.float32)


def _listed(known: Mapping[str, Any]) -> str:
    return ', '.join(f'{name} (optional)' if kind.isOptional else name for name, kind in known.items())
