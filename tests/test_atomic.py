"""Paths that appear whole or not at all, and never at the cost of something else."""

import errno
import os
import platform
import resource
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from mobileone_mm import atomic
from mobileone_mm.atomic import Kind, replacing, replacing_together, require_writable
from mobileone_mm.errors import MobileOneError, UsageError
from mobileone_mm.rooms import ROOM_BYTES

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


OURS = Kind('a test folder', is_ours, folder=True)


WRITERS = pytest.mark.parametrize(('write', 'ours'), [(write_file, None), (write_folder, OURS)])


@WRITERS
@pytest.mark.parametrize('replaced', [False, True])
def test_what_was_written_stands_there_and_nothing_beside(
    tmp_path: Path, write: Write, ours: Kind | None, replaced: bool
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


def fail_half_way(path: Path, write: Write, ours: Kind | None) -> None:
    with replacing(path, ours) as fresh:
        write(fresh, 'new')
        raise RuntimeError('half way')


def write_nothing(path: Path, write: Write, ours: Kind | None) -> None:
    with replacing(path, ours):
        pass


@WRITERS
@pytest.mark.parametrize('replaced', [False, True])
@pytest.mark.parametrize('fail', [fail_half_way, write_nothing])
def test_a_failure_leaves_what_was_there(
    tmp_path: Path, write: Write, ours: Kind | None, replaced: bool, fail: Callable[..., None]
) -> None:
    path = tmp_path / 'out.mlpackage'
    if replaced:
        write(path, 'old')
    with pytest.raises((RuntimeError, FileNotFoundError)):
        fail(path, write, ours)
    assert list(tmp_path.iterdir()) == ([path] if replaced else [])
    assert not replaced or text_of(path) == 'old'


@pytest.mark.parametrize('ours', [None, OURS])
@pytest.mark.parametrize('holds', ['notes.txt', 'inner/more and notes.txt'])
def test_a_folder_of_somebody_else_is_left_alone(tmp_path: Path, ours: Kind | None, holds: str) -> None:
    path = tmp_path / 'precious'
    path.mkdir()
    for name in filter(None, holds.split(' and ')):
        (path / name).parent.mkdir(exist_ok=True)
        (path / name).write_text('kept')
    before = sorted(path.rglob('*'))
    with (
        pytest.raises(
            UsageError, match=r'this folder is not a test folder written by|a folder stands there, and a file is to be'
        ),
        replacing(path, ours),
    ):
        pytest.fail('the block must not be entered')
    assert sorted(path.rglob('*')) == before


@pytest.mark.parametrize('kind', [OURS, Kind('another', lambda folder: False, folder=True)])
def test_an_empty_folder_is_free_for_a_folder_and_not_for_a_file(tmp_path: Path, kind: Kind) -> None:
    path = tmp_path / 'empty'
    path.mkdir()
    with pytest.raises(UsageError, match='a folder stands there, and a file is to be written'):
        require_writable(path)
    with replacing(path, kind) as fresh:
        write_folder(fresh, 'new')
    assert text_of(path) == 'new'


def says(text: str) -> Kind:
    return Kind('a test file', lambda path: path.read_text('utf-8') == text)


def test_a_file_replaces_one_of_its_kind_alone(tmp_path: Path) -> None:
    path = tmp_path / 'out'
    for text in ('first', 'second'):
        with replacing(path, says('first')) as fresh:
            write_file(fresh, text)
    for content in (b'second', b'', b'\xff'):  # another's, nothing, and what cannot even be read as text
        path.write_bytes(content)
        with pytest.raises(UsageError, match=f'{path}: this file is not a test file written by mobileone_mm; move it'):
            require_writable(path, says('first'))
        assert path.read_bytes() == content


def test_a_file_that_appears_meanwhile_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / 'out'

    def run() -> None:
        with replacing(path, says('mine')) as fresh:
            write_file(fresh, 'mine')
            write_file(path, 'kept')

    with pytest.raises(UsageError, match='this file is not a test file written by mobileone_mm'):
        run()
    assert text_of(path) == 'kept'


def test_a_folder_never_replaces_a_file(tmp_path: Path) -> None:
    path = tmp_path / 'detector.mlpackage'
    path.write_text('kept')
    with pytest.raises(UsageError, match='a file stands there, and a folder is to be written'):
        require_writable(path, OURS)
    assert path.read_text() == 'kept'


@WRITERS
def test_missing_folders_are_made(tmp_path: Path, write: Write, ours: Kind | None) -> None:
    path = tmp_path / 'new' / 'sub' / 'out.mlpackage'
    require_writable(path, ours)
    assert not (tmp_path / 'new').exists()  # asked for, not made yet
    with replacing(path, ours) as fresh:
        write(fresh, 'new')
    assert text_of(path) == 'new'
    assert list(path.parent.iterdir()) == [path]


@WRITERS
@pytest.mark.parametrize('fail', [fail_half_way, write_nothing])
def test_a_failure_leaves_no_folder_that_it_made(
    tmp_path: Path, write: Write, ours: Kind | None, fail: Callable[..., None]
) -> None:
    (tmp_path / 'there').mkdir()
    with pytest.raises((RuntimeError, FileNotFoundError)):
        fail(tmp_path / 'there' / 'new' / 'sub' / 'out.mlpackage', write, ours)
    assert list(tmp_path.rglob('*')) == [tmp_path / 'there']


def test_a_folder_that_something_else_lies_in_by_now_stays(tmp_path: Path) -> None:
    path = tmp_path / 'new' / 'sub' / 'out.json'

    def run() -> None:
        with replacing(path):
            (tmp_path / 'new' / 'notes.txt').write_text('kept')
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run()
    assert list(tmp_path.rglob('*.*')) == [tmp_path / 'new' / 'notes.txt']
    assert not path.parent.exists()


def test_nothing_is_written_into_a_package(tmp_path: Path) -> None:
    (tmp_path / 'd.mlpackage' / 'Data').mkdir(parents=True)
    (tmp_path / 'link').symlink_to(tmp_path / 'd.mlpackage')
    for inner in ('d.mlpackage/out.json', 'd.mlpackage/Data/out.json', 'link/out.json', 'd.mlpackage/new/sub/out.json'):
        with pytest.raises(UsageError, match=rf'{tmp_path}/{inner}: lies in a package, which holds nothing else'):
            require_writable(tmp_path / inner)


@pytest.mark.parametrize('path', ['.', '..', '/'])
def test_a_path_without_a_name_is_refused(path: str) -> None:
    with pytest.raises(UsageError):
        require_writable(Path(path))


def test_a_folder_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / 'file').write_text('kept')
    with pytest.raises(UsageError, match=rf'{tmp_path}/file is a file, not a folder; choose another path'):
        require_writable(tmp_path / 'file' / 'out.json')
    with pytest.raises(UsageError, match=rf'{tmp_path}/file is a file, not a folder; choose another path'):
        require_writable(tmp_path / 'file' / 'new' / 'out.json')


