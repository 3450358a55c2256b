"""The door: one call for every artefact and system."""

import platform
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from mobileone_mm.artifact.card import info_of
from mobileone_mm.errors import DataError, ExportError, UsageError
from mobileone_mm.exporter.report import Report
from mobileone_mm.pictures.reading import drawn_picture
from mobileone_mm.targets.coreml.interpreter import open_interpreter
from mobileone_mm.targets.onnx.file import read_onnx
from mobileone_mm.targets.opening import open_artifact
from mobileone_mm.tasks.detection.suppression import rows_to_keep

PICTURE = drawn_picture((96, 64))


def test_a_package_predicts_on_every_system(exported: Report) -> None:
    artifact = open_artifact(str(exported.artifact))
    found = artifact.predict({'image': PICTURE, 'confidenceThreshold': 0.4})
    expected = open_interpreter(exported.artifact).predict({'image': PICTURE, 'confidenceThreshold': 0.4})
    assert found.keys() == expected.keys() == {'confidence', 'coordinates'}
    assert len(found['confidence']) > 3
    for name, values in expected.items():
        assert values.dtype == found[name].dtype == np.float32
    if platform.system() != 'Darwin':  # a device may round otherwise, and keep another box
        for name, values in expected.items():
            np.testing.assert_array_equal(found[name], values)
    with pytest.raises(DataError, match='expected an RGB picture'):
        artifact.predict({'image': PICTURE[:5]})


def test_an_onnx_file_predicts(onnx_reports: dict[str, Report]) -> None:
    raw = open_artifact(onnx_reports['raw'].artifact).predict({'image': PICTURE})
    assert {name: values.shape for name, values in raw.items()} == {
        'raw_confidence': (198, 3),
        'raw_coordinates': (198, 4),
    }
    artifact = open_artifact(str(onnx_reports['nms'].artifact))
    assert info_of(artifact.metadata) == onnx_reports['nms'].info
    found = artifact.predict({'image': PICTURE, 'confidenceThreshold': 0.4})
    rows = rows_to_keep(*raw.values(), 0.45, 0.4)
    assert len(rows) > 3
    np.testing.assert_array_equal(found['confidence'], raw['raw_confidence'][rows])
    np.testing.assert_array_equal(found['coordinates'], raw['raw_coordinates'][rows])


def test_torchs_threads_are_given_back(exported: Report) -> None:
    threads, inside = torch.get_num_threads(), set()
    try:
        torch.set_num_threads(2)
        interpreter = open_interpreter(exported.artifact)
        interpreter.raw({'image': PICTURE}, watch=lambda step, output: inside.add(torch.get_num_threads()))
        assert inside == {1}
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)


@pytest.mark.parametrize(
    ('name', 'error', 'message'),
    [
        ('model.tflite', UsageError, r"model\.tflite: ending '\.tflite' given, expected \.mlpackage"),
        ('none.onnx', ExportError, r'none\.onnx: no such file; expected a \.onnx file'),
        ('none.mlpackage', ExportError, r'none\.mlpackage: no such package folder'),
    ],
)
def test_what_cannot_be_opened(name: str, error: type[Exception], message: str, tmp_path: Path) -> None:
    with pytest.raises(error, match=message):
        open_artifact(tmp_path / name)


def test_a_link_may_be_called_anything(exported: Report, tmp_path: Path) -> None:
    (tmp_path / 'latest').symlink_to(exported.artifact)
    found, expected = (
        open_artifact(path).predict({'image': PICTURE}) for path in (tmp_path / 'latest', exported.artifact)
    )
    assert len(expected['confidence'])
    np.testing.assert_array_equal(found['confidence'], expected['confidence'])


def test_a_package_with_the_weights_of_another_is_refused(exported: Report, tmp_path: Path) -> None:
    copy = shutil.copytree(exported.artifact, tmp_path / 'copy.mlpackage')
    weights = copy / 'Data/com.apple.CoreML/weights/weight.bin'
    data = bytearray(weights.read_bytes())
    data[len(data) // 2] ^= 1
    weights.write_bytes(data)
    with pytest.raises(ExportError, match=r'copy\.mlpackage: the weights are not those it was saved with: sha256 '):
        open_artifact(copy)


def test_an_onnx_file_with_the_weights_of_another_is_refused(onnx_reports: dict[str, Report], tmp_path: Path) -> None:
    model = read_onnx(onnx_reports['raw'].artifact)
    weight = next(one for one in model.graph.initializer if len(one.dims) == 4)
    data = bytearray(weight.raw_data)
    data[0] ^= 1
    weight.raw_data = bytes(data)
    (tmp_path / 'copy.onnx').write_bytes(model.SerializeToString())
    with pytest.raises(ExportError, match=r'copy\.onnx: the weights are not those it was saved with: sha256 '):
        open_artifact(tmp_path / 'copy.onnx')
