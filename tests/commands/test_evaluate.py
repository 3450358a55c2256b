"""`mobileone evaluate` as typed, on drawn shapes."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from page_reader import Reader

from mobileone_mm import cli
from mobileone_mm.artifact.columns import WIDTH
from mobileone_mm.commands.evaluate import main
from mobileone_mm.exporter.report import Report
from mobileone_mm.openmmlab import configs
from mobileone_mm.openmmlab.test_data import open_samples

TOOL = Path(__file__).parents[2] / 'tools' / 'evaluate.py'


def call(*arguments: object) -> 'subprocess.CompletedProcess[str]':
    command = [sys.executable, str(TOOL), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def rows_of(lines: list[str]) -> list[str]:
    """What the table names: models and files, its rules left out."""
    table = lines[: next(index for index, line in enumerate(lines) if line.startswith('points of '))]
    return [line for line in table[2:] if not line.startswith(' ')]


def test_stdout_is_the_table_and_nothing_else(
    config_file: Path, exported: Report, detector: tuple[Path, Path], tmp_path: Path
) -> None:
    report = tmp_path / 'new' / 'report.json'
    done = call(exported.artifact, config_file, '--checkpoint', detector[1], '--limit', 3, '--report', report)
    assert (done.returncode, done.stderr) == (0, '')
    *lines, last = done.stdout.splitlines()
    assert lines[0] == '3 of 4 pictures; score threshold 0.02, IoU threshold 0.45, boxes per picture 200'
    assert lines[1].split()[0] == 'bbox_mAP_50'  # save_best
    assert rows_of(lines) == ['trained model (best.pth)', 'tiny.mlpackage']
    assert max(map(len, lines)) <= WIDTH
    assert sum(line.lstrip().startswith(('+', '-')) for line in lines) == 3
    pictures = open_samples(configs.load_config(config_file)).folder
    assert len(list(Path(pictures).iterdir())) > 1
    assert last.endswith(f' predict {exported.artifact} {pictures}')
    measured = json.loads(report.read_text())
    assert measured['main_metric'] == 'coco/bbox_mAP_50'
    assert len(measured['rows'][0]['metrics']) == 6


@pytest.mark.parametrize('form', ['raw', 'nms'])
def test_an_onnx_file(
    form: str,
    config_file: Path,
    onnx_files: dict[str, Path],
    detector: tuple[Path, Path],
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert (
        cli.run(main, [str(onnx_files[form]), str(config_file), '--checkpoint', str(detector[1]), '--limit', '2']) == 0
    )
    out, err = capsys.readouterr()
    assert err == ''
    lines = out.splitlines()
    assert rows_of(lines) == ['trained model (best.pth)', f'{form}.onnx']
    assert re.fullmatch(rf'next: {re.escape(cli.command("predict", onnx_files[form]))} \S+', lines[-1])


def test_a_checkpoint_is_to_be_exported_next(
    config_file: Path, detector: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(main, [str(detector[1]), str(config_file), '--limit', '1']) == 0
    out, err = capsys.readouterr()
    assert err == ''
    assert out.splitlines()[-1] == f'next: {cli.command("export", config_file, detector[1])}'


def test_an_artifact_alone_says_how_to_put_its_model_beside_it(
    config_file: Path, exported: Report, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(main, [str(exported.artifact), str(config_file), '--limit', '1']) == 0
    assert capsys.readouterr().err == (
        f'note: {exported.artifact} is scored alone; --checkpoint adds the model that it was exported from\n'
    )


def test_what_is_wrong_is_one_line(
    config_file: Path, exported: Report, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(main, [str(exported.artifact), str(config_file), '--limit', '0']) == 2
    assert capsys.readouterr() == ('', 'error: --limit: 0 given, expected a number of pictures from 1\n')
    assert cli.run(main, [str(exported.artifact), str(tmp_path / 'gone.py')]) == 1
    out, err = capsys.readouterr()
    assert re.fullmatch(rf'error: {tmp_path}/gone\.py: no such config file.*\n', err)
    assert out == ''


def test_a_page_of_what_was_missed(
    config_file: Path, detector: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / 'tiny.html'
    assert cli.run(main, [str(detector[1]), str(config_file), '--page', str(page)]) == 0
    assert f'page: {page}' in capsys.readouterr().out.splitlines()
    reader = Reader(page.read_text())
    assert reader.texts[:2][0] == 'best.pth - evaluation'
    sections = ['Scores', 'Classes', 'Precision and recall', 'Confusion', 'Worst pictures']
    assert [text for text in reader.texts if text in sections] == sections
    assert {'circle', 'square', 'triangle', 'nothing', '4 of 4'} <= set(reader.texts)
    assert len(reader.images) == 2 * 4  # annotated and found
    assert 'Core ML' not in str(reader.images)