def test_too_long_a_name_is_refused_with_its_length(tmp_path: Path) -> None:
    longest = os.pathconf(tmp_path, 'PC_NAME_MAX') - ROOM_BYTES
    require_writable(tmp_path / ('x' * longest))
    message = rf'name too long: {longest + 1} bytes given, expected {longest} at most; choose a shorter one'
    for name in ('x' * (longest + 1), 'ü' + 'x' * (longest - 1)):
        with pytest.raises(UsageError, match=f'{tmp_path}/{name}: {message}'):
            require_writable(tmp_path / name)


@pytest.mark.parametrize('name', ['new', 'old', 'lock', '.new', "it's 100 % {ü}[*]", 'x' * 245])
@WRITERS
def test_no_name_is_special(tmp_path: Path, name: str, write: Write, ours: Kind | None) -> None:
    for text in ('old', 'new'):
        with replacing(tmp_path / name, ours) as fresh:
            assert fresh.name == name
            write(fresh, text)
        assert text_of(tmp_path / name) == text
    assert [path.name for path in tmp_path.iterdir()] == [name]


@WRITERS
@pytest.mark.parametrize('target', ['new', 'earlier', 'out.mlpackage'])
def test_nothing_is_written_through_a_link(tmp_path: Path, write: Write, ours: Kind | None, target: str) -> None:
    link = tmp_path / 'out.mlpackage'
    write(tmp_path / 'earlier', 'kept')  # of the same kind
    link.symlink_to(target)
    for check in (require_writable, lambda *output: replacing(*output).__enter__()):
        with pytest.raises(UsageError, match=rf'^{link}: this is a symbolic link, and nothing is .*; remove it, or '):
            check(link, ours)
    assert sorted(path.name for path in tmp_path.iterdir()) == ['earlier', 'out.mlpackage']
    assert text_of(tmp_path / 'earlier') == 'kept'


