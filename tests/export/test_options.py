"""Options are right before anything is loaded."""

from pathlib import Path
from typing import Any

import pytest

from mobileone_mm.errors import UsageError
from mobileone_mm.export.options import DetectorOptions, parse_size, require_package_path


@pytest.mark.parametrize(
    'given', [{}, {'target': 'iOS15'}, {'iou_threshold': 0, 'confidence_threshold': 1}, {'input_size': (96, 64)}]
)
def test_good(given: dict[str, Any]) -> None:
    DetectorOptions(**given)


@pytest.mark.parametrize(('target', 'version'), [('iOS15', 6), ('iOS16', 7), ('iOS17', 8), ('iOS18', 9)])
def test_spec_version(target: str, version: int) -> None:
    assert DetectorOptions(target=target).spec_version == version


@pytest.mark.parametrize(
    ('given', 'message'),
    [
        ({'target': 'iOS14'}, r"--target: 'iOS14' given, expected one of iOS15, iOS16"),
        ({'iou_threshold': 1.2}, r'--iou-threshold: 1.2 given, expected 0..1'),
        ({'confidence_threshold': 30}, r'--confidence-threshold: 30 given, expected 0..1 \(0.3 for 30 %\)'),
        ({'confidence_threshold': -0.1}, r'--confidence-threshold: -0.1 given'),
        ({'input_size': (0, 96)}, r'--input-size: \(0, 96\) given, expected a width and a height'),
        ({'iou_threshold': float('nan')}, r'--iou-threshold: nan given'),
    ],
)
def test_bad(given: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        DetectorOptions(**given)


def test_size_is_width_by_height() -> None:
    assert parse_size('320x240') == (320, 240)


@pytest.mark.parametrize('text', ['', '320', '320x', '0x320', '320x-1', '320X240', ' 320x240', '3.2x4', '320x240x3'])
def test_bad_size(text: str) -> None:
    with pytest.raises(UsageError, match='expected WIDTHxHEIGHT in pixels, such as 320x320'):
        parse_size(text)


def test_package_ending() -> None:
    assert require_package_path('a/b.mlpackage') == Path('a/b.mlpackage')


@pytest.mark.parametrize('out', ['detector', 'detector.mlmodel', 'detector.onnx', 'x.mlpackage/y'])
def test_bad_ending(out: str) -> None:
    with pytest.raises(UsageError, match=r'expected \.mlpackage'):
        require_package_path(out)
