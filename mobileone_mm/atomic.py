"""Files and folders that appear whole or not at all, alone or several together: written beside their paths, then moved.

What is written lies in a hidden folder beside its path (`rooms`), which goes with the process that made it.
"""

import ctypes
import errno
import os
import shutil
import stat
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from mobileone_mm.errors import MobileOneError, UsageError, shown
from mobileone_mm.rooms import ASIDE, RETIRED, no_room, no_space, require_short_names, require_way, scratch

OCCUPIED = (errno.ENOTEMPTY, errno.EEXIST)  # rename(2) of a folder over one that holds something: POSIX allows either
PACKAGE = '.mlpackage'  # a folder that is one thing: nothing else is written into it
HERE = -100  # AT_FDCWD of linux/fcntl.h: relative paths begin at the working directory
RENAME_EXCHANGE = 2  # linux/fs.h
RENAME_SWAP = 2  # sys/stdio.h of macOS


@dataclass(frozen=True)
class Kind:
    """What is written to a path, and how it is told from everything else.

    Attributes:
        name: in a message, such as 'a report'.
        ours: whether what stands at a path is such a one, written by an earlier run; only that is replaced. It may
            raise `OSError`, or whatever reading a foreign file brings.
        folder: whether it is a folder.
    """

    name: str
    ours: Callable[[Path], bool]
    folder: bool = False


def require_writable(path: str | Path, kind: Kind | None = None) -> None:
    """Refuse early an output path that cannot be written, or only at the cost of something else.

    A file or folder of `kind` replaces only one of its kind; a folder, an empty one too. Without `kind` a file replaces
    any file: that is for files in a folder known to be ours. Folders above `path` may be missing, and may be symbolic
    links to folders; `path` itself may not be one: whoever wrote through it would change, or make, what lies elsewhere.

    Raises:
        UsageError: with what stands in the way, and what to do.
        MobileOneError: the folder that it lies in, or that a missing one would lie in, is not writable.
    """
    path = Path(path)
    if not path.name:
        raise UsageError(f'{path}: names no file; give a path that ends in a name')
    require_way(path)
    folders = Path(os.path.realpath(path)).parents
    nearest = next(folder for folder in folders if os.path.lexists(folder))  # those below it are made
    if not nearest.is_dir():
        raise UsageError(f'{path}: {nearest} is a file, not a folder; choose another path')
    require_short_names(path, nearest)
    if not os.access(nearest, os.W_OK):
        raise MobileOneError(f'{path}: the folder {nearest} is not writable; choose another path')
    if any(folder.suffix == PACKAGE for folder in folders):
        raise UsageError(f'{path}: lies in a package, which holds nothing else; choose another path')
    obstacle = _obstacle(path, kind)
    if obstacle is not None:
        raise UsageError(f'{path}: {obstacle}')


def _obstacle(path: Path, kind: Kind | None) -> str | None:
    """What stands at a path and must stay; judged again where another run has replaced it meanwhile."""
    folder = kind is not None and kind.folder
    while (seen := _status(path)) is not None:
        if stat.S_ISLNK(seen.st_mode):
            return 'this is a symbolic link, and nothing is written through one; remove it, or choose another path'
        if stat.S_ISDIR(seen.st_mode) and not folder:
            return 'a folder stands there, and a file is to be written; choose another path'
        if not stat.S_ISDIR(seen.st_mode) and folder:
            return 'a file stands there, and a folder is to be written; choose another path'
        if not (folder or stat.S_ISREG(seen.st_mode)):  # a pipe would keep whoever opens it waiting
            return 'what stands there is no regular file; choose another path'
        if kind is None or is_ours(path, kind):
            return None
        now = _status(path)
        if now is not None and os.path.samestat(seen, now):
            what = 'folder' if folder else 'file'
            return f'this {what} is not {kind.name} written by mobileone_mm; move it away, or choose another path'
    return None


def is_ours(path: Path, kind: Kind) -> bool:
    """Whether what stands at a path is of a kind, or an empty folder where that is one."""
    try:
        return (kind.folder and not any(path.iterdir())) or kind.ours(path)
    except Exception:  # what cannot be read is not ours, and a foreign file may hold anything
        return False


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.lstat()
    except FileNotFoundError:
        return None


Output = tuple[str | Path, Kind | None]


@contextmanager
def replacing(path: str | Path, kind: Kind | None = None) -> Iterator[Path]:
    """Yield a path beside `path` to write a file or folder of `kind` to; move it into place after the block.

    The temporary path keeps the name of `path`, since libraries choose formats by its ending. Missing folders above it
    are made. When the block raises, what was written or made is removed and whatever stood at `path` before is
    untouched. Of several runs that write one path, the last one wins, whole.

    A process may be killed at any moment: `path` holds the old or the new, whole. A folder, where the system cannot
    exchange two (`_exchanged`), is for an instant nowhere; the next run puts the old one back. The disk holds what was
    written before it is moved, so that a power failure cuts nothing, and a full disk that shows late shows in time:
    27 ms for a package of 1.7 MB, 45 ms for a file of 100 MB, 1.7 s for 500 pictures (measured on an ext4 SSD).

    Raises:
        UsageError: as `require_writable`.
        MobileOneError: the disk is full.
    """
    with replacing_together([(path, kind)]) as (fresh,):
        yield fresh


