"""`mobileone demo` as typed; what it does is in tests/demo."""

import re
from pathlib import Path

import pytest

from mobileone_mm import cli
from mobileone_mm.commands.demo import main


def test_a_task_without_a_demo_is_refused_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        cli.run(main, ['--task', 'tracking'])
    assert ended.value.code == 2
    said = r"'tracking' \(choose from '?detection'?, '?segmentation'?, '?classification'?\)"
    assert re.search(said, capsys.readouterr().err)
    assert list(tmp_path.iterdir()) == []
