"""Class maps drawn over pictures, alone and beside the trained model's."""

import json
from pathlib import Path

import pytest

from mobileone_mm import cli
from mobileone_mm.commands import evaluate, export, predict, verify
from mobileone_mm.exporter.report import Report
from tiny_segmenter import CLASSES, PICTURES


def test_pictures_and_their_list(
    segmenter: tuple[Path, Path], segmenter_package: Report, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photos = segmenter[0].parent / 'images'
    words = [str(segmenter_package.artifact), str(photos), '--out', str(tmp_path / 'out')]
    assert cli.run(predict.main, [*words, '--compare', *map(str, segmenter)]) == 0
    first, second, *_ = capsys.readouterr().out.splitlines()
    assert first.startswith(f'pictures: {PICTURES}, classes: ')
    assert 'pixels agree' in second
    found = json.loads((tmp_path / 'out/predictions.json').read_text())
    assert found['segmenter'] == str(segmenter_package.artifact)
    assert found['agreement']['agreeing'] / found['agreement']['pixels'] > 0.99
    for entry in found['pictures']:
        assert sum(one['share'] for one in entry['classes']) == pytest.approx(1, abs=0.001)
        assert {one['label'] for one in entry['classes']} <= set(CLASSES)
        assert (tmp_path / 'out' / entry['picture']).is_file()


def test_thresholds_are_refused(segmenter_package: Report, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / 'a.png').touch()
    words = [str(segmenter_package.artifact), str(tmp_path / 'a.png'), '--score-threshold', '0.5']
    assert cli.run(predict.main, words) == 2
    assert (
        capsys.readouterr()
        .err.splitlines()[-1]
        .endswith('--score-threshold: for detectors, a segmenter given; leave it out')
    )


def test_the_whole_way_as_typed(
    segmenter: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / 'seg.mlpackage'
    words = [*map(str, segmenter), '--out', str(out), '--map', 'image', '--map-stride', '2', '--evaluate']
    assert cli.run(export.main, words) == 0
    said = capsys.readouterr().out
    assert said.startswith('Same as the model you trained: yes')
    assert max(map(len, [line for line in said.splitlines() if str(tmp_path) not in line])) <= 80
    assert cli.run(verify.main, [str(out)]) == 0
    assert 'sound; segmentation, 4 classes, 96x64 px' in capsys.readouterr().out
    assert cli.run(evaluate.main, [str(out), str(segmenter[0])]) == 0
    assert 'mIoU' in capsys.readouterr().out


def test_options_of_detectors_are_refused(
    segmenter: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [*map(str, segmenter), '--out', str(tmp_path / 'seg.mlpackage'), '--iou-threshold', '0.5']
    assert cli.run(export.main, words) == 2
    assert '--iou-threshold: for detection alone, segmentation given; leave it out' in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
