"""A saved package opens, or says why not."""

import shutil
from pathlib import Path

import pytest

from mobileone_mm.errors import ExportError
from mobileone_mm.exporter.report import Report
from mobileone_mm.targets.coreml.package import open_package


def test_open_refuses(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r'none\.mlpackage: no such package folder'):
        open_package(tmp_path / 'none.mlpackage')
    (tmp_path / 'empty.mlpackage').mkdir()
    with pytest.raises(ExportError, match=r'empty\.mlpackage: no file Manifest\.json in it'):
        open_package(tmp_path / 'empty.mlpackage')


@pytest.mark.parametrize(
    ('file', 'message'),
    [
        ('Manifest.json', r'copy\.mlpackage: Manifest\.json names no model, it is cut or damaged'),
        (
            'Data/com.apple.CoreML/model.mlmodel',
            r'copy\.mlpackage: Data/\S*model\.mlmodel cannot be read as a Core ML model, cut or damaged: ',
        ),
    ],
)
def test_open_refuses_truncated_files(file: str, message: str, exported: Report, tmp_path: Path) -> None:
    copy = shutil.copytree(exported.artifact, tmp_path / 'copy.mlpackage')
    data = (copy / file).read_bytes()
    (copy / file).write_bytes(data[: len(data) // 2])
    with pytest.raises(ExportError, match=message):
        open_package(copy)
