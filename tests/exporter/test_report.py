"""What is told of an export: as JSON, and in two lines."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from mobileone_mm.artifact.ladder import Rung
from mobileone_mm.evaluation.scores import Row, Scores
from mobileone_mm.exporter.report import Report, summary


@pytest.fixture
def report(exported: Report) -> Report:
    """Round numbers."""
    info = replace(exported.info, classes=('a', 'b'), input_size=(320, 200), weights='int8', target='iOS17')
    rungs = (Rung('made', 0.25, 0.5, 'px', psnr_db=40.0), Rung('not made', None, 1.0, 'score', 'not run: why'))
    facts, operations = {'rows': 1234, 'columns': 80}, {'pad': 1, 'conv': 31, 'clip': 15}
    return Report(Path('out/d.mlpackage'), info, rungs, facts, operations, 2_345_678, {'load': 1.5})


def test_the_summary(report: Report) -> None:
    assert summary(report) == (
        'out/d.mlpackage: 2.3 MB, iOS17, float16, weights int8, 320x200 px, 2 classes, 1,234 rows, 80 columns\n'
        'operations: 31 conv, 15 clip, 1 pad'
    )


@pytest.mark.parametrize('name', ['raw', 'nms'])
def test_the_summary_of_a_file(name: str, onnx_reports: dict[str, Report]) -> None:
    report = onnx_reports[name]
    first, second = summary(report).splitlines()
    assert first == (
        f'{report.artifact}: 0.1 MB, ONNX opset 18, float32, weights float32, 96x64 px, 3 classes, 198 rows, 3 columns'
    )
    assert second.startswith('operations: 31 Conv, 15 Clip, ')


def test_printed_it_is_one_short_line(report: Report) -> None:
    path = f'artifact={Path("out/d.mlpackage")!r}'
    assert repr(report) == (
        f"Report({path}, facts={{'rows': 1234, 'columns': 80}}, bytes=2345678, pictures='pictures')"
    )


def test_it_is_json(report: Report) -> None:
    told = report.as_dict()
    assert json.loads(json.dumps(told, allow_nan=False)) == told | {'ladder': list(told['ladder'])}
    assert told['artifact'] == 'out/d.mlpackage'
    assert told['info'] == report.info.as_metadata()
    assert told['ladder'] == (
        {'name': 'made', 'value': 0.25, 'limit': 0.5, 'unit': 'px', 'note': '', 'psnr_db': 40.0},
        {'name': 'not made', 'value': None, 'limit': 1.0, 'unit': 'score', 'note': 'not run: why', 'psnr_db': None},
    )
    assert (told['rows'], told['columns'], told['bytes']) == (1234, 80, 2_345_678)
    assert told['operations'] == {'pad': 1, 'conv': 31, 'clip': 15}
    assert told['seconds'] == {'load': 1.5}
    assert told['scores'] is None
    scores = Scores('d.mlpackage', 'c.py', 'mAP', (Row('it', 'one label', {'mAP': 0.5}, 0.1),), 1, 2, {}, False, ())
    assert replace(report, scores=scores).as_dict()['scores'] == scores.as_dict()
