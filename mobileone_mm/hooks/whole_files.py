"""Where checkpoints are stored so that a run is at no moment without a whole one, whenever it is killed."""

import re
from pathlib import Path
from typing import Any

from mmengine.fileio import LocalBackend, register_backend

from mobileone_mm.atomic import replacing
from mobileone_mm.rooms import clear_abandoned

NAME = 'mobileone_mm.whole_files'
ROOM = re.compile(r'\.(?P<name>.+)\.[a-z0-9_]{8}')  # in which a checkpoint, whatever its name, was being written


class WholeFiles(LocalBackend):  # type: ignore[misc]  # mmengine is untyped
    """mmengine's local files, but each is written beside its path and moved there, and outdated ones go after that.

    mmengine's CheckpointHook removes first what is one too many (`max_keep_ckpts`, the best one so far), and writes
    straight to the path of the new one, at times over the last one.

    Args:
        outdated: files to remove as soon as another is written; mmengine makes a new backend for each file, so this
            list has to be the same for all of a run.
    """

    def __init__(self, outdated: list[str]) -> None:
        self._outdated = outdated

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """Write a file, whole or not at all.

        Raises:
            MobileOneError: the disk is full.
        """
        with replacing(filepath) as fresh:
            fresh.write_bytes(obj)
        while self._outdated:
            path = self._outdated.pop()
            if path != str(filepath):
                Path(path).unlink(missing_ok=True)

    def remove(self, filepath: str | Path) -> None:
        """Remove a file, once another is written."""
        self._outdated.append(str(filepath))


register_backend(NAME, WholeFiles, force=True)


def backend_args() -> dict[str, Any]:
    """What makes mmengine take this backend, for one run."""
    return {'backend': NAME, 'outdated': []}


def clear(folder: Path) -> None:
    """Remove what killed trainings left of the checkpoints that they were writing to a folder."""
    for entry in folder.iterdir() if folder.is_dir() else ():
        if found := ROOM.fullmatch(entry.name):
            clear_abandoned(folder / found['name'])
