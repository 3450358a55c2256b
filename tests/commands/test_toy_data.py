"""`tools/make_toy_data.py` as typed."""

import subprocess
import sys
from pathlib import Path

TOOL = Path(__file__).parents[2] / 'tools' / 'make_toy_data.py'


def call(*arguments: str) -> 'subprocess.CompletedProcess[str]':
    return subprocess.run(
        [sys.executable, str(TOOL), *arguments],
        capture_output=True,
        text=True,
        check=False,
    )


def test_writes_a_set_and_names_the_next_command(tmp_path: Path) -> None:
    done = call(
        str(tmp_path / 'set'),
        '--images',
        '3',
        '--val',
        '2',
        '--size',
        '64',
        '--seed',
        '5',
    )
    assert (done.returncode, done.stderr) == (0, '')
    assert len(list((tmp_path / 'set' / 'images' / 'train').glob('*.png'))) == 3
    assert len(list((tmp_path / 'set' / 'images' / 'val').glob('*.png'))) == 2
    first, last = done.stdout.splitlines()
    assert first.startswith(f'{tmp_path / "set"}: train 3 images, ')
    assert last.startswith('next: ')


def test_help_opens_with_an_example() -> None:
    assert call('--help').stdout.startswith('example: python tools/make_toy_data.py ')


def test_wrong_usage_is_one_line_status_2_and_no_file(tmp_path: Path) -> None:
    failed = call(str(tmp_path / 'set'), '--images', '0')
    assert failed.returncode == 2
    assert failed.stderr == 'error: --images: 0 given, expected 1 or more\n'
    assert list(tmp_path.iterdir()) == []


def test_a_missing_parent_folder_is_one_line_status_2(tmp_path: Path) -> None:
    failed = call(str(tmp_path / 'no' / 'set'))
    assert failed.returncode == 2
    assert failed.stderr.count('\n') == 1
    assert 'does not exist' in failed.stderr
