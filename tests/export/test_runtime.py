"""The door: one call for every artefact and system."""

import platform
from pathlib import Path

import numpy as np
import pytest
import torch

from mobileone_mm.errors import DataError, ExportError, UsageError
from mobileone_mm.export.interpret import open_interpreter
from mobileone_mm.export.probe import drawn_picture
from mobileone_mm.export.report import Report
from mobileone_mm.export.runtime import open_artifact

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
        ('none.mlpackage', ExportError, r'none\.mlpackage: no such package folder'),
    ],
)
def test_what_cannot_be_opened(name: str, error: type[Exception], message: str, tmp_path: Path) -> None:
    with pytest.raises(error, match=message):
        open_artifact(tmp_path / name)
