"""Formats by the ending of their files."""

from pathlib import Path

import pytest

from mobileone_mm.errors import ExportError, UsageError
from mobileone_mm.exporter.report import Report
from mobileone_mm.targets import by_ending
from mobileone_mm.targets.coreml import target as coreml
from mobileone_mm.targets.onnx import target as onnx
from mobileone_mm.targets.target import Target


@pytest.mark.parametrize(
    ('name', 'target'),
    [('d.mlpackage', coreml.TARGET), ('a.b/d.onnx', onnx.TARGET), ('d.v2.onnx', onnx.TARGET)],
)
def test_the_ending_says_the_format(name: str, target: Target) -> None:
    assert by_ending.target_of(name) is target


def test_a_link_may_be_called_anything(tmp_path: Path) -> None:
    (tmp_path / 'd.onnx').touch()
    (tmp_path / 'latest').symlink_to('d.onnx')
    assert by_ending.target_of(tmp_path / 'latest') is onnx.TARGET


@pytest.mark.parametrize('name', ['d.mlmodel', 'd', 'd.ONNX', '.onnx', ''])
def test_other_endings_are_refused(name: str) -> None:
    with pytest.raises(UsageError, match=r' given, expected \.mlpackage or \.onnx$'):
        by_ending.reclimb(name)


@pytest.mark.parametrize('name', ['d.mlpackage', 'd.onnx'])
def test_what_is_not_there(name: str, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=rf'{name}: no such .*written by tools/export\.py'):
        by_ending.reclimb(tmp_path / name)


def test_each_is_judged_by_its_own_format(exported: Report, onnx_reports: dict[str, Report]) -> None:
    for report in (exported, *onnx_reports.values()):
        info, rungs = by_ending.reclimb(str(report.artifact))
        assert info == report.info
        assert all(rung.holds for rung in rungs if rung.value is not None)