@contextmanager
def replacing_together(outputs: Sequence[Output]) -> Iterator[list[Path]]:
    """Yield a path beside each of several, as `replacing` does; all are moved after the block, or none.

    No system renames two things at once. So the old ones go first, all but the first, then that is replaced, then the
    others come: a process killed in between, a matter of microseconds, leaves the first, old or new, without the
    others, and never beside one of another writing. When a move fails, all are as they were before the block.

    Raises:
        UsageError: as `require_writable`.
        MobileOneError: a disk is full.
    """
    for path, kind in outputs:
        require_writable(path, kind)
    with beside([Path(path) for path, _ in outputs]) as places:
        yield [place.fresh for place in places]
        for place in places:
            flush(place.fresh)
        for path, kind in outputs:
            require_writable(path, kind)  # a long block leaves time for something else to appear there
        _move(places)


@dataclass(frozen=True)
class Place:
    """Where something is written before it is moved, and where to.

    Attributes:
        fresh: the path beside.
        path: the final path, links to folders resolved.
    """

    fresh: Path
    path: Path

    def put(self) -> Callable[[], object]:
        """Move what was written into place, in one step; returns what takes that back."""
        return _put(self.fresh, self.path, self.fresh.parent.with_name(ASIDE))

    def retire(self) -> Callable[[], object]:
        """Take away what stands there; returns what takes that back."""
        retired = self.fresh.parent.with_name(RETIRED)
        try:
            self.path.rename(retired)
        except FileNotFoundError:
            return lambda: None
        return lambda: retired.rename(self.path)


@contextmanager
def beside(paths: Sequence[Path]) -> Iterator[list[Place]]:
    """Yield a place for each path to write to, in folders that are made for it and go after the block.

    Raises:
        MobileOneError: the block failed, and a disk is full; or a write failed, and the system does not say of what.
    """
    with ExitStack() as stack:
        places = []
        for path in paths:
            target = Path(os.path.realpath(path))
            stack.enter_context(_made(target.parent))
            places.append(Place(stack.enter_context(scratch(target)) / path.name, target))
        try:
            yield places
        except (OSError, RuntimeError) as error:  # libraries have many words for a full disk
            for path, place in zip(paths, places, strict=True):
                if (reason := no_space(place.fresh.parent)) is not None:
                    raise no_room(path, reason) from error
            if isinstance(error, OSError) and error.errno is not None and error.filename is None:  # of an open file
                raise no_room(shown(paths), error.strerror) from error
            raise


def _move(places: Sequence[Place]) -> None:
    first, *others = places
    with ExitStack() as undo:
        for place in reversed(others):
            undo.callback(place.retire())
        undo.callback(first.put())
        for place in others:
            undo.callback(place.put())
        undo.pop_all()


@contextmanager
def _made(folder: Path) -> Iterator[None]:
    """Make a folder and those above it that are missing; when the block raises, those that are empty go again."""
    missing = [one for one in (folder, *folder.parents) if not one.exists()]  # the innermost first
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except BaseException:
        with suppress(OSError):
            for one in missing:
                one.rmdir()
        raise


def flush(path: Path) -> None:
    """Wait until the disk holds a file, or a folder with all it holds."""
    for entry in [*path.rglob('*'), path]:
        if entry.is_symlink():
            continue
        descriptor = os.open(entry, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        except OSError:
            if not entry.is_dir():  # some file systems cannot flush a folder
                raise
        finally:
            os.close(descriptor)


def _put(fresh: Path, path: Path, aside: Path) -> Callable[[], object]:
    """Move a file or folder to `path`, in place of what stands there; returns what takes that back."""
    if not fresh.is_dir():
        stood = os.path.lexists(path)
        with suppress(OSError):  # some file systems have no links: there, there is no way back
            os.link(path, aside)
        fresh.replace(path)
        if stood:
            return lambda: aside.replace(path) if aside.exists() else None
        return lambda: path.rename(fresh)
    while not _moved(fresh, path):
        if _exchanged(fresh, path):
            return lambda: _exchanged(fresh, path)
        with suppress(FileNotFoundError):  # another run has just taken it aside
            path.rename(aside)
        try:
            if _moved(fresh, path):
                return lambda: (path.rename(fresh), aside.rename(path))
        except OSError:
            aside.rename(path)
            raise
        shutil.rmtree(aside, ignore_errors=True)  # another run's stands there by now, and is the old one
    return lambda: path.rename(fresh)


def _moved(source: Path, path: Path) -> bool:
    """Rename, over a file too; False where a folder stands that holds something."""
    try:
        source.replace(path)
    except OSError as error:
        if error.errno in OCCUPIED:
            return False
        raise
    return True


def _exchanged(one: Path, other: Path) -> bool:
    """Let two folders change places in one step; False where that cannot be, whatever the reason.

    Linux: renameat2(2), since kernel 3.15; not every file system takes part. macOS: renamex_np(2), on APFS.
    """
    paths = os.fsencode(one), os.fsencode(other)
    libc = ctypes.CDLL(None)
    try:
        if sys.platform == 'darwin':
            return bool(libc.renamex_np(*paths, RENAME_SWAP) == 0)
        return bool(libc.renameat2(HERE, paths[0], HERE, paths[1], RENAME_EXCHANGE) == 0)
    except AttributeError:  # an old or other libc
        return False
