"""Two processes do not write one path: the second says so, and names the first; a killed one is in nobody's way."""

import os
import platform
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from mobileone_mm import locks
from mobileone_mm.errors import UsageError
from mobileone_mm.locks import holding, take

HOLDER = """
import os, sys, time
from mobileone_mm.locks import holding, take
with holding():
    for path in sys.argv[1:]:
        take(path)
    if not os.environ.get('FORKS') or os.fork():  # as to a worker of a data loader
        print('held', flush=True)
    time.sleep(600)
"""
Hold = Callable[..., 'subprocess.Popen[str]']


@pytest.fixture
def hold() -> Iterator[Hold]:
    """A function that starts a process which holds paths until it is killed."""
    started: list[subprocess.Popen[str]] = []

    def start(*paths: Path, **variables: str) -> 'subprocess.Popen[str]':
        command = [sys.executable, '-c', HOLDER, *map(str, paths)]
        environment = {**os.environ, **variables}
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, start_new_session=True)
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == 'held\n'
        return process

    yield start
    for process in started:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def test_the_second_process_names_the_first(tmp_path: Path, hold: Hold) -> None:
    path = tmp_path / 'd.mlpackage'
    process = hold(path)
    (tmp_path / 'link').symlink_to(path)
    for other in (path, tmp_path / 'link', tmp_path / '..' / tmp_path.name / path.name):
        with (
            pytest.raises(UsageError, match=rf'^{other}: process {process.pid} is writing it; wait until that has en'),
            holding(),
        ):
            take(other)
    with holding():
        take(tmp_path / 'other')


@pytest.mark.parametrize('variables', [{}, {'FORKS': '1'}], ids=['alone', 'with a worker that lives on'])
def test_a_killed_process_is_in_nobodys_way(variables: dict[str, str], tmp_path: Path, hold: Hold) -> None:
    path = tmp_path / 'work'
    process = hold(path, **variables)
    process.kill()
    process.wait()
    assert [entry.name for entry in tmp_path.iterdir()] == ['.work.lock']
    with holding():
        take(path)
        assert f'process {os.getpid()} on {platform.node()}' in (tmp_path / '.work.lock').read_text()
    assert list(tmp_path.iterdir()) == []


def test_missing_folders_are_made_and_go_again(tmp_path: Path, hold: Hold) -> None:
    with holding():
        take(tmp_path / 'a/b/c.json')
        take(tmp_path / 'a/b/d.json')
        take(tmp_path / 'a/b/c.json')
        assert (tmp_path / 'a/b').is_dir()
    assert list(tmp_path.iterdir()) == []
    with holding():
        take(tmp_path / 'a/b/c.json')
        (tmp_path / 'a/b/c.json').touch()
    assert sorted(path.name for path in tmp_path.rglob('*')) == ['a', 'b', 'c.json']


def test_what_is_locked_stays_so_until_the_outermost_work_is_done(tmp_path: Path) -> None:
    path = tmp_path / 'd.onnx'

    @holding()
    def inner() -> None:
        take(path)

    take(path)  # outside of any work
    assert list(tmp_path.iterdir()) == []
    with holding():
        inner()
        assert len(list(tmp_path.iterdir())) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize('obstacle', ['text', 'folder', 'link', 'pipe', 'name', 'no locks'])
def test_without_a_lock_work_goes_on_and_nothing_of_the_users_changes(
    obstacle: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / ('x' * 255 if obstacle == 'name' else 'd.onnx')
    file = tmp_path / f'.{path.name}.lock'
    if obstacle == 'text':
        file.write_text('my notes on a lock')
    elif obstacle == 'folder':
        file.mkdir()
    elif obstacle == 'link':
        file.symlink_to('nowhere')
    elif obstacle == 'pipe':
        os.mkfifo(file)
    elif obstacle == 'no locks':

        def refuse(*_: object) -> None:  # as a network file system does
            raise OSError(95, 'Operation not supported')

        monkeypatch.setattr(locks.fcntl, 'lockf', refuse)
        file.touch()
    before = [(entry.name, entry.lstat().st_mode, entry.lstat().st_size) for entry in tmp_path.iterdir()]
    with holding():
        take(path)
        take(path)
    assert [(entry.name, entry.lstat().st_mode, entry.lstat().st_size) for entry in tmp_path.iterdir()] == before
