"""Hidden folders beside a path, in which is written what will stand there, and which no killed process leaves for long.

Such a *room* has a lock that the writing process holds and the system takes from it when it ends, however it ends. So
a killed process leaves a room without a holder, which the next run for the same path clears away. What the lock holds
says that we made it: a folder that merely has such a name is the user's. Where a file system knows no locks, or keeps
them to one machine while several write to it, rooms have to be removed by hand, or may be cleared too early.
"""

import fcntl
import os
import platform
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mobileone_mm.errors import MobileOneError, UsageError

# What a room holds: a folder for what is written, what stepped aside for it, what went before it, and the lock.
FRESH, ASIDE, RETIRED, LOCK = 'new', 'old', 'gone', 'lock'
OWNER = re.compile(rb'mobileone_mm: process (?P<pid>[0-9]+) on (?P<host>[^\n]*)\n')  # all that a lock holds
LONGEST = 1024  # bytes of a lock that are read
SPARE = 2**20  # bytes that a disk takes which is not full
ROOM_BYTES = 10  # by which the name of a room, as `_new_room` makes it, is longer than that of its path
LONGEST_NAME = 255  # bytes, of most file systems


def require_way(path: Path) -> None:
    """Refuse a path below a symbolic link that leads nowhere, or one that goes up from a folder that does not exist.

    What is missing there would be made elsewhere, where the system does not find it by this path.

    Raises:
        UsageError: with the link, or the folder.
    """
    whole = path.absolute()
    for folder in reversed((whole, *whole.parents)):
        if folder != whole and os.path.islink(folder) and not os.path.exists(folder):
            raise UsageError(
                f'{path}: {folder} is a symbolic link that leads nowhere; remove it, or choose another path'
            )
        if folder.name == '..' and not os.path.isdir(folder.parent):
            raise UsageError(
                f'{path}: {folder.parent} is no folder, so that .. leads nowhere from there; choose another path'
            )


def owner() -> bytes:
    """What this process writes into a lock (`OWNER`)."""
    return f'mobileone_mm: process {os.getpid()} on {platform.node()}\n'.encode()


def said_in(lock: int) -> bytes:
    """What an open lock holds; of what is no file, something that no process of ours wrote."""
    return os.pread(lock, LONGEST, 0) if stat.S_ISREG(os.fstat(lock).st_mode) else b'no file'


def require_short_names(path: Path, folder: Path) -> None:
    """Refuse a path with a name that its file system does not take, or that leaves too little for a room's.

    Args:
        path: what is to be written.
        folder: one on the same file system, which exists.

    Raises:
        UsageError: with the name's length.
    """
    try:
        longest = os.pathconf(folder, 'PC_NAME_MAX')
    except (OSError, ValueError):
        longest = LONGEST_NAME
    *folders, name = path.absolute().parts
    for one, most in (*((one, longest) for one in folders), (name, longest - ROOM_BYTES)):
        if (size := len(os.fsencode(one))) > most:
            what = '' if one == name else f': that of the folder {one}'
            raise UsageError(
                f'{path}: name too long{what}: {size} bytes given, expected {most} at most; choose a shorter one'
            )


@contextmanager
def scratch(path: Path) -> Iterator[Path]:
    """Yield an empty folder in a room beside `path`, which goes after the block; a killed run's, with the next one.

    Raises:
        MobileOneError: the disk is full.
    """
    clear_abandoned(path)
    room, lock = _new_room(path)
    try:
        folder = room / FRESH
        folder.mkdir()
        yield folder
    finally:
        _remove(room, lock)


def no_space(folder: str | Path) -> str | None:
    """Why nothing more can be written to a folder: disk full, quota, limit; None where there is room."""
    try:
        with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
            written = 0
            while written < SPARE:
                written += file.write(bytes(SPARE - written))
    except OSError as error:
        return error.strerror
    return None


def no_room(path: str | Path, reason: str | None) -> MobileOneError:
    """The error of a path that cannot be written, with the system's reason."""
    return MobileOneError(f'{path}: cannot be written: {reason}; make room there, or choose another path')


def _new_room(path: Path) -> tuple[Path, int]:
    while True:
        room = Path(tempfile.mkdtemp(prefix=f'.{path.name}.', dir=path.parent))
        # Another run may take it for abandoned as long as nobody holds its lock.
        with suppress(FileNotFoundError):
            lock = os.open(room / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                os.pwrite(lock, owner(), 0)  # before anything lies in the room
            except OSError as error:
                _remove(room, lock)
                raise no_room(path, error.strerror) from error
            if _taken(lock) is not False:
                return room, lock
            os.close(lock)


def _taken(lock: int) -> bool | None:
    """Whether this process holds a lock file from now on; None where the file system has no locks."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return os.fstat(lock).st_nlink > 0  # else its room was removed in between


def clear_abandoned(path: Path) -> None:
    """Remove the rooms that killed processes left beside a path, and put back what one had moved aside."""
    room_name = re.compile(rf'\.{re.escape(path.name)}\.[a-z0-9_]{{8}}')  # as tempfile makes them
    try:
        rooms = [entry for entry in path.parent.iterdir() if room_name.fullmatch(entry.name)]
    except PermissionError:  # a folder may be writable and not readable
        return
    for room in rooms:
        try:
            lock = os.open(room / LOCK, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError:
            with suppress(OSError):
                room.rmdir()  # its process died before it made the lock; nothing that holds something goes
            continue
        if not OWNER.fullmatch(said_in(lock)) or not _taken(lock):
            os.close(lock)
            continue
        try:
            if os.path.isdir(room / ASIDE) and not os.path.lexists(path):
                (room / ASIDE).rename(path)  # its process died with the old one aside and the new one not in place
        except OSError:
            os.close(lock)
            raise
        _remove(room, lock)


def _remove(room: Path, lock: int) -> None:
    """Remove a room whose lock this process holds: the lock last, so that no part of it is ever without one."""
    for name in (FRESH, ASIDE, RETIRED):
        shutil.rmtree(room / name, ignore_errors=True)
        with suppress(OSError):
            os.unlink(room / name)  # what is no folder
    with suppress(OSError):
        os.unlink(room / LOCK)
    os.close(lock)
    with suppress(OSError):
        room.rmdir()
