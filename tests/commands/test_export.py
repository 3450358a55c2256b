"""`mobileone export` as typed."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from mobileone_mm import cli
from mobileone_mm.artifact.columns import WIDTH
from mobileone_mm.commands.export import main
from mobileone_mm.outputs import page_of
from tiny_detector import overflowing

ROOT = Path(__file__).parents[2]
DOORS = {'tool': [str(ROOT / 'tools/export.py')], 'module': ['-m', 'mobileone_mm', 'export']}


def run(*words: object) -> int:
    return cli.run(main, [str(word) for word in words])


@pytest.mark.parametrize('door', DOORS)
def test_an_export_and_one_over_its_own_files(door: str, detector: tuple[Path, Path], tmp_path: Path) -> None:
    out = tmp_path / 'd.mlpackage'
    words = [*detector, '--out', out, '--report', tmp_path / 'report.json']
    if door == 'module':
        assert run(*words) == 0
    command = [sys.executable, *DOORS[door], *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    # One line when a station begins and one with its time: nothing of what torch, mmdet and coremltools say.
    stations = ('load', 'fuse', 'graph', 'convert', 'save and check')
    expected = [line for station in stations for line in (rf'{station} \.\.\.', rf'{station}: \d+\.\d s')][1:]
    expected.append(r'report: \d+\.\d s')
    expected.insert(0, r'checked on a drawn picture, real ones say more \(--image\): .*expected test_dataloader.*')
    for line, pattern in zip(done.stderr.splitlines(), expected, strict=True):
        assert re.fullmatch(pattern, line), line
    lines = done.stdout.splitlines()
    assert lines[0] == 'Same as the model you trained: yes'
    assert lines[1].startswith('checked here: ')
    table = [line.split() for line in lines].index(['check', 'worst', 'limit', 'unit', 'PSNR', 'dB'])
    assert ' '.join(map(str.strip, lines[1:table])).startswith('checked here: 9 checks on a drawn picture; ')
    assert lines[table + 1].startswith('fused = trained ')
    assert 'magnitude: the largest absolute value' in ' '.join(done.stdout.split())
    facts = (
        f'{out}: 0.1 MB, iOS16, float16, weights float16, 96x64 px, 3 classes, 198 rows, 80 columns operations: 31 conv'
    )
    assert facts in ' '.join(done.stdout.split())
    assert [line for line in lines if len(line) > WIDTH and str(tmp_path) not in line] == []
    assert lines[-2] == f'report: {page_of(out)}'
    assert page_of(out).is_file()
    assert lines[-1] == f'next: {cli.command("verify", out)}'
    report = json.loads((tmp_path / 'report.json').read_text())
    units = [
        *('of range', 'of max', 'score', 'px', 'magnitude', 'of number'),
        *('of max', 'score', 'px', 'score', 'px', 'rows', 'score', 'px'),
    ]
    assert [rung['unit'] for rung in report['ladder']] == units


@pytest.mark.parametrize('name', ['best.pth', 'v1.5.pth.tar'])
def test_without_an_out_it_is_a_package_beside_the_checkpoint(
    name: str, detector: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path('work').mkdir()
    shutil.copyfile(detector[1], Path('work') / name)
    assert run(detector[0], Path('work') / name) == 0
    package = Path('work') / f'{name.partition(".pth")[0]}.mlpackage'
    assert sorted(Path('work').iterdir()) == sorted([Path('work') / name, package, page_of(package)])
    assert sorted(Path().iterdir()) == [Path('work')]


def test_missing_folders_are_made(detector: tuple[Path, Path], tmp_path: Path) -> None:
    out, report = tmp_path / 'new/sub/d.onnx', tmp_path / 'reports/r.json'
    assert run(*detector, '--out', out, '--report', report) == 0
    assert sorted(out.parent.iterdir()) == [out, page_of(out)]
    assert report.is_file()


def test_the_cures_of_an_overflow_are_options_as_they_are_typed(
    detector: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scaled = overflowing(tmp_path, detector, 2.0**15)
    assert run(*scaled, '--out', tmp_path / 'new' / 'd.mlpackage') == 1
    *_, error = capsys.readouterr().err.splitlines()
    layers = re.findall(r"--fp32-op '([^']+)'", error)
    assert 'backbone.stage0.reparam_conv' in layers
    assert '--precision fp32 the whole program); --keep-failed writes the file' in error
    assert not (tmp_path / 'new').exists()
    cures: Sequence[str] = [word for layer in layers for word in ('--fp32-op', layer)]
    assert run(*scaled, '--out', tmp_path / 'd.mlpackage', *cures) == 0


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (['--out', 'd.mlmodel'], r"error: --out d\.mlmodel: ending '\.mlmodel' given, expected \.mlpackage.*"),
        (['--out', 'd.mlpackage', '--confidence-threshold', '30'], r'error: --confidence-threshold: 30 given, .*'),
        (['--out', 'd.mlpackage', '--target', 'iOS14'], r"error: --target: 'iOS14' given, expected one of iOS15.*"),
        (['--out', 'd.mlpackage', '--input-size', '320'], r"error: --input-size: '320' given, expected WIDTHxHEIGHT.*"),
        (['--out', 'd.onnx', '--weights', 'int8'], r'error: --weights: for \.mlpackage alone, \.onnx given; .*'),
        (['--out', 'd.mlpackage', '--nms'], r'error: --nms: for \.onnx alone, \.mlpackage given; .*'),
        (['--out', 'd.onnx', '--limit', '3'], r'error: --limit 3: expected .* together with --evaluate'),
    ],
)
def test_wrong_usage_is_one_line_and_status_2(
    options: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run('demo_ssd', 'none.pth', *options) == 2
    out, err = capsys.readouterr()
    assert out == ''
    assert re.fullmatch(message + '\n', err)
    assert list(tmp_path.iterdir()) == []


def test_a_config_that_is_not_there_is_one_line_and_status_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path / 'none.py', 'none.pth', '--out', tmp_path / 'd.mlpackage') == 1
    assert re.fullmatch(rf'error: {tmp_path}/none\.py: no such config file.*\n', capsys.readouterr().err)
    assert list(tmp_path.iterdir()) == []


def test_the_help_tells_which_weights_are_experimental(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match='0'):
        main(['--help'])
    said = ' '.join(capsys.readouterr().out.split())
    assert 'palette6 as an experiment: fp16, int8, palette8, palette6 (fp16)' in said
