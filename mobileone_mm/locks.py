"""One process at a time writes a path: the second is told so before it has done any work.

Whoever is about to write a path holds a lock on a file beside it, `.NAME.lock`, which says who that is. The system
takes the lock away when the process ends, however it ends. The file goes too, unless the process was killed, and then
counts for nothing. Where no such file can be made or locked (a read-only or network folder), work goes on without.
"""

import errno
import fcntl
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path

from mobileone_mm.errors import UsageError
from mobileone_mm.rooms import OWNER, owner, require_way, said_in

HELD_BY_ANOTHER = (errno.EACCES, errno.EAGAIN)  # fcntl(2): POSIX allows either

Locks = dict[Path, tuple[int, list[Path]]]  # by path: its open lock file, and the folders that were made for that
_HELD: ContextVar[Locks | None] = ContextVar('what is locked until the work is done', default=None)


@contextmanager
def holding() -> Iterator[None]:
    """Keep what `take` locks in the block until its end; inside another such block, until the end of that.

    It also decorates a function.
    """
    if _HELD.get() is not None:
        yield
        return
    held: Locks = {}
    token = _HELD.set(held)
    try:
        yield
    finally:
        _HELD.reset(token)
        for path, (lock, made) in reversed(held.items()):  # folders go after what lies in them
            _release(path, lock, made)


def take(path: str | Path) -> None:
    """Lock what is to be written at a path, links resolved, until the work is done (`holding`; nothing outside of it).

    Raises:
        UsageError: another process is writing it, or a folder above it is a symbolic link that leads nowhere.
    """
    require_way(Path(path))
    held, target = _HELD.get(), Path(os.path.realpath(path))
    if held is None or target in held:
        return
    missing = [folder for folder in target.parents if not os.path.exists(folder)]  # the innermost first
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        lock = _locked(_lock_file(target), path)
    except OSError:
        lock = None
    except UsageError:
        _remove_empty(missing)
        raise
    if lock is None:
        _remove_empty(missing)
    else:
        held[target] = (lock, missing)


def _lock_file(path: Path) -> Path:
    return path.with_name(f'.{path.name}.lock')


def _locked(file: Path, path: str | Path) -> int | None:
    """The open lock file; None where it is none of ours, or cannot be locked."""
    while True:
        lock = os.open(file, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o644)
        try:
            said = said_in(lock)
            if said and not OWNER.fullmatch(said):
                os.close(lock)
                return None
            # Not flock(2): a worker that a killed process leaves behind for a moment would hold that on.
            fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(lock)
            if error.errno not in HELD_BY_ANOTHER:
                raise
            raise UsageError(
                f'{path}: {_owner(said)} is writing it; wait until that has ended, or choose another path'
            ) from error
        if os.fstat(lock).st_nlink:
            os.ftruncate(lock, 0)
            os.pwrite(lock, owner(), 0)
            return lock
        os.close(lock)  # its owner has removed it in between


def _owner(said: bytes) -> str:
    found = OWNER.fullmatch(said)
    if found is None:  # it has not said so yet
        return 'another process'
    host = found['host'].decode('utf-8', 'replace')
    return f'process {found["pid"].decode()}{"" if host == platform.node() else f" on {host}"}'


def _release(path: Path, lock: int, made: list[Path]) -> None:
    with suppress(OSError):
        os.unlink(_lock_file(path))  # first: once it is unlocked, it may be another's
    os.close(lock)
    _remove_empty(made)


def _remove_empty(folders: list[Path]) -> None:
    with suppress(OSError):
        for folder in folders:
            folder.rmdir()
