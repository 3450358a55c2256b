"""Paths that appear whole or not at all."""

from collections.abc import Callable
from pathlib import Path

import pytest

from mobileone_mm.atomic import replacing, require_writable_parent
from mobileone_mm.errors import UsageError

Write = Callable[[Path, str], None]


def write_file(path: Path, text: str) -> None:
    path.write_text(text)


def write_folder(path: Path, text: str) -> None:
    (path / 'inner').mkdir(parents=True)
    (path / 'inner' / 'file').write_text(text)


def text_of(path: Path) -> str:
    return (path / 'inner' / 'file' if path.is_dir() else path).read_text()


@pytest.mark.parametrize('write', [write_file, write_folder])
@pytest.mark.parametrize('before', [None, write_file, write_folder])
def test_what_was_written_stands_there_and_nothing_beside(tmp_path: Path, write: Write, before: Write | None) -> None:
    path = tmp_path / 'out.mlpackage'
    if before:
        before(path, 'old')
    with replacing(path) as fresh:
        assert fresh.suffix == path.suffix  # libraries choose a format by it
        write(fresh, 'new')
        assert not before or text_of(path) == 'old'
    assert text_of(path) == 'new'
    assert list(tmp_path.iterdir()) == [path]


def fail_half_way(path: Path) -> None:
    with replacing(path) as fresh:
        write_folder(fresh, 'new')
        raise RuntimeError('half way')


def write_nothing(path: Path) -> None:
    with replacing(path):
        pass


@pytest.mark.parametrize('fail', [fail_half_way, write_nothing])
@pytest.mark.parametrize('before', [None, write_file, write_folder])
def test_a_failure_leaves_what_was_there(tmp_path: Path, fail: Callable[[Path], None], before: Write | None) -> None:
    path = tmp_path / 'out.mlpackage'
    if before:
        before(path, 'old')
    with pytest.raises((RuntimeError, FileNotFoundError)):
        fail(path)
    assert list(tmp_path.iterdir()) == ([path] if before else [])
    assert not before or text_of(path) == 'old'


def test_a_missing_folder_is_refused_with_the_command_that_makes_it(tmp_path: Path) -> None:
    path = tmp_path / 'no' / 'out.json'
    with pytest.raises(UsageError, match=rf'{path}: the folder {path.parent} does not exist; make it: mkdir -p '):
        require_writable_parent(path)
    with pytest.raises(UsageError, match='does not exist'), replacing(path):
        pytest.fail('the block must not be entered')
