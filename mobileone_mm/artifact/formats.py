"""Which kind of file a path names: by the ending of its name, once links are followed."""

import os
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlparse

from mobileone_mm.errors import UsageError
from mobileone_mm.openmmlab.shipped import is_shipped

PACKAGE = '.mlpackage'  # a Core ML package, which is a folder
ONNX = '.onnx'
CHECKPOINT = '.pth'
CONFIG = '.py'

ARTIFACTS = (PACKAGE, ONNX)  # what an export writes
CHECKPOINTS = (CHECKPOINT, '.pt', '.tar')  # what is read: Apple's are .pth.tar, CoreNet's .pt

A_PACKAGE, AN_ONNX_FILE, A_CHECKPOINT, A_CONFIG = 'a Core ML package', 'an ONNX file', 'a checkpoint', 'a config'
A_FOLDER = 'a folder'
AN_ARTIFACT = (A_PACKAGE, AN_ONNX_FILE)
KINDS = {PACKAGE: A_PACKAGE, ONNX: AN_ONNX_FILE, CONFIG: A_CONFIG, **dict.fromkeys(CHECKPOINTS, A_CHECKPOINT)}


def ending_of(path: str | Path) -> str:
    """The ending that says which kind of file a path names; a link may be called anything.

    Where what a link leads to has no ending that is known, as in a store of files by their hash, the link's own counts.
    """
    ending = Path(os.path.realpath(path)).suffix
    return ending if ending in KINDS else Path(path).suffix


def is_artifact(path: str | Path) -> bool:
    """Whether a path names a file that an export writes."""
    return ending_of(path) in ARTIFACTS


def kind_of(word: str | Path) -> str:
    """What a word names, in words; '' where its ending says nothing."""
    path = Path(word)
    if not path.is_file() and is_shipped(path):
        return A_CONFIG
    if path.is_dir() and ending_of(path) != PACKAGE:
        return A_FOLDER
    return KINDS.get(ending_of(path), '')


def require_kind(word: str | Path, expected: Sequence[str], form: str) -> None:
    """Refuse a word that names something else than its place in a command is for; what is not known passes.

    Args:
        word: a path, a URL, or the name of a shipped config.
        expected: the kinds that fit.
        form: the command with a name for each place.

    Raises:
        UsageError: with what was given and what was expected.
    """
    kind = kind_of(word)
    if kind and kind not in expected:
        *others, last = expected
        wanted = f'{", ".join(others)} or {last}' if others else last
        raise UsageError(f'{word} is {kind}, expected {wanted}: {form}')


def beside(source: str | Path, ending: str) -> Path:
    """Where what is made of a checkpoint goes by default: beside it, or here for a URL, under another ending."""
    path = Path(Path(urlparse(str(source)).path).name) if '://' in str(source) else Path(source)
    while path.suffix in CHECKPOINTS:
        path = path.with_suffix('')
    return path.with_name(path.name + ending)


def size_of(path: Path) -> int:
    """Bytes of a file, or of all files in a folder."""
    files = path.rglob('*') if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())
