"""Options are right before anything is loaded."""

from pathlib import Path
from typing import Any

import pytest

from mobileone_mm.errors import UsageError
from mobileone_mm.tasks.detection.options import DetectorOptions, parse_size, require_format


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
        ({'weights': 'int4'}, "--weights: 'int4' given, expected one of fp16, int8, palette8, palette6"),
        ({'weights': 'int8', 'target': 'iOS15'}, '--weights int8: needs --target iOS16 or later, iOS15 given'),
        ({'precision': 'float16'}, "--precision: 'float16' given, expected one of fp16, fp32"),
        ({'precision': 'fp32', 'fp32_ops': ('neck',)}, '--fp32-op: with --precision fp32 every layer is in float32'),
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


@pytest.mark.parametrize(
    ('out', 'options'),
    [
        ('a/b.mlpackage', DetectorOptions(weights='int8', fp32_ops=('neck',), target='iOS17')),
        ('a/b.onnx', DetectorOptions(nms=True, iou_threshold=0.6, input_size=(96, 64))),
    ],
)
def test_output(out: str, options: DetectorOptions) -> None:
    assert require_format(out, options) == Path(out)


@pytest.mark.parametrize('out', ['detector', 'detector.mlmodel', 'detector.ONNX', 'x.mlpackage/y'])
def test_bad_ending(out: str) -> None:
    with pytest.raises(UsageError, match=r'expected \.mlpackage \(a Core ML package\) or \.onnx'):
        require_format(out, DetectorOptions())


@pytest.mark.parametrize(
    ('flag', 'given'),
    [
        ('--target', {'target': 'iOS17'}),
        ('--no-class-padding', {'pad_classes': False}),
        ('--weights', {'weights': 'int8'}),
        ('--precision', {'precision': 'fp32'}),
        ('--fp32-op', {'fp32_ops': ('neck',)}),
    ],
)
def test_an_onnx_file_refuses_what_is_core_mls(flag: str, given: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=f'{flag}: for \\.mlpackage alone, d\\.onnx given'):
        require_format('d.onnx', DetectorOptions(**given))


def test_a_package_refuses_what_is_onnx() -> None:
    with pytest.raises(UsageError, match=r'--nms: for \.onnx alone, .* always has its suppression'):
        require_format('d.mlpackage', DetectorOptions(nms=True))


@pytest.mark.parametrize(
    ('given', 'floats', 'stored'),
    [
        ({}, 'float16', 'float16'),
        ({'precision': 'fp32'}, 'float32', 'float32'),
        ({'weights': 'int8'}, 'float16', 'int8'),
        ({'weights': 'palette6', 'precision': 'fp32'}, 'float32', 'palette6'),
    ],
)
def test_what_weights_are_stored_as(given: dict[str, Any], floats: str, stored: str) -> None:
    options = DetectorOptions(**given)
    assert (options.floats, options.stored) == (floats, stored)