@WRITERS
def test_a_folder_above_may_be_a_link(tmp_path: Path, write: Write, ours: Kind | None) -> None:
    (tmp_path / 'store').mkdir()
    (tmp_path / 'link').symlink_to('store')
    with replacing(tmp_path / 'link/sub/out.mlpackage', ours) as fresh:
        write(fresh, 'new')
    assert text_of(tmp_path / 'store/sub/out.mlpackage') == 'new'
    assert (tmp_path / 'link').is_symlink()


@pytest.mark.parametrize('target', ['nowhere', 'link'])
def test_a_link_above_that_leads_nowhere_is_refused(tmp_path: Path, target: str) -> None:
    (tmp_path / 'link').symlink_to(target)
    for path in ('link/out.json', 'link/sub/out.json'):
        with pytest.raises(UsageError, match=rf'^{tmp_path}/{path}: {tmp_path}/link is a symbolic link that leads no'):
            require_writable(tmp_path / path)
    assert [path.name for path in tmp_path.iterdir()] == ['link']


@WRITERS
def test_a_link_that_appears_meanwhile_is_left_alone(tmp_path: Path, write: Write, ours: Kind | None) -> None:
    path = tmp_path / 'out.mlpackage'

    def run() -> None:
        with replacing(path, ours) as fresh:
            write(fresh, 'new')
            path.symlink_to('nowhere')

    with pytest.raises(UsageError, match='this is a symbolic link'):
        run()
    assert path.is_symlink()
    assert list(tmp_path.iterdir()) == [path]


@WRITERS
def test_what_appears_meanwhile_is_left_alone(tmp_path: Path, write: Write, ours: Kind | None) -> None:
    path = tmp_path / 'out.mlpackage'

    def run() -> None:
        with replacing(path, ours) as fresh:
            write(fresh, 'new')
            path.mkdir()
            (path / 'notes.txt').write_text('kept')

    with pytest.raises(
        UsageError, match=r'this folder is not a test folder written by|a folder stands there, and a file is to be'
    ):
        run()
    assert [entry.name for entry in path.iterdir()] == ['notes.txt']
    assert list(tmp_path.iterdir()) == [path]


def cannot_exchange(one: Path, other: Path) -> bool:
    """What `_exchanged` says on a system, or for a file system, that cannot."""
    return False


METHODS = pytest.mark.parametrize('method', ['exchange', 'aside'])


@METHODS
def test_a_process_killed_at_any_call_to_the_system_leaves_one_version(tmp_path: Path, method: str) -> None:
    script = Path(__file__).with_name('killed_writer.py')
    command = [sys.executable, str(script), str(tmp_path), method]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) > 20
    # Before the switch the old one, after it the new one, and nothing beside it once the next run has ended.
    old, new = lines.count('old old'), lines.count('new new')
    between = [] if method == 'exchange' and platform.system() == 'Linux' else ['nothing old']
    assert min(old, new) > 10
    assert lines in (['old old'] * old + between + ['new new'] * new, ['old old'] * old + ['new new'] * new)


