"""A file that was kept although a check failed: what it says, and that nothing else is kept."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import onnx
import pytest
import torch

from mobileone_mm.artifact.card import PASSED
from mobileone_mm.errors import ParityError
from mobileone_mm.exporter import model_checks
from mobileone_mm.exporter.export import export
from mobileone_mm.exporter.report import Report
from mobileone_mm.exporter.verify import verify
from mobileone_mm.openmmlab import configs
from mobileone_mm.openmmlab.open_model import open_model
from mobileone_mm.outputs import page_of
from mobileone_mm.targets.coreml import rungs
from mobileone_mm.targets.coreml.package import open_package
from mobileone_mm.weights import checkpoint
from tiny_detector import overflowing

Detector = tuple[Path, Path]


def kept(detector: Detector, out: Path) -> Report:
    return export(*detector, out, keep_failed=True)


def scaled(folder: Path, detector: Detector, factor: float) -> Detector:
    """The same detector with every convolution scaled."""
    model, source = open_model(configs.load_config(detector[0]), detector[1])
    with torch.no_grad():
        for layer in (module for module in model.modules() if isinstance(module, torch.nn.Conv2d)):
            layer.weight.mul_(factor)
    checkpoint.save_checkpoint(folder / 'scaled.pth', model.state_dict(), source.meta)
    return detector[0], folder / 'scaled.pth'


def strict(monkeypatch: pytest.MonkeyPatch) -> None:
    """A limit that no graph keeps: a check that fails before anything is converted."""
    monkeypatch.setattr(model_checks, 'compared', strictly(model_checks.compared))


def strictly(compared: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *args: [replace(rung, limit=1e-12) for rung in compared(*args)]


def test_a_package_says_what_failed_in_it(detector: Detector, tmp_path: Path) -> None:
    files = overflowing(tmp_path, detector, 2.0**15)
    with pytest.raises(ParityError, match='largest value fits float16'):
        export(*files, tmp_path / 'd.mlpackage')
    assert not (tmp_path / 'd.mlpackage').exists()
    report = kept(files, tmp_path / 'd.mlpackage')
    verdict = report.info.verdict
    assert verdict.startswith('FAILED: largest value fits float16 (3e+05 magnitude, limit 65504 magnitude)')
    assert open_package(report.artifact).spec.description.metadata.shortDescription.startswith(f'{verdict}. SSD')
    failed = [
        rung['name']
        for rung in report.info.parity
        if rung['note'].startswith('failed: no number') or (rung['value'] or 0) > rung['limit']
    ]
    assert failed == [rungs.OVERFLOW_RUNG, rungs.FLOAT16_RUNG, rungs.FLOAT16_RUNG]  # and what comes out is no number
    card, _ = verify(report.artifact)  # by the rules of its format it is sound
    assert card == report.info
    assert page_of(report.artifact).is_file()


def test_what_failed_before_the_conversion_is_told_as_well(
    detector: Detector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    strict(monkeypatch)
    with pytest.raises(ParityError, match=r'exported graph = trained: .*`keep_failed` writes the file all the same'):
        export(*detector, tmp_path / 'd.onnx')
    assert list(tmp_path.iterdir()) == []
    report = kept(detector, tmp_path / 'd.onnx')
    assert report.info.verdict.startswith('FAILED: exported graph = trained (')
    assert onnx.load(report.artifact).doc_string == f'{report.info.verdict}.'
    card, made = verify(report.artifact)
    assert card.failed
    assert all(rung.holds for rung in made)  # the file is still what was exported


def test_a_sound_file_is_the_same_with_and_without(detector: Detector, exported: Report, tmp_path: Path) -> None:
    report = kept(detector, tmp_path / exported.artifact.name)
    assert report.info == exported.info
    assert report.info.verdict == PASSED
    assert not open_package(report.artifact).spec.description.metadata.shortDescription.startswith('FAILED')


def test_a_kept_file_replaces_an_older_one_whole(detector: Detector, tmp_path: Path) -> None:
    out = tmp_path / 'out' / 'd.mlpackage'
    export(*detector, out)
    before = {path.relative_to(out) for path in out.rglob('*')}
    kept(overflowing(tmp_path, detector, 2.0**15), out)
    assert {path.relative_to(out) for path in out.rglob('*')} == before
    assert sorted(path.name for path in out.parent.iterdir()) == [out.name, page_of(out).name]


def test_what_gives_no_numbers_in_float32_is_not_kept(detector: Detector, tmp_path: Path) -> None:
    files = scaled(tmp_path, detector, 1e9)
    for keep_failed in (False, True):  # which would be of no use
        with pytest.raises(ParityError, match=r'no number, .* look at the weights of the checkpoint\)$'):
            export(*files, tmp_path / 'd.onnx', keep_failed=keep_failed)
    assert not (tmp_path / 'd.onnx').exists()
