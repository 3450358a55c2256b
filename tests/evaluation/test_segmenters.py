"""Segmenters scored: a package, an ONNX file and their model by mmseg's own metric."""

from pathlib import Path

import pytest

from mobileone_mm.errors import ConfigError
from mobileone_mm.evaluation.scoring import evaluate
from mobileone_mm.exporter.report import Report
from tiny_segmenter import CLASSES, PICTURES, export_segmenter

CLOSE = 0.5  # points: so small a model on so few pixels, in float16


def test_a_package_scores_what_its_model_does(segmenter: tuple[Path, Path], segmenter_package: Report) -> None:
    scores = evaluate(segmenter_package.artifact, *segmenter)
    assert scores.percent
    assert scores.main == 'mIoU'
    assert scores.pictures == PICTURES
    own, as_map, package = (row.metrics['mIoU'] for row in scores.rows)
    assert 0 < own < 100
    assert package == pytest.approx(as_map, abs=CLOSE)
    assert [row.rule for row in scores.rows] == ["mmseg's test", 'class map', 'class map']
    assert scores.rows[-1].classes.keys() == set(CLASSES)
    assert scores.class_metric == 'IoU'
    table = scores.table()
    assert f'{PICTURES} of {PICTURES} pictures\n' in table
    assert f'{package:.2f}' in table
    assert max(map(len, table.splitlines())) <= 80


def test_a_file_of_another_task_is_refused(segmenter: tuple[Path, Path], exported: Report) -> None:
    with pytest.raises(ConfigError, match=r'tiny\.mlpackage is made for detection, .*seg\.py for segmentation; score'):
        evaluate(exported.artifact, segmenter[0])


def test_an_onnx_file_scores_what_its_model_does(segmenter: tuple[Path, Path], tmp_path: Path) -> None:
    report = export_segmenter(segmenter, tmp_path / 'seg.onnx')
    scores = evaluate(report.artifact, *segmenter)
    _, as_map, file = (row.metrics['mIoU'] for row in scores.rows)
    assert file == as_map
