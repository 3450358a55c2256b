"""A saved file again, by itself: pictures of the user's beside the probe."""

from pathlib import Path

import numpy as np
import pytest

from mobileone_mm.errors import DataError, ExportError, UsageError
from mobileone_mm.exporter.report import Report
from mobileone_mm.exporter.verify import verify
from mobileone_mm.pictures.reading import write_picture


def test_a_package_is_what_its_export_said(exported: Report) -> None:
    card, rungs = verify(exported.artifact)
    assert card == exported.info
    assert rungs
    assert all(rung.holds for rung in rungs if rung.value is not None)


@pytest.mark.parametrize('form', ['raw', 'nms'])
def test_so_is_an_onnx_file(form: str, onnx_reports: dict[str, Report]) -> None:
    card, rungs = verify(onnx_reports[form].artifact)
    assert card == onnx_reports[form].info
    assert rungs
    assert all(rung.holds for rung in rungs)


def test_pictures_are_what_it_is_executed_on(exported: Report, tmp_path: Path) -> None:
    write_picture(tmp_path / 'a.png', np.random.default_rng(1).integers(0, 255, (50, 70, 3), np.uint8))
    before, after = (verify(exported.artifact, images)[1] for images in ((), (tmp_path / 'a.png',)))
    assert [rung.name for rung in before] == [rung.name for rung in after]
    assert [rung.value for rung in before] != [rung.value for rung in after]
    assert all(rung.holds for rung in after if rung.value is not None)


def test_what_is_not_there_or_of_no_known_format_is_said(exported: Report, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match='no such package folder'):
        verify(tmp_path / 'none.mlpackage')
    with pytest.raises(UsageError, match=r"d\.tflite: ending '\.tflite' given, expected \.mlpackage or \.onnx"):
        verify(tmp_path / 'd.tflite')
    with pytest.raises(DataError, match=r'none\.png: no such file, expected a picture'):
        verify(exported.artifact, [tmp_path / 'none.png'])
