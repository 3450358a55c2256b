"""The folder of predictions holds one run's, whole, or says by its missing list that it does not."""

import os
import shutil
import signal
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

from mobileone_mm.errors import UsageError
from mobileone_mm.outputs import MARKER, report_text, signed_jpeg
from mobileone_mm.prediction.folder import written_whole
from mobileone_mm.prediction.sources import LIST

MOVES = ('os.rename', 'os.remove', 'os.rmdir', 'ctypes.dlsym')  # audit events
FILES = [Path(f'in/{name}.png') for name in 'ab']


def picture(text: str) -> bytes:
    return signed_jpeg(b'\xff\xd8\xff\xe0\x00\x04xx' + text.encode())


def write(out: Path, text: str) -> None:
    with written_whole(out, FILES) as fresh:
        for file in FILES:
            (fresh / f'{file.stem}.jpg').write_bytes(picture(text))
        (fresh / LIST).write_text(report_text({'of': text}))


def held(out: Path) -> dict[str, str]:
    """What of a run a folder holds: which run each file is of."""
    found = {path.name: path.read_bytes() for path in out.glob('*.*') if path.is_file()}
    texts = {name: found[name] for name in ('a.jpg', 'b.jpg', LIST) if name in found}
    return {name: 'new' if b'new' in data else 'old' for name, data in texts.items()}


def killed_at(call: int, action: Callable[[], None]) -> bool:
    """Do something in a child that is killed before a certain move of it; False where it ends before."""
    child = os.fork()
    if child == 0:
        calls = count()

        def hook(event: str, arguments: object) -> None:
            if event in MOVES and next(calls) == call:
                os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(hook)
        action()
        os._exit(0)
    return os.waitpid(child, 0)[1] == signal.SIGKILL


def with_notes(out: Path) -> None:
    (out / 'notes.txt').write_text('mine')
    (out / 'kept').mkdir()
    (out / 'kept' / 'a.jpg').write_bytes(picture('kept'))


@pytest.mark.parametrize('theirs', [False, True])
def test_no_kill_leaves_a_list_beside_pictures_of_another_run(theirs: bool, tmp_path: Path) -> None:
    out, states = tmp_path / 'out', []
    for call in count():
        shutil.rmtree(out, ignore_errors=True)
        write(out, 'old')
        if theirs:
            with_notes(out)
        killed = killed_at(call, lambda: write(out, 'new'))
        states.append(held(out))
        if theirs:
            assert (out / 'notes.txt').read_text() == 'mine'
            assert (out / 'kept' / 'a.jpg').read_bytes() == picture('kept')
        if not killed:
            break
    whole = [dict.fromkeys(('a.jpg', 'b.jpg', LIST), version) for version in ('old', 'new')]
    assert states[0] == whole[0]
    assert states[-1] == whole[1]
    for state in states:
        assert len(set(state.values())) <= 1, 'of two runs'
        assert LIST not in state or state in whole
    if not theirs and sys.platform == 'linux':
        assert all(state in whole for state in states)
    write(out, 'newer')
    left = {MARKER, 'a.jpg', 'b.jpg', LIST}
    assert {path.name for path in out.iterdir()} == left | ({'notes.txt', 'kept'} if theirs else set())
    assert list(tmp_path.iterdir()) == [out]


@pytest.mark.parametrize('theirs', [False, True])
def test_a_run_that_fails_changes_nothing(theirs: bool, tmp_path: Path) -> None:
    out = tmp_path / 'out'
    write(out, 'old')
    if theirs:
        with_notes(out)
    before = {path: path.read_bytes() for path in out.rglob('*') if path.is_file()}

    def fail() -> None:
        with written_whole(out, FILES) as fresh:
            (fresh / 'a.jpg').write_bytes(picture('new'))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert {path: path.read_bytes() for path in out.rglob('*') if path.is_file()} == before
    assert list(tmp_path.iterdir()) == [out]


def test_what_the_user_puts_there_meanwhile_stays(tmp_path: Path) -> None:
    out = tmp_path / 'out'
    write(out, 'old')
    with written_whole(out, FILES) as fresh:
        (fresh / 'a.jpg').write_bytes(picture('new'))
        (fresh / LIST).write_text(report_text({'of': 'new'}))
        (out / 'notes.txt').write_text('mine')
    assert held(out) == {'a.jpg': 'new', LIST: 'new'}
    assert (out / 'notes.txt').read_text() == 'mine'

    def in_the_way() -> None:
        with written_whole(out, FILES) as fresh:
            (fresh / 'b.jpg').write_bytes(picture('newer'))
            (out / 'b.jpg').write_bytes(b'\xff\xd8 precious')

    with pytest.raises(UsageError, match=r'out/b\.jpg: this file is not a picture with boxes'):
        in_the_way()
    assert (out / 'b.jpg').read_bytes() == b'\xff\xd8 precious'
    assert (out / LIST).exists()
