"""Files and folders that appear whole or not at all: written beside their final path, then renamed."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mobileone_mm.errors import UsageError


def require_writable_parent(path: Path) -> None:
    """Refuse early an output path whose folder is missing or not writable.

    Raises:
        UsageError: with the folder and the command that makes it.
    """
    parent = path.resolve().parent
    if not parent.is_dir():
        raise UsageError(f'{path}: the folder {parent} does not exist; make it: mkdir -p {parent}')
    if not os.access(parent, os.W_OK):
        raise UsageError(f'{path}: the folder {parent} is not writable; choose another --out')


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Yield a path beside `path` to write a file or a folder to; move it into place when the block succeeds.

    The temporary path keeps the ending of `path`, since libraries choose formats by it. When the block raises, what was
    written is removed and whatever stood at `path` before is untouched.
    """
    path = Path(path)
    require_writable_parent(path)
    room = Path(tempfile.mkdtemp(prefix=f'.{path.name}.', dir=path.resolve().parent))
    try:
        fresh = room / path.name
        yield fresh
        _put(fresh, path, room / 'old')
    finally:
        shutil.rmtree(room, ignore_errors=True)


def _put(fresh: Path, path: Path, aside: Path) -> None:
    if not os.path.lexists(path) or not (fresh.is_dir() or path.is_dir()):
        fresh.replace(path)
        return
    # Only a file can be renamed over something, and only over a file: else that steps aside, and back on failure.
    path.rename(aside)
    try:
        fresh.replace(path)
    except OSError:
        aside.rename(path)
        raise