def test_of_several_replaced_together_no_kill_leaves_an_old_one_beside_a_new_one(tmp_path: Path) -> None:
    script = Path(__file__).with_name('killed_writer.py')
    command = [sys.executable, str(script), str(tmp_path), 'together']
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    states = done.stdout.splitlines()
    assert min(states.count('old old old'), states.count('new new new')) > 10
    assert set(states) <= {
        'old old old',
        'old old nothing',
        'old nothing nothing',
        'new nothing nothing',
        'new new nothing',
        'new new new',
    }


@pytest.mark.parametrize('stood', [True, False])
@pytest.mark.parametrize('method', ['exchange', 'aside'])
@pytest.mark.parametrize('fails', [0, 1, 2])
def test_when_one_of_several_cannot_be_moved_all_are_as_they_were(
    fails: int, method: str, stood: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if method == 'aside':
        monkeypatch.setattr(atomic, '_exchanged', cannot_exchange)
    paths = [tmp_path / 'd.mlpackage', tmp_path / 'd.html', tmp_path / 'other' / 'd.json']
    paths[2].parent.mkdir()
    if stood:
        write_folder(paths[0], 'old')
        for path in paths[1:]:
            write_file(path, 'old')

    def run() -> None:
        with replacing_together(list(zip(paths, (OURS, None, None), strict=True))) as fresh:
            write_folder(fresh[0], 'new')
            for path in fresh[1:]:
                write_file(path, 'new')
            monkeypatch.setattr(atomic, 'flush', lambda path: gone(fresh[fails]))

    def gone(path: Path) -> None:  # by another hand, and after all was written
        shutil.rmtree(path, ignore_errors=True)
        path.unlink(missing_ok=True)

    with pytest.raises(FileNotFoundError):
        run()
    assert [text_of(path) for path in paths if path.exists()] == ['old'] * 3 * stood
    left = {'d.mlpackage', 'd.html', 'other'} if stood else {'other'}
    assert {path.name for path in tmp_path.iterdir()} == left


def test_all_of_several_appear_or_none(tmp_path: Path) -> None:
    paths = [(tmp_path / 'a', None), (tmp_path / 'new/b', None)]

    def fail() -> None:
        with replacing_together(paths) as fresh:
            write_file(fresh[0], 'new')
            raise RuntimeError('half way')

    with pytest.raises(RuntimeError, match='half way'):
        fail()
    assert list(tmp_path.iterdir()) == []
    for text in ('first', 'second'):
        with replacing_together(paths) as fresh:
            for path in fresh:
                write_file(path, text)
        assert [text_of(path) for path, _ in paths] == [text] * 2
    assert sorted(path.name for path in tmp_path.rglob('*')) == ['a', 'b', 'new']


@pytest.mark.skipif(platform.system() != 'Linux', reason='on macOS the file system decides')
def test_folders_change_places_in_one_step(tmp_path: Path) -> None:
    one, other = tmp_path / 'one', tmp_path / "other, and it's ü"
    write_folder(one, '1')
    write_folder(other, '2')
    if not atomic._exchanged(one, other):
        pytest.skip('this file system cannot exchange')
    assert (text_of(one), text_of(other)) == ('2', '1')
    assert not atomic._exchanged(one, tmp_path / 'none')
    assert text_of(one) == '2'


@METHODS
def test_of_several_runs_at_once_one_wins_whole(tmp_path: Path, method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if method == 'aside':
        monkeypatch.setattr(atomic, '_exchanged', cannot_exchange)
    path = tmp_path / 'out.mlpackage'
    failures: list[BaseException] = []

    def run(text: str) -> None:
        try:
            for _ in range(20):
                with replacing(path, OURS) as fresh:
                    write_folder(fresh, text)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(text,)) for text in 'abc']
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert text_of(path) in 'abc'
    assert list(tmp_path.iterdir()) == [path]


