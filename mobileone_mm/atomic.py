"""Files and folders that appear whole or not at all: written beside their final path, then renamed."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from mobileone_mm.errors import UsageError

Recognise = Callable[[Path], bool]


def require_writable(path: str | Path, ours: Recognise | None = None) -> None:
    """Refuse early an output path that cannot be written, or only at the cost of something else.

    A file may replace a file. Who writes a folder gives `ours`, which tells a folder of an earlier run from any other;
    only such a one is replaced.

    Raises:
        UsageError: with what stands in the way, and what to do.
    """
    path = Path(path)
    parent = path.resolve().parent
    if not path.name:
        raise UsageError(f'{path}: names no file; give a path that ends in a name')
    if not parent.is_dir():
        raise UsageError(f'{path}: the folder {parent} does not exist; make it: mkdir -p {parent}')
    if not os.access(parent, os.W_OK):
        raise UsageError(f'{path}: the folder {parent} is not writable; choose another path')
    if path.is_dir() and not (ours and ours(path)):
        raise UsageError(f'{path}: a folder stands there that would be lost with what it holds; choose another path')
    if ours and os.path.lexists(path) and not path.is_dir():
        raise UsageError(f'{path}: a file stands there, and a folder is to be written; choose another path')


@contextmanager
def replacing(path: str | Path, ours: Recognise | None = None) -> Iterator[Path]:
    """Yield a path beside `path` to write a file (with `ours`, a folder) to; move it into place after the block.

    The temporary path keeps the ending of `path`, since libraries choose formats by it. When the block raises, what was
    written is removed and whatever stood at `path` before is untouched.

    Raises:
        UsageError: as `require_writable`.
    """
    path = Path(path)
    require_writable(path, ours)
    room = Path(tempfile.mkdtemp(prefix=f'.{path.name}.', dir=path.resolve().parent))
    try:
        fresh = room / path.name
        yield fresh
        _put(fresh, path, room / 'old')
    finally:
        shutil.rmtree(room, ignore_errors=True)


def _put(fresh: Path, path: Path, aside: Path) -> None:
    if not path.is_dir():
        fresh.replace(path)
        return
    # No folder can be renamed over a folder that holds something: the old one steps aside, and back on failure.
    path.rename(aside)
    try:
        fresh.replace(path)
    except OSError:
        aside.rename(path)
        raise
