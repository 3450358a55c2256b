"""`mobileone robustness` as typed."""

import json
import re
from pathlib import Path

import pytest

from mobileone_mm import cli
from mobileone_mm.commands import predict
from mobileone_mm.commands.robustness import main
from mobileone_mm.exporter.export import export

from ..robustness.conftest import Classifier, imagenet, place  # noqa: F401, TID252

CLASSES = ('n01498041', 'n01531178', 'n01534433', 'n01558993', 'n01580077', 'n01614925')  # of ImageNet-A


def call(*words: object) -> int:
    return cli.run(main, [str(word) for word in words])


def test_the_table_the_report_and_the_next_command(
    imagenet: Classifier,  # noqa: F811
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    place(tmp_path / 'a', imagenet, CLASSES, [0])
    report = tmp_path / 'report.json'
    assert call(imagenet.config, imagenet.weights, '--imagenet-a', tmp_path / 'a', '--report', report) == 0
    out, err = capsys.readouterr()
    head, row, *notes, last = out.splitlines()
    assert head.split() == ['pictures', 'top-1', 'top-5']
    assert row.split()[:3] == ['ImageNet-A', '*', '1']
    assert notes[2] == '  ImageNet-A: 1 of 7500 pictures, 1 on disk, none of 199 of the 200 classes'
    assert last == f'next: {cli.command("export", imagenet.config, imagenet.weights)}'
    assert re.search('^1 set, on ', err, re.MULTILINE)
    assert re.search('^1 of 1: ImageNet-A: top-1 ', err, re.MULTILINE)
    (measured,) = json.loads(report.read_text())['sets']
    assert (measured['set'], measured['pictures'], measured['whole']) == ('ImageNet-A', 1, False)


def test_the_next_command_of_an_exported_file_runs_as_printed(
    imagenet: Classifier,  # noqa: F811
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    export(imagenet.config, imagenet.weights, 'tiny.onnx')
    place(tmp_path / 'a', imagenet, CLASSES[1:], [0])
    assert call(imagenet.config, 'tiny.onnx', '--imagenet-a', 'a') == 0
    last = capsys.readouterr().out.splitlines()[-1]
    (folder,) = Path('a').iterdir()
    assert last == f'next: {cli.command("predict", "tiny.onnx", folder)}'
    assert cli.run(predict.main, ['tiny.onnx', str(folder)]) == 0


@pytest.mark.parametrize(
    ('words', 'status', 'message'),
    [
        ('', 2, 'no set given, expected at least one of --imagenet, --imagenet-c, --imagenet-a, '),
        ('--imagenet-a gone', 1, 'gone: no such folder, expected one with a set of pictures'),
        ('--corrupt', 2, '--corrupt makes ImageNet-C of the pictures of --imagenet: give that, and not --imagenet-c'),
        (
            '--imagenet . --corrupt --corruptions rain',
            2,
            "--corruptions: 'rain' given, expected some of gaussian_noise,",
        ),
        ('--imagenet . --corrupt --severities 1,6', 2, "--severities: '1,6' given, expected some of 1,2,3,4,5, none"),
        ('--imagenet . --limit 0', 2, '--limit: 0 given, expected a number of pictures from 1'),
        ('--imagenet .', 1, '.: work: no class of ImageNet; expected a folder for each of the 1000 classes'),
        ('--imagenet-a a --report a.txt', 2, "--report a.txt: ending '.txt' given, expected .json"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    words: str,
    status: int,
    message: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'work').mkdir()
    assert call('mobileone_s0_in1k', 'best.pth', *words.split()) == status
    out, err = capsys.readouterr()
    assert (out, err.count('\n')) == ('', 1)
    assert err.startswith(f'error: {message}'), err


def test_numbers_that_are_none_are_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match='2'):
        call('mobileone_s0_in1k', 'best.pth', '--severities', '1,two')
    assert "'1,two' given, expected numbers such as 1,3,5" in capsys.readouterr().err


def test_a_detector_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / CLASSES[0]).mkdir()
    assert call('demo_ssd', 'best.pth', '--imagenet-a', tmp_path) == 1
    assert 'made for detection, expected the config of an ImageNet classifier' in capsys.readouterr().err
