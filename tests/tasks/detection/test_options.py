"""Options of a detector are right before anything is loaded."""

import pytest

from mobileone_mm.errors import UsageError
from mobileone_mm.tasks.detection.options import DetectionOptions


@pytest.mark.parametrize(
    'given', [{}, {'iou_threshold': 0, 'confidence_threshold': 1}, {'iou_threshold': 0.5}], ids=str
)
def test_good(given: dict[str, float]) -> None:
    options = DetectionOptions(**given)
    assert all(getattr(options, name) == value for name, value in given.items())


@pytest.mark.parametrize(
    ('given', 'message'),
    [
        ({'iou_threshold': 1.2}, r'`iou_threshold`: 1\.2 given, expected 0\.\.1'),
        ({'iou_threshold': float('nan')}, r'`iou_threshold`: nan given'),
        ({'confidence_threshold': 30}, r'`confidence_threshold`: 30 given, expected 0\.\.1 \(0\.3 for 30 %\)'),
        ({'confidence_threshold': -0.1}, r'`confidence_threshold`: -0\.1 given'),
    ],
    ids=str,
)
def test_bad(given: dict[str, float], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        DetectionOptions(**given)
