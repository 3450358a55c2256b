"""`tools/export.py` and `tools/verify.py` as typed."""

import json
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import mmcv
import numpy as np
import onnx
import pytest

from mobileone_mm import cli
from mobileone_mm.exporter.report import Report
from mobileone_mm.targets.coreml.package import open_package

TOOLS = Path(__file__).parents[2] / 'tools'


def call(tool: str, *arguments: object) -> 'subprocess.CompletedProcess[str]':
    command = [sys.executable, str(TOOLS / tool), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize('tool', ['export.py', 'verify.py'])
def test_help_opens_with_an_example(tool: str) -> None:
    assert call(tool, '--help').stdout.startswith(f'example: python tools/{tool} ')


def test_export_then_verify(detector: tuple[Path, Path], tmp_path: Path) -> None:
    out = tmp_path / 'd.mlpackage'
    for _ in ('new', 'over its own files'):
        done = call('export.py', *detector, '--out', out, '--report', tmp_path / 'report.json')
        assert done.returncode == 0, done.stderr
    # One line when a station begins and one with its time: nothing of what torch, mmdet and coremltools say.
    stations = ('load', 'fuse', 'graph', 'convert', 'save and check')
    expected = [line for station in stations for line in (rf'{station} \.\.\.', rf'{station}: \d+\.\d s')][1:]
    expected.append(r'report: \d+\.\d s')
    for line, pattern in zip(done.stderr.splitlines(), expected, strict=True):
        assert re.fullmatch(pattern, line), line
    lines = done.stdout.splitlines()
    assert lines[0].split() == ['rung', 'worst', 'limit', 'unit', 'PSNR', 'dB']
    assert lines[1].startswith('trained -> fused, float64')
    assert f'{out}: 0.1 MB, iOS16, float16, weights float16, 96x64 px, 3 classes in 80 columns, 198 raw boxes' in lines
    assert lines[-1] == f'next: python tools/verify.py {out}'
    report = json.loads((tmp_path / 'report.json').read_text())
    units = ['of range', 'score', 'px', 'magnitude', 'of RMS', 'score', 'px', 'score', 'px', 'rows', 'score', 'px']
    assert [rung['unit'] for rung in report['ladder']] == units


def test_verify(exported: Report, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main = runpy.run_path(str(TOOLS / 'verify.py'))['main']
    package = shutil.copytree(exported.artifact, tmp_path / 'd.mlpackage')
    mmcv.imwrite(np.random.default_rng(1).integers(0, 255, (50, 70, 3), np.uint8), str(tmp_path / 'a.png'))
    assert cli.run(main, [str(package), '--image', str(tmp_path / 'a.png'), '--report', str(tmp_path / 'r.json')]) == 0
    out, err = capsys.readouterr()
    assert err == ''
    assert out.splitlines()[1].startswith('trained -> fused, float64')
    assert out.splitlines()[-2] == f'{package}: sound; detection, 3 classes, 96x64 px'
    assert out.splitlines()[-1] == f'next: python tools/evaluate.py {package} CONFIG --checkpoint CHECKPOINT'
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
    assert re.fullmatch(r'error: .*d\.mlpackage: not a sound .*the weights are missing: .*\n', err)


def test_verify_of_a_package_that_fails_is_status_1(
    exported: Report, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main = runpy.run_path(str(TOOLS / 'verify.py'))['main']
    package = shutil.copytree(exported.artifact, tmp_path / 'd.mlpackage')
    spec = open_package(package).spec
    (block,) = spec.pipeline.models[0].mlProgram.functions['main'].block_specializations.values()
    (scale,) = (one for one in block.operations if one.outputs[0].name == 'b_normalise_scale_to_fp16')
    scale.attributes['val'].immediateValue.tensor.bytes.values = np.full(3, 6e4, np.float16).tobytes()
    (package / 'Data' / 'com.apple.CoreML' / 'model.mlmodel').write_bytes(spec.SerializeToString())
    assert cli.run(main, [str(package), '--report', str(tmp_path / 'r.json')]) == 1
    out, err = capsys.readouterr()
    assert 'sound' not in out
    assert re.fullmatch(
        r'error: saved package, largest value: .*mul_cast_fp16 \(mul\), layer normalise: it overflows float16.*\n', err
    )
    assert not (tmp_path / 'r.json').exists()


@pytest.mark.parametrize('form', ['raw', 'nms'])
def test_verify_of_an_onnx_file(
    form: str, onnx_reports: dict[str, Report], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main = runpy.run_path(str(TOOLS / 'verify.py'))['main']
    report = onnx_reports[form]
    assert cli.run(main, [str(report.artifact), '--report', str(tmp_path / 'r.json')]) == 0
    out, err = capsys.readouterr()
    assert err == ''
    assert out.splitlines()[-2:] == [
        f'{report.artifact}: sound; detection, 3 classes, 96x64 px',
        f'next: python tools/evaluate.py {report.artifact} CONFIG --checkpoint CHECKPOINT',
    ]
    told = json.loads((tmp_path / 'r.json').read_text())
    assert [rung['unit'] for rung in told.pop('ladder')] == ['score', 'px', 'rows'][: 3 if form == 'nms' else 2]
    assert told.pop('written_by').startswith('mobileone_mm ')
    assert told == report.info.as_metadata()


@pytest.mark.parametrize(
    ('kind', 'message'),
    [('weights', 'not a sound ONNX detector: .*the weights are not those'), ('Relu', 'stored probe -> saved file: .*')],
)
def test_verify_of_a_changed_onnx_file_is_status_1(
    kind: str, message: str, onnx_files: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main = runpy.run_path(str(TOOLS / 'verify.py'))['main']
    model = onnx.load(onnx_files['nms'])
    if kind == 'weights':
        (mean,) = (one for one in model.graph.initializer if one.name == 'normalise.mean')
        mean.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(mean) + 1, mean.name))
    else:
        next(node for node in model.graph.node if node.op_type == kind).op_type = 'Identity'
    onnx.save(model, tmp_path / 'd.onnx')
    assert cli.run(main, [str(tmp_path / 'd.onnx'), '--report', str(tmp_path / 'r.json')]) == 1
    out, err = capsys.readouterr()
    assert 'sound' not in out
    assert re.fullmatch(rf'error: .*{message}.*\n', err)
    assert not (tmp_path / 'r.json').exists()


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (['--out', 'd.mlmodel'], r"error: --out d\.mlmodel: ending '\.mlmodel' given, expected \.mlpackage.*"),
        (['--out', 'd.mlpackage', '--confidence-threshold', '30'], r'error: --confidence-threshold: 30 given, .*'),
        (['--out', 'd.mlpackage', '--target', 'iOS14'], r"error: --target: 'iOS14' given, expected one of iOS15.*"),
        (['--out', 'd.mlpackage', '--input-size', '320'], r"error: --input-size: '320' given, expected WIDTHxHEIGHT.*"),
        (['--out', 'd.mlpackage', '--report', 'no/r.json'], r'error: no/r\.json: the folder .*no does not exist.*'),
    ],
)
def test_wrong_usage_is_one_line_and_status_2(
    options: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    failed = call('export.py', 'none.py', 'none.pth', *options)
    assert failed.returncode == 2
    assert re.fullmatch(message + '\n', failed.stderr)
    assert list(tmp_path.iterdir()) == []


def test_a_config_that_is_not_there_is_one_line_and_status_1(tmp_path: Path) -> None:
    failed = call('export.py', tmp_path / 'none.py', 'none.pth', '--out', tmp_path / 'd.mlpackage')
    assert (failed.returncode, failed.stderr) == (1, f'error: {tmp_path}/none.py: no such config file\n')
    assert list(tmp_path.iterdir()) == []
