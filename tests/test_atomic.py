"""Paths that appear whole or not at all, and never at the cost of something else."""

from collections.abc import Callable
from pathlib import Path

import pytest

from mobileone_mm.atomic import Recognise, replacing, require_writable
from mobileone_mm.errors import UsageError

Write = Callable[[Path, str], None]


def write_file(path: Path, text: str) -> None:
    path.write_text(text)


def write_folder(path: Path, text: str) -> None:
    (path / 'inner').mkdir(parents=True)
    (path / 'inner' / 'file').write_text(text)


def text_of(path: Path) -> str:
    return (path / 'inner' / 'file' if path.is_dir() else path).read_text()


def is_ours(folder: Path) -> bool:
    return [path.name for path in folder.iterdir()] == ['inner']


WRITERS = pytest.mark.parametrize(('write', 'ours'), [(write_file, None), (write_folder, is_ours)])


@WRITERS
@pytest.mark.parametrize('replaced', [False, True])
def test_what_was_written_stands_there_and_nothing_beside(
    tmp_path: Path, write: Write, ours: Recognise | None, replaced: bool
) -> None:
    path = tmp_path / 'out.mlpackage'
    if replaced:
        write(path, 'old')
    with replacing(path, ours) as fresh:
        assert fresh.suffix == path.suffix  # libraries choose a format by it
        write(fresh, 'new')
        assert not replaced or text_of(path) == 'old'
    assert text_of(path) == 'new'
    assert list(tmp_path.iterdir()) == [path]


def fail_half_way(path: Path, write: Write, ours: Recognise | None) -> None:
    with replacing(path, ours) as fresh:
        write(fresh, 'new')
        raise RuntimeError('half way')


def write_nothing(path: Path, write: Write, ours: Recognise | None) -> None:
    with replacing(path, ours):
        pass


@WRITERS
@pytest.mark.parametrize('replaced', [False, True])
@pytest.mark.parametrize('fail', [fail_half_way, write_nothing])
def test_a_failure_leaves_what_was_there(
    tmp_path: Path, write: Write, ours: Recognise | None, replaced: bool, fail: Callable[..., None]
) -> None:
    path = tmp_path / 'out.mlpackage'
    if replaced:
        write(path, 'old')
    with pytest.raises((RuntimeError, FileNotFoundError)):
        fail(path, write, ours)
    assert list(tmp_path.iterdir()) == ([path] if replaced else [])
    assert not replaced or text_of(path) == 'old'


@pytest.mark.parametrize('ours', [None, is_ours])
@pytest.mark.parametrize('holds', ['', 'notes.txt', 'inner/more and notes.txt'])
def test_a_folder_of_somebody_else_is_left_alone(tmp_path: Path, ours: Recognise | None, holds: str) -> None:
    path = tmp_path / 'precious'
    path.mkdir()
    for name in filter(None, holds.split(' and ')):
        (path / name).parent.mkdir(exist_ok=True)
        (path / name).write_text('kept')
    before = sorted(path.rglob('*'))
    with pytest.raises(UsageError, match='a folder stands there that would be lost'), replacing(path, ours):
        pytest.fail('the block must not be entered')
    assert sorted(path.rglob('*')) == before


def test_a_folder_never_replaces_a_file(tmp_path: Path) -> None:
    path = tmp_path / 'detector.mlpackage'
    path.write_text('kept')
    with pytest.raises(UsageError, match='a file stands there, and a folder is to be written'):
        require_writable(path, is_ours)
    assert path.read_text() == 'kept'


def test_a_missing_folder_is_refused_with_the_command_that_makes_it(tmp_path: Path) -> None:
    path = tmp_path / 'no' / 'out.json'
    with pytest.raises(UsageError, match=rf'{path}: the folder {path.parent} does not exist; make it: mkdir -p '):
        require_writable(path)


@pytest.mark.parametrize('path', ['.', '..', '/'])
def test_a_path_without_a_name_is_refused(path: str) -> None:
    with pytest.raises(UsageError):
        require_writable(Path(path))
