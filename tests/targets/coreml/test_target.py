"""Core ML packages by the ladder: one that computes something else is refused, one near overflow is warned of."""

import logging
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mobileone_mm.artifact import ladder
from mobileone_mm.errors import ExportError, MobileOneError, ParityError
from mobileone_mm.exporter.report import Report
from mobileone_mm.exporter.verify import verify
from mobileone_mm.targets.coreml import rungs
from mobileone_mm.targets.coreml.package import open_package
from mobileone_mm.targets.coreml.target import TARGET
from programs import changed, operations_of
from tiny_detector import export_tiny, overflowing

ONNX_PACKAGES = ('onnx', 'onnxruntime', 'onnxscript')


def constant(operations: Any, name: str) -> Any:
    """The numbers of a constant."""
    (found,) = (one for one in operations if one.outputs[0].name == name)
    return found.attributes['val'].immediateValue.tensor.ints.values


def parameter(operation: Any, name: str) -> str:
    (argument,) = operation.inputs[name].arguments
    return str(argument.name)


def depthwise(operations: Any) -> Any:
    """A convolution of 3 x 3 that moves by one pixel: other padding can leave its shapes as they are."""
    return next(
        one
        for one in operations
        if one.type == 'conv'
        and list(constant(operations, parameter(one, 'strides'))) == [1, 1]
        and constant(operations, parameter(one, 'groups'))[0] > 1
    )


def shifted(operations: Any) -> None:
    constant(operations, parameter(depthwise(operations), 'pad'))[:] = [2, 0, 2, 0]


def dilated(operations: Any) -> None:
    constant(operations, parameter(depthwise(operations), 'dilations'))[:] = [2, 2]
    constant(operations, parameter(depthwise(operations), 'pad'))[:] = [2, 2, 2, 2]


@pytest.mark.parametrize(
    ('change', 'error', 'message'),
    [
        (shifted, ExportError, r'conv\w* \(conv with .*\): pad \[2, 0, 2, 0\] given, one that is the same'),
        (dilated, ParityError, f'^{ladder.plain_name(ladder.PROBE_RUNG)}: '),
    ],
)
def test_a_package_that_computes_something_else_is_refused(
    change: Callable[[Any], None], error: type[MobileOneError], message: str, exported: Report, tmp_path: Path
) -> None:
    copy = changed(exported.artifact, tmp_path, lambda spec: change(operations_of(spec)))
    with pytest.raises(error, match=message) as caught:
        ladder.require_rungs(verify(copy)[1])
    assert '\n' not in str(caught.value)


def test_a_value_near_the_largest_is_warned_of_and_the_package_written(
    detector: tuple[Path, Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    scaled = overflowing(tmp_path, detector, 2.0**12)
    report = export_tiny(scaled, tmp_path / 'd.mlpackage')
    (rung,) = (rung for rung in report.rungs if rung.name == rungs.OVERFLOW_RUNG)
    assert rung.value is not None
    assert rungs.NEAR_LARGEST < rung.value < rungs.LARGEST_HALF
    (warning,) = (record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING)
    assert warning.startswith(f'{rungs.OVERFLOW_RUNG} is {rung.value:.0f}, in operation ')
    assert "`fp32_ops` 'backbone.stage0" in warning
    assert verify(report.artifact)[0] == report.info


def test_it_needs_nothing_of_onnx(
    detector: tuple[Path, Path], exported: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for package in ONNX_PACKAGES:
        monkeypatch.setitem(sys.modules, package, None)  # makes its import fail
    report = export_tiny(detector, tmp_path / 'd.mlpackage')
    assert report.info == exported.info
    assert not set(ONNX_PACKAGES) & set(report.info.versions)


def test_a_package_of_ours_is_told_from_any_other(exported: Report, tmp_path: Path) -> None:
    assert TARGET.kind.ours(exported.artifact)
    other = shutil.copytree(exported.artifact, tmp_path / 'other.mlpackage')
    package = open_package(other)
    package.spec.description.metadata.userDefined.clear()
    (model,) = other.rglob('*.mlmodel')
    model.write_bytes(package.spec.SerializeToString())
    assert not TARGET.kind.ours(other)