@WRITERS
def test_the_room_of_a_living_run_is_left_alone(tmp_path: Path, write: Write, ours: Kind | None) -> None:
    path = tmp_path / 'out.mlpackage'
    with replacing(path, ours) as slow:
        write(slow, 'slow')
        with replacing(path, ours) as quick:
            write(quick, 'quick')
        assert text_of(path) == 'quick'
        assert text_of(slow) == 'slow'
    assert text_of(path) == 'slow'
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize('name', ['.out.mlpackage.backup', '.out.mlpackage.abcd1234', '.other.mlpackage.abcd1234'])
@pytest.mark.parametrize('inner', ['notes.txt', 'new/out.mlpackage'])
def test_a_hidden_folder_of_somebody_else_is_left_alone(tmp_path: Path, name: str, inner: str) -> None:
    kept = tmp_path / name / inner
    kept.parent.mkdir(parents=True)
    kept.write_text('kept')
    with replacing(tmp_path / 'out.mlpackage', OURS) as fresh:
        write_folder(fresh, 'new')
    assert kept.read_text() == 'kept'


def abandoned(folder: Path) -> Path:
    """A room as a killed run leaves it that had an old folder aside."""
    room = folder / '.out.mlpackage.abcd1234'
    write_folder(room / 'old', 'old')
    write_folder(room / 'new' / 'out.mlpackage', 'half')
    (room / 'lock').write_text('mobileone_mm: process 1 on there\n')
    return room


@pytest.mark.parametrize('lock', ['', 'my diary has one', 'mobileone_mm', 'link', 'pipe', 'folder', None])
def test_a_folder_whose_lock_no_process_of_ours_wrote_stays_as_it_is(tmp_path: Path, lock: str | None) -> None:
    room = abandoned(tmp_path)
    (room / 'keep.txt').write_text('kept')
    ours = (room / 'lock').rename(tmp_path / 'ours')
    if lock == 'link':
        (room / 'lock').symlink_to(ours)
    elif lock == 'pipe':
        os.mkfifo(room / 'lock')
    elif lock == 'folder':
        (room / 'lock').mkdir()
    elif lock is not None:
        (room / 'lock').write_text(lock)
    before = sorted((path, path.lstat().st_mode, path.lstat().st_mtime_ns) for path in room.rglob('*'))
    with replacing(tmp_path / 'out.mlpackage', OURS) as fresh:
        assert not (tmp_path / 'out.mlpackage').exists()
        write_folder(fresh, 'new')
    assert sorted((path, path.lstat().st_mode, path.lstat().st_mtime_ns) for path in room.rglob('*')) == before
    assert text_of(tmp_path / 'out.mlpackage') == 'new'


@pytest.mark.parametrize('missing', ['a', 'a/b', 'file'])
def test_no_way_goes_up_from_a_folder_that_does_not_exist(tmp_path: Path, missing: str) -> None:
    (tmp_path / 'ld').mkdir()
    (tmp_path / 'file').touch()
    for path in (f'{missing}/../out.json', f'ld/../{missing}/../ld/out.json', f'{missing}/..'):
        with pytest.raises(UsageError, match=rf'^{tmp_path}/{path}: .*{missing} is no folder, so that \.\. leads nowh'):
            require_writable(f'{tmp_path}/{path}')
    require_writable(f'{tmp_path}/ld/../ld/out.json')
    assert sorted(path.name for path in tmp_path.rglob('*')) == ['file', 'ld']


def test_an_abandoned_folder_goes_back_and_never_over_another(tmp_path: Path) -> None:
    path = tmp_path / 'out.mlpackage'
    abandoned(tmp_path)
    with replacing(path, OURS) as fresh:
        assert text_of(path) == 'old'
        assert list(tmp_path.glob('.*1234')) == []
        abandoned(tmp_path)
        write_folder(fresh, 'new')
    assert text_of(path) == 'new'
    with replacing(path, OURS) as fresh:
        assert text_of(path) == 'new'
        write_folder(fresh, 'newer')
    assert list(tmp_path.iterdir()) == [path]


def test_a_scratch_folder_goes_and_takes_the_abandoned_with_it(tmp_path: Path) -> None:
    room = abandoned(tmp_path)
    shutil.rmtree(room / 'old')
    with atomic.scratch(tmp_path / 'out.mlpackage') as folder:
        assert not room.exists()
        assert list(folder.iterdir()) == []
        (folder / 'file').write_text('text')
    assert list(tmp_path.iterdir()) == []


