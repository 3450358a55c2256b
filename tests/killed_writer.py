"""Kills a process that replaces what stands at a path at each of its calls to the system in turn.

python tests/killed_writer.py FOLDER exchange|aside|together

Prints one line a kill: what the path holds then, and what it holds after the next run for it (one that fails). With
`together` there are a folder and two files: one line a kill with what each of them holds.
"""

import os
import shutil
import signal
import sys
from collections.abc import Callable, Sequence
from functools import partial
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


def replace_together(paths: Sequence[Path]) -> None:
    kinds = (OURS, None, None)
    with atomic.replacing_together(list(zip(paths, kinds, strict=True))) as (folder, *files):
        write(folder, 'new')
        for file in files:
            file.write_text('new')


def killed_at(call: int, action: Callable[[], None]) -> bool:
    """Do something in a child that is killed before a certain call to the system; False where it ends before."""
    child = os.fork()
    if child == 0:
        calls = count()

        def hook(event: str, arguments: object) -> None:
            if next(calls) == call:
                os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(hook)
        action()
        os._exit(0)
    return os.waitpid(child, 0)[1] == signal.SIGKILL


def main(folder: Path, method: str) -> None:
    path = folder / 'detector.mlpackage'
    if method == 'aside':
        atomic._exchanged = lambda one, other: False  # what it says on a system that cannot
    for call in count():
        write(path, 'old')
        killed = killed_at(call, partial(replace, path))
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


def together(folder: Path) -> None:
    paths = [folder / name for name in ('d.mlpackage', 'd.html', 'd.json')]
    for call in count():
        write(paths[0], 'old')
        for path in paths[1:]:
            path.write_text('old')
        killed = killed_at(call, partial(replace_together, paths))
        print(content(paths[0]), *(path.read_text() if path.exists() else 'nothing' for path in paths[1:]))
        shutil.rmtree(paths[0])
        if not killed:
            return


if __name__ == '__main__':
    together(Path(sys.argv[1])) if sys.argv[2] == 'together' else main(Path(sys.argv[1]), sys.argv[2])
