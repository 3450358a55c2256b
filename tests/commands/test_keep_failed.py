"""`--keep-failed` as typed, and what the other commands say of such a file."""

from pathlib import Path

import pytest

from mobileone_mm import cli
from mobileone_mm.commands import evaluate, export, predict, verify
from mobileone_mm.outputs import page_of
from mobileone_mm.targets.artifact import open_artifact
from tiny_detector import overflowing

FAILED = 'FAILED: '


def test_a_file_that_was_kept_says_so_everywhere(
    detector: tuple[Path, Path], config_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / 'd.mlpackage'
    words = [*map(str, overflowing(tmp_path, detector, 2.0**15)), '--out', str(out)]
    assert cli.run(export.main, words) == 1
    assert not out.exists()
    assert not page_of(out).exists()
    assert capsys.readouterr().err.endswith('; --keep-failed writes the file all the same, to try how fast it is\n')

    assert cli.run(export.main, [*words, '--keep-failed']) == 1
    lines = capsys.readouterr().out.splitlines()
    assert FAILED in lines[0]
    assert ' train ' in lines[-1]
    card = open_artifact(out).card
    assert card.failed
    page = page_of(out).read_text(encoding='utf-8')
    assert page.index('FAILED') < page.index('<table')

    assert cli.run(verify.main, [str(out)]) == 1
    assert FAILED in capsys.readouterr().out.splitlines()[0]

    assert cli.run(evaluate.main, [str(out), str(config_file), '--limit', '2']) == 0
    assert capsys.readouterr().out.startswith(FAILED)

    pictures = config_file.parent / 'data' / 'images' / 'val'
    assert cli.run(predict.main, [str(out), str(pictures), '--out', str(tmp_path / 'looked_at')]) == 0
    assert capsys.readouterr().out.startswith(FAILED)


def test_a_sound_file_is_not_marked(
    detector: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / 'd.onnx'
    assert cli.run(export.main, [*map(str, detector), '--out', str(out), '--keep-failed']) == 0
    assert not open_artifact(out).card.failed
    assert FAILED not in capsys.readouterr().out
