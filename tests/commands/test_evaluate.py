"""`tools/evaluate.py` as typed, on drawn shapes."""

import json
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from mobileone_mm import cli
from mobileone_mm.datasets import toy
from mobileone_mm.evaluation import scoring
from mobileone_mm.exporter.report import Report
from mobileone_mm.openmmlab import configs

TOOL = Path(__file__).parents[2] / 'tools' / 'evaluate.py'
CONFIG = """
_base_ = '{base}'
test_dataloader = dict(
    dataset=dict(data_root='{data}/', ann_file='annotations/val.json', data_prefix=dict(img='images/val/'))
)
test_evaluator = dict(type='CocoMetric', ann_file='{data}/annotations/val.json', metric='bbox')
default_hooks = dict(checkpoint=dict(type='CheckpointHook', save_best='coco/bbox_mAP_50'))
"""


def call(*arguments: object) -> 'subprocess.CompletedProcess[str]':
    command = [sys.executable, str(TOOL), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope='module')
def config_file(detector: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('toy')
    toy.write_coco(folder / 'data', toy.ToyOptions(images=1, val=4))
    (folder / 'toy.py').write_text(CONFIG.format(base=detector[0], data=folder / 'data'))
    return folder / 'toy.py'


def test_help_opens_with_an_example() -> None:
    assert call('--help').stdout.startswith('example: python tools/evaluate.py ')


def test_stdout_is_the_table_and_nothing_else(
    config_file: Path, exported: Report, detector: tuple[Path, Path], tmp_path: Path
) -> None:
    done = call(
        exported.artifact, config_file, '--checkpoint', detector[1], '--limit', 3, '--report', tmp_path / 'report.json'
    )
    assert (done.returncode, done.stderr) == (0, '')
    lines = done.stdout.splitlines()
    assert lines[0] == '3 of 4 pictures; score threshold 0.02, IoU threshold 0.45, boxes a picture 200'
    assert lines[1].split()[0] == 'bbox_mAP_50'  # save_best
    assert [line.split('  ')[0] for line in lines[2:5]] == ['trained model (best.pth)'] * 2 + ['tiny.mlpackage']
    assert lines[5] == 'points of bbox_mAP_50:'
    pictures = scoring.open_samples(configs.load_config(config_file)).folder
    assert len(list(Path(pictures).iterdir())) > 1
    assert lines[9:] == [f'next: python tools/predict.py {exported.artifact} {pictures} --out looked_at']
    report = json.loads((tmp_path / 'report.json').read_text())
    assert report['main_metric'] == 'coco/bbox_mAP_50'
    assert len(report['rows'][0]['metrics']) == 6


@pytest.mark.parametrize('form', ['raw', 'nms'])
def test_an_onnx_file(
    form: str,
    config_file: Path,
    onnx_files: dict[str, Path],
    detector: tuple[Path, Path],
    capsys: pytest.CaptureFixture[str],
) -> None:
    main = runpy.run_path(str(TOOL))['main']
    assert (
        cli.run(main, [str(onnx_files[form]), str(config_file), '--checkpoint', str(detector[1]), '--limit', '2']) == 0
    )
    out, err = capsys.readouterr()
    assert err == ''
    lines = out.splitlines()
    assert [line.split('  ')[0] for line in lines[2:5]] == ['trained model (best.pth)'] * 2 + [f'{form}.onnx']
    assert re.fullmatch(rf'next: python tools/predict.py {onnx_files[form]} \S+ --out looked_at', lines[-1])


def test_a_checkpoint_is_to_be_exported_next(
    config_file: Path, detector: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    main = runpy.run_path(str(TOOL))['main']
    assert cli.run(main, [str(detector[1]), str(config_file), '--limit', '1']) == 0
    out, err = capsys.readouterr()
    assert err == ''
    assert out.splitlines()[-1] == f'next: python tools/export.py {config_file} {detector[1]} --out detector.mlpackage'


def test_what_is_wrong_is_one_line(
    config_file: Path, exported: Report, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main = runpy.run_path(str(TOOL))['main']
    assert cli.run(main, [str(exported.artifact), str(config_file), '--limit', '0']) == 2
    assert capsys.readouterr() == ('', 'error: --limit: 0 given, expected a number of pictures from 1\n')
    assert cli.run(main, [str(exported.artifact), str(tmp_path / 'gone.py')]) == 1
    assert capsys.readouterr() == ('', f'error: {tmp_path}/gone.py: no such config file\n')
