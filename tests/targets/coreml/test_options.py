"""Options of a package are right before anything is loaded."""

from typing import Any

import pytest

from mobileone_mm.errors import UsageError
from mobileone_mm.targets.coreml.options import CoreMLOptions


@pytest.mark.parametrize(('target', 'version'), [('iOS15', 6), ('iOS16', 7), ('iOS17', 8), ('iOS18', 9)])
def test_spec_version(target: str, version: int) -> None:
    assert CoreMLOptions(target=target).spec_version == version


@pytest.mark.parametrize(
    ('given', 'message'),
    [
        ({'target': 'iOS14'}, r"`target`: 'iOS14' given, expected one of iOS15, iOS16"),
        ({'weights': 'int4'}, r"`weights`: 'int4' given, expected one of fp16, int8, palette8, palette6"),
        ({'weights': 'int8', 'target': 'iOS15'}, r'`weights` int8: needs `target` iOS16 or later, iOS15 given'),
        ({'precision': 'float16'}, r"`precision`: 'float16' given, expected one of fp16, fp32"),
        ({'precision': 'fp32', 'fp32_ops': ('neck',)}, r'`fp32_ops`: with `precision` fp32 every layer is in float32'),
    ],
    ids=str,
)
def test_bad(given: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        CoreMLOptions(**given)


@pytest.mark.parametrize(
    ('given', 'floats', 'stored'),
    [
        ({}, 'float16', 'float16'),
        ({'precision': 'fp32'}, 'float32', 'float32'),
        ({'weights': 'int8'}, 'float16', 'int8'),
        ({'weights': 'palette6', 'precision': 'fp32'}, 'float32', 'palette6'),
    ],
    ids=str,
)
def test_what_weights_are_stored_as(given: dict[str, Any], floats: str, stored: str) -> None:
    options = CoreMLOptions(**given)
    assert (options.floats, options.stored) == (floats, stored)
