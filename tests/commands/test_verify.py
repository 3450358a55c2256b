"""`mobileone verify` as typed."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from mobileone_mm import cli
from mobileone_mm.artifact.columns import WIDTH
from mobileone_mm.commands.verify import main
from mobileone_mm.exporter.report import Report
from mobileone_mm.pictures.reading import write_picture
from programs import change_spec, operations_of, save_changed_onnx


def next_line(artifact: Path) -> str:
    return f'next, with yours: {cli.command("evaluate", artifact, "CONFIG", "--checkpoint", "CHECKPOINT")}'


def test_verify(exported: Report, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    package = shutil.copytree(exported.artifact, tmp_path / 'd.mlpackage')
    write_picture(tmp_path / 'a.png', np.random.default_rng(1).integers(0, 255, (50, 70, 3), np.uint8))
    assert cli.run(main, [str(package), '--image', str(tmp_path / 'a.png'), '--report', str(tmp_path / 'r.json')]) == 0
    out, err = capsys.readouterr()
    assert err == ''
    assert out.splitlines()[0] == 'Same as when it was exported: yes'
    assert out.splitlines()[1].startswith('checked here: 4 checks on 1 picture given; ')
    # What its export compared, then what was compared now.
    names = ['fused = trained', 'largest value fits float16', 'suppression keeps the right boxes']
    places = [out.index(f'\n{name} ') for name in names]
    assert places == sorted(places)
    assert max(map(len, out.splitlines()[:-2])) <= WIDTH
    assert out.splitlines()[-2] == f'{package}: sound; detection, 3 classes, 96x64 px'
    assert out.splitlines()[-1] == next_line(package)
    report = json.loads((tmp_path / 'r.json').read_text())
    ladder = {(rung['name'], rung['unit']): rung['value'] for rung in report.pop('ladder')}
    assert report.pop('written_by').startswith('mobileone_mm ')
    assert report == exported.info.as_metadata()
    assert ladder['saved package, float32 -> float16', 'score'] > 0
    assert ladder['saved file, suppression', 'rows'] == 0

    assert cli.run(main, [str(package), '--image', str(tmp_path / 'b.png')]) == 1
    assert re.fullmatch(r'error: .*b\.png: no such file, expected a picture\n', capsys.readouterr().err)

    shutil.rmtree(package / 'Data' / 'com.apple.CoreML' / 'weights')
    assert cli.run(main, [str(package)]) == 1
    out, err = capsys.readouterr()
    assert out == ''
    assert re.fullmatch(r'error: .*d\.mlpackage: the weights are missing: .*\n', err)


def test_verify_of_a_package_that_fails_is_status_1(
    exported: Report, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    package = shutil.copytree(exported.artifact, tmp_path / 'd.mlpackage')

    def overflow(spec: Any) -> None:
        (scale,) = (one for one in operations_of(spec) if one.outputs[0].name == 'b_normalise_scale_to_fp16')
        scale.attributes['val'].immediateValue.tensor.bytes.values = np.full(3, 6e4, np.float16).tobytes()

    change_spec(package, overflow)
    assert cli.run(main, [str(package), '--report', str(tmp_path / 'r.json')]) == 1
    out, err = capsys.readouterr()
    assert 'sound' not in out
    assert re.fullmatch(
        r'error: largest value fits float16: .*mul_cast_fp16 \(mul\), layer normalise: it overflows float16.*\n', err
    )
    assert not (tmp_path / 'r.json').exists()


@pytest.mark.parametrize('form', ['raw', 'nms'])
def test_verify_of_an_onnx_file(
    form: str, onnx_reports: dict[str, Report], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = onnx_reports[form]
    assert cli.run(main, [str(report.artifact), '--report', str(tmp_path / 'r.json')]) == 0
    out, err = capsys.readouterr()
    assert err == ''
    assert out.splitlines()[-2:] == [
        f'{report.artifact}: sound; detection, 3 classes, 96x64 px',
        next_line(report.artifact),
    ]
    told = json.loads((tmp_path / 'r.json').read_text())
    assert [rung['unit'] for rung in told.pop('ladder')] == ['score', 'px', 'rows'][: 3 if form == 'nms' else 2]
    assert told.pop('written_by').startswith('mobileone_mm ')
    assert told == report.info.as_metadata()


@pytest.mark.parametrize(
    ('kind', 'message'),
    [
        ('weights', r'd\.onnx: it was changed or damaged since'),
        ('Relu', 'saved file finds what its export found: .*'),
    ],
)
def test_verify_of_a_changed_onnx_file_is_status_1(
    kind: str, message: str, onnx_files: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = onnx.load(onnx_files['nms'])
    if kind == 'weights':
        (mean,) = (one for one in model.graph.initializer if one.name == 'normalise.mean')
        mean.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(mean) + 1, mean.name))
        onnx.save(model, tmp_path / 'd.onnx')
    else:
        next(node for node in model.graph.node if node.op_type == kind).op_type = 'Identity'
        save_changed_onnx(model, tmp_path / 'd.onnx')
    assert cli.run(main, [str(tmp_path / 'd.onnx'), '--report', str(tmp_path / 'r.json')]) == 1
    out, err = capsys.readouterr()
    assert 'sound' not in out
    assert re.fullmatch(rf'error: .*{message}.*\n', err)
    assert not (tmp_path / 'r.json').exists()
