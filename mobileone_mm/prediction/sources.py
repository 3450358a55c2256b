"""What the words of a command mean: detectors, pictures, and the folder that is drawn into. Nothing is opened."""

import glob
import logging
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from mobileone_mm.artifact.formats import A_CHECKPOINT, A_CONFIG, AN_ARTIFACT, ARTIFACTS, CHECKPOINT, CONFIG, kind_of
from mobileone_mm.atomic import is_ours, require_writable
from mobileone_mm.errors import DataError, UsageError
from mobileone_mm.outputs import DRAWING, PREDICTIONS, REPORT, require_outputs
from mobileone_mm.pictures.endings import PICTURE_ENDINGS

LOGGER = logging.getLogger(__name__)

OUT_ENDING = '.jpg'
LIST = 'predictions.json'
MARK = 'predictions'  # what a folder of ours is marked with
EXPECTED = f'{" or ".join(ARTIFACTS)}, or CONFIG{CONFIG} CHECKPOINT{CHECKPOINT}'


def split_words(words: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
    """Split a command's words into those that name a model and those after them.

    A config and its checkpoint are taken in either order, so that it can be said which one is expected first.

    Raises:
        UsageError: they begin with no model.
    """
    kind = kind_of(words[0])
    if kind in AN_ARTIFACT:
        return words[:1], words[1:]
    if kind in (A_CONFIG, A_CHECKPOINT) and len(words) > 1:
        return words[:2], words[2:]
    raise UsageError(f'{" ".join(words[:2])}: expected {EXPECTED} first')


def compared_words(words: Sequence[str], first: Sequence[str]) -> Sequence[str]:
    """The words that name a second model, beside those of the `first`, whose config a checkpoint alone takes.

    The config that an exported file names is none: a config is executed, and whoever made the file chose it.

    Raises:
        UsageError: they name none, or a checkpoint whose config nobody gave.
    """
    kinds = [kind_of(word) for word in words]
    if kinds == [A_CHECKPOINT]:
        if len(first) == 1:
            raise UsageError(
                f'{words[0]}: its config is missing, and one that {first[0]} names is not executed unasked; '
                f'give both: CONFIG{CONFIG} {words[0]}'
            )
        return [first[0], *words]
    if sorted(kinds) == [A_CHECKPOINT, A_CONFIG] or (len(words) == 1 and kinds[0] in AN_ARTIFACT):
        return words
    raise UsageError(f'{" ".join(words)}: expected {EXPECTED}')


def picture_files(words: Sequence[str]) -> list[Path]:
    """The files that are meant by files, folders (their pictures, without subfolders) and patterns, each once.

    Raises:
        UsageError: there are no words.
        DataError: a word means no file at all.
    """
    if not words:
        raise UsageError('no pictures given; expected files, folders or patterns after the model')
    return list(dict.fromkeys(file for word in words for file in _files(word)))


def _files(word: str) -> list[Path]:
    path = Path(word)
    if path.is_file():
        return [path]
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if file.is_file())
        found = [file for file in files if Path(os.path.realpath(file)).suffix.lower() in PICTURE_ENDINGS]
        if not found:
            endings = ', '.join(sorted(PICTURE_ENDINGS))
            raise DataError(f'{path}: a folder without pictures; expected files ending in {endings}')
        if len(found) < len(files):
            LOGGER.info('%s: %d other files skipped', path, len(files) - len(found))
        return found
    found = sorted(file for file in map(Path, glob.glob(word, recursive=True)) if file.is_file())
    if not found:
        raise DataError(f'{word}: no such file or folder, and no file matches it as a pattern')
    return found


def out_paths(files: Sequence[Path], out: Path) -> list[Path]:
    """One path a picture in `out`, by its stem; a stem that stands twice (a/1.png, b/1.png) gets a number."""
    taken: set[str] = set()
    paths = []
    for file in files:
        stem, number = file.stem, 1
        while stem.casefold() in taken:  # some file systems know no case
            number += 1
            stem = f'{file.stem}-{number}'
        taken.add(stem.casefold())
        paths.append(out / f'{stem}{OUT_ENDING}')
    return paths


def require_room(out: Path, files: Sequence[Path], detectors: Iterable[str]) -> None:
    """Refuse a folder that is not ours to write into, or one that holds what is read or would be replaced.

    Raises:
        UsageError: with what stands in the way.
    """
    require_outputs([(out, PREDICTIONS)], [*detectors, *files])
    if out.is_dir():  # none of the inputs lies in it
        require_names(out, files)


def require_names(out: Path, files: Sequence[Path]) -> None:
    """Refuse a folder that holds something of another's under a name that is to be written.

    Raises:
        UsageError: with what stands there.
    """
    for path in out_paths(files, out):
        require_writable(path, DRAWING)
    require_writable(out / LIST, REPORT)


def earlier(out: Path) -> list[Path]:
    """What an earlier run left in a folder: drawn pictures and their list, known by their marks."""
    found = [(path, DRAWING) for path in sorted(out.iterdir()) if path.suffix == OUT_ENDING] + [(out / LIST, REPORT)]
    return [path for path, kind in found if path.is_file() and not path.is_symlink() and is_ours(path, kind)]
