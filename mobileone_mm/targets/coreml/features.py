"""What a Core ML model says it takes (`FeatureDescription`s), and inputs checked against it."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from mobileone_mm.artifact.inputs import Array, checked_number, checked_picture, found, require_names
from mobileone_mm.errors import DataError, ExportError


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


def _checked(name: str, kind: Any, value: Array) -> Array:
    match kind.WhichOneof('Type'):
        case 'imageType':
            return checked_picture(name, value, kind.imageType.width, kind.imageType.height)
        case 'doubleType':
            return checked_number(name, value)
        case _:
            array = kind.multiArrayType
            if value.shape != tuple(array.shape):
                raise DataError(f'{found(name, value)}, expected shape {tuple(array.shape)}')
            return value.astype(np.float16 if array.dataType == array.FLOAT16 else np.float32)