def test_what_another_path_left_is_not_ours(tmp_path: Path) -> None:
    room = abandoned(tmp_path)
    with replacing(tmp_path / 'other.mlpackage', OURS) as fresh:
        write_folder(fresh, 'new')
    assert text_of(room / 'old') == 'old'
    (tmp_path / 'out.mlpackage').write_text('by now, a file')
    with replacing(tmp_path / 'out.mlpackage') as fresh:
        write_file(fresh, 'a newer file')
    assert text_of(tmp_path / 'out.mlpackage') == 'a newer file'
    assert not room.exists()


def test_a_folder_that_is_replaced_while_it_is_judged_is_judged_again(tmp_path: Path) -> None:
    path = tmp_path / 'out.mlpackage'
    write_folder(path, 'first')

    def sees_it_go(folder: Path) -> bool:
        if text_of(folder) == 'first':
            folder.rename(tmp_path / 'first')
            write_folder(folder, 'second')
            return False
        return True

    require_writable(path, Kind('a test folder', sees_it_go, folder=True))
    assert text_of(path) == 'second'


def test_without_an_exchange_whatever_happens_in_between_leaves_one_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / 'out.mlpackage'

    def replace_while(action: Callable[[Path], object]) -> None:
        monkeypatch.setattr(atomic, '_exchanged', lambda fresh, path: bool(action(fresh)))
        with replacing(path, OURS) as fresh:
            write_folder(fresh, 'new')

    write_folder(path, 'old')
    with pytest.raises(FileNotFoundError):  # the new one is lost, by whatever hand
        replace_while(shutil.rmtree)
    assert text_of(path) == 'old'
    replace_while(lambda fresh: shutil.rmtree(path))  # another run takes the old one aside
    assert text_of(path) == 'new'
    assert list(tmp_path.iterdir()) == [path]


def test_a_disk_without_room_says_so(tmp_path: Path) -> None:
    assert atomic.no_space(tmp_path) is None
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    path = tmp_path / 'out.json'
    path.write_text('old')
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with (
            pytest.raises(MobileOneError, match=rf'^{path}: cannot be written: File too large; make room there, or ch'),
            replacing(path) as fresh,
        ):
            fresh.write_bytes(bytes(2000))
        reason = atomic.no_space(tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert reason == 'File too large'
    assert path.read_text() == 'old'
    assert list(tmp_path.iterdir()) == [path]


def test_an_error_that_names_no_file_names_what_was_written(tmp_path: Path) -> None:
    paths = [tmp_path / 'out.pth', tmp_path / 'out.py']
    with (
        pytest.raises(MobileOneError, match=rf'^{paths[0]}, {paths[1]}: cannot be written: Input/output error; '),
        atomic.replacing_together([(path, None) for path in paths]),
    ):
        raise OSError(errno.EIO, os.strerror(errno.EIO))
    with pytest.raises(FileNotFoundError, match=r"'mine\.txt'"), replacing(paths[0]):
        Path('mine.txt').read_text()
    with pytest.raises(OSError, match=r'^said in words$'), replacing(paths[0]):
        raise OSError('said in words')
    assert list(tmp_path.iterdir()) == []


@WRITERS
def test_a_disk_that_turns_out_full_when_it_is_flushed_leaves_what_was_there(
    tmp_path: Path, write: Write, ours: Kind | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / 'out.mlpackage'
    write(path, 'old')

    def full(descriptor: int) -> None:  # as a network file system says it
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, 'fsync', full)
    with (
        pytest.raises(MobileOneError, match=rf'^{path}: cannot be written: No space left on device; make room there'),
        replacing(path, ours) as fresh,
    ):
        write(fresh, 'new')
    assert text_of(path) == 'old'
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(os.geteuid() == 0, reason='root writes everywhere')
def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / 'locked'
    folder.mkdir(0o500)
    for path in (folder / 'out.json', folder / 'new' / 'sub' / 'out.json'):
        with pytest.raises(MobileOneError, match=rf'the folder {folder} is not writable; choose another path'):
            require_writable(path)
