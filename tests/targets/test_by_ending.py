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


@pytest.mark.parametrize('link', ['latest', 'latest.mlpackage', 'v1.2', 'd.ONNX'])
def test_a_link_may_be_called_anything(link: str, tmp_path: Path) -> None:
    (tmp_path / 'd.onnx').touch()
    (tmp_path / link).symlink_to('d.onnx')
    assert by_ending.target_of(tmp_path / link) is onnx.TARGET


def test_what_is_written_goes_by_its_own_name(tmp_path: Path) -> None:
    (tmp_path / 'd.onnx').touch()
    (tmp_path / 'd.mlpackage').symlink_to('d.onnx')  # it will be replaced, not followed
    assert by_ending.target_to_write(tmp_path / 'd.mlpackage') is coreml.TARGET


@pytest.mark.parametrize('name', ['d.mlmodel', 'd', 'd.ONNX', '.onnx', ''])
def test_other_endings_are_refused(name: str) -> None:
    for function in (by_ending.target_of, by_ending.target_to_write, by_ending.open_saved):
        with pytest.raises(UsageError, match=r' given, expected \.mlpackage or \.onnx$'):
            function(name)


@pytest.mark.parametrize('name', ['d.mlpackage', 'd.onnx'])
def test_what_is_not_there(name: str, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=rf'{name}: no such .*as an export writes it$'):
        by_ending.open_saved(tmp_path / name)


def test_each_is_judged_by_its_own_format(exported: Report, onnx_reports: dict[str, Report]) -> None:
    for report in (exported, *onnx_reports.values()):
        target, opened = by_ending.target_of(report.artifact), by_ending.open_saved(str(report.artifact))
        assert target.check(opened) == report.info
        rungs = target.recheck(opened, report.info, [])
        assert all(rung.holds for rung in rungs if rung.value is not None)
