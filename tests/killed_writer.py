"""Kills a process that replaces a folder at each of its calls to the system in turn, and looks at what is left.

python tests/killed_writer.py FOLDER exchange|aside

Prints one line a kill: what the path holds then, and what it holds after the next run for it (one that fails).
"""

import os
import shutil
import signal
import sys
from itertools import count
from pathlib import Path

from mobileone_mm import atomic

PARTS = ('a', 'b', 'c')


def write(folder: Path, text: str) -> None:
    folder.mkdir()
    for part in PARTS:
        (folder / part).write_text(text)


def is_ours(folder: Path) -> bool:
    return sorted(path.name for path in folder.iterdir()) == list(PARTS)


OURS = atomic.Kind('parts', is_ours, folder=True)


def content(folder: Path) -> str:
    """The one text that all parts hold."""
    if not folder.exists():
        return 'nothing'
    texts = {(folder / part).read_text() if (folder / part).exists() else 'missing' for part in PARTS}
    return texts.pop() if len(texts) == 1 else 'half'


def replace(path: Path) -> None:
    with atomic.replacing(path, OURS) as fresh:
        write(fresh, 'new')


def killed_at(call: int, path: Path) -> bool:
    """Replace in a child that is killed before a certain call to the system; False where it ends before."""
    child = os.fork()
    if child == 0:
        calls = count()

        def hook(event: str, arguments: object) -> None:
            if next(calls) == call:
                os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(hook)
        replace(path)
        os._exit(0)
    return os.waitpid(child, 0)[1] == signal.SIGKILL


def main(folder: Path, method: str) -> None:
    path = folder / 'detector.mlpackage'
    if method == 'aside':
        atomic._exchanged = lambda one, other: False  # what it says on a system that cannot
    for call in count():
        write(path, 'old')
        killed = killed_at(call, path)
        found = content(path)
        try:
            with atomic.replacing(path, OURS):
                raise KeyboardInterrupt
        except KeyboardInterrupt:
            pass
        print(found, content(path), *sorted(entry.name for entry in folder.iterdir() if entry != path))
        shutil.rmtree(path)
        if not killed:
            return


if __name__ == '__main__':
    main(Path(sys.argv[1]), sys.argv[2])
