"""Options of an export: some are the task's, some the format's, and no format takes another's."""

from pathlib import Path
from typing import Any

import pytest

from mobileone_mm.errors import CheckpointError, UsageError
from mobileone_mm.exporter.export import export
from mobileone_mm.exporter.options import option_fields, split_options
from mobileone_mm.flags import FLAGS
from mobileone_mm.targets.coreml.options import CoreMLOptions
from mobileone_mm.targets.onnx.options import OnnxOptions
from mobileone_mm.tasks.detection.options import DetectionOptions
from tiny_segmenter import export_segmenter, write_config


def test_each_gets_its_own() -> None:
    given: dict[str, Any] = {'weights': 'int8', 'fp32_ops': ('neck',), 'target': 'iOS17', 'iou_threshold': 0.6}
    assert split_options('detection', '.mlpackage', given) == (
        DetectionOptions(iou_threshold=0.6),
        CoreMLOptions(weights='int8', fp32_ops=('neck',), target='iOS17'),
    )
    given = {'nms': True, 'confidence_threshold': 0.1}
    assert split_options('detection', '.onnx', given) == (
        DetectionOptions(confidence_threshold=0.1),
        OnnxOptions(nms=True),
    )


@pytest.mark.parametrize('ending', ['.mlpackage', '.onnx'])
def test_what_is_not_given_has_its_default(ending: str) -> None:
    of_task, of_target = split_options('detection', ending, {})
    assert of_task == DetectionOptions()
    assert of_target == {'.mlpackage': CoreMLOptions(), '.onnx': OnnxOptions()}[ending]


@pytest.mark.parametrize(
    'given',
    [
        {'target': 'iOS17'},
        {'pad_classes': False},
        {'weights': 'int8'},
        {'precision': 'fp32'},
        {'fp32_ops': ('neck',)},
        {'weights': 'fp16'},
    ],
    ids=str,
)
def test_an_onnx_file_refuses_what_is_core_mls(given: dict[str, Any]) -> None:
    (name,) = given
    with pytest.raises(UsageError, match=rf'^`{name}`: for \.mlpackage alone, \.onnx given; leave it out$'):
        split_options('detection', '.onnx', {**given, 'iou_threshold': 0.5})


def test_a_package_refuses_what_is_onnx() -> None:
    with pytest.raises(UsageError, match=r'^`nms`: for \.onnx alone, \.mlpackage given; leave it out$'):
        split_options('detection', '.mlpackage', {'nms': True})


def test_every_option_has_a_flag_of_its_own() -> None:
    flags = {name: option.metadata['flag'] for name, option in option_fields().items()}
    assert len(set(flags.values())) == len(flags)
    assert flags['pad_classes'] == '--no-class-padding'
    assert {**flags, 'images': '--image'}.items() >= FLAGS.items(), 'what messages say of those that help'


def test_a_wrong_value_is_refused_by_its_owner() -> None:
    with pytest.raises(UsageError, match=r'^`iou_threshold`: 1\.2 given'):
        split_options('detection', '.onnx', {'iou_threshold': 1.2})
    with pytest.raises(UsageError, match=r"^`weights`: 'int4' given"):
        split_options('detection', '.mlpackage', {'weights': 'int4'})


@pytest.mark.parametrize('size', [(0, 96), (96, -1)])
def test_an_input_size_is_in_pixels(size: tuple[int, int], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r'^`input_size`: \(.*\) given, expected a width and a height in pixels$'):
        export('none.py', 'none.pth', tmp_path / 'd.onnx', input_size=size)


def test_a_stride_that_does_not_fit_is_refused_before_the_weights_are_read(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    text = config.read_text().replace('out_indices=(2, 3)', 'out_indices=(0, 3)')
    text = text.replace('in_channels=64, in_index=1', 'in_channels=8, in_index=0')  # logits for every fourth pixel
    config.write_text(text.replace('in_channels=32, in_index=0', 'in_channels=8, in_index=0'))
    for stride, error, message in (
        (8, UsageError, '`map_stride` 8: gives a grid of 12x8, the model has logits for 24x16 places, which would be'),
        (4, CheckpointError, r'none\.pth'),
    ):
        with pytest.raises(error, match=message):
            export_segmenter((config, tmp_path / 'none.pth'), tmp_path / 'seg.onnx', map_stride=stride)
