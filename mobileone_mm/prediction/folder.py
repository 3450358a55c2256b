"""The folder of predictions, which appears whole."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from mobileone_mm.atomic import Kind, beside, flush, is_ours
from mobileone_mm.outputs import MARKER, PREDICTIONS, mark_folder
from mobileone_mm.prediction.sources import LIST, MARK, earlier, require_names


@contextmanager
def written_whole(out: Path, files: Sequence[Path]) -> Iterator[Path]:
    """Yield a folder beside `out` to write predictions about `files` to, which are all moved there after the block.

    A folder that holds nothing but what an earlier run wrote is replaced in one step. In any other, what is the user's
    stays: the earlier list goes first, then the earlier pictures, the new ones come, and their list last. So a list is
    never beside pictures of another run, even after a process was killed; pictures without a list are half of a run.

    Raises:
        UsageError: meanwhile something appeared in `out` under a name that is to be written.
        MobileOneError: the disk is full; nothing was changed.
    """
    with beside([out]) as (place,):
        place.fresh.mkdir()
        mark_folder(place.fresh, MARK)
        yield place.fresh
        flush(place.fresh)
        if not os.path.lexists(place.path) or is_ours(place.path, ALONE):
            place.put()
        else:
            require_names(out, files)
            _merge(place.fresh, place.path)


def _merge(fresh: Path, folder: Path) -> None:
    """Move what is in `fresh` to a folder that holds more than predictions, in place of those of an earlier run."""
    (folder / LIST).unlink(missing_ok=True)
    for path in earlier(folder):
        path.unlink()
    for path in sorted(fresh.iterdir(), key=lambda path: path.name == LIST):  # the list comes last
        path.replace(folder / path.name)


def _holds_nothing_else(folder: Path) -> bool:
    return PREDICTIONS.ours(folder) and set(folder.iterdir()) <= {folder / MARKER, *earlier(folder)}


ALONE = Kind('a folder of predictions', _holds_nothing_else, folder=True)
