"""What the tools write, and how a later run tells it from everything else: the user's files are never replaced.

Each kind of output carries a mark that a reader of its format skips, so that a file is judged by what it holds and not
by its name. Judging costs a look at the head or the end of a file, and imports nothing heavy.
"""

import hashlib
import json
import mmap
import os
import re
import sys
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from mobileone_mm import __version__
from mobileone_mm.atomic import Kind, require_writable
from mobileone_mm.errors import UsageError, printable
from mobileone_mm.locks import take

AUTHOR = 'mobileone_mm'
SIGNATURE = f'written by {AUTHOR}'.encode()
MARKER = f'.{AUTHOR}'  # a file in a folder that a tool made, which says what it holds
SAMPLES = 'samples.jpg'  # in the folder of a check
METADATA_KEY = f'{AUTHOR}.format'.encode()  # in the metadata of every exported file
TRAINING_PAGE = 'training.html'  # in the work dir of a training
# What each kind of page has as its generator (`pages.frame`).
PAGE_MARK, TRAINING_MARK, EVALUATION_MARK = AUTHOR, f'{AUTHOR} train', f'{AUTHOR} evaluate'
REPORT_HEAD = f'{{\n  "written_by": "{AUTHOR} '
CONFIG_HEAD = f'# Written by {AUTHOR}'
CONFIG_PATTERN = re.compile(
    rf'{CONFIG_HEAD} with [^\n]*\n'
    r'# sha256 of [^\n]*: (?P<weights>[0-9a-f]{64})\n'
    r'# sha256 of the lines below: (?P<below>[0-9a-f]{64})\n'
    r'(?P<config>.*)',
    re.DOTALL,
)
JPEG_START, JPEG_HEADER, JPEG_COMMENT = b'\xff\xd8', b'\xff\xe0', b'\xff\xfe'
HEAD = 1024  # bytes of a file that are looked at
HASH_CHUNK_BYTES = 1 << 20
DIGEST_LABEL = b'sha256:'  # before the digest in the comment of a weight file
WEIGHTS_COMMENT_BYTES = len(DIGEST_LABEL) + 64 + len(b' ') + len(SIGNATURE)

Output = tuple[str | Path | None, Kind]


def require_outputs(outputs: Sequence[Output], inputs: Iterable[str | Path]) -> None:
    """Refuse, before anything is loaded, what would cost the user a file; and lock what is to be written (`locks`).

    Args:
        outputs: paths with what is to be written there; None for an option that was not given.
        inputs: files and folders that are read; what does not exist, such as a URL, is passed over. What is neither,
            such as a pipe, is refused: whoever opens it would wait, and it can be read only once.

    Raises:
        UsageError: an input is neither a file nor a folder, an output is an input or holds one, two outputs are the
            same, something stands there that none of our tools wrote, or a symbolic link, a report or page is to have
            another ending than .json or .html, or another process is writing one of them.
        MobileOneError: a folder is not writable.
    """
    given = [(Path(path), kind) for path, kind in outputs if path is not None]
    read = [path for path in map(_on_disk, inputs) if path.exists()]
    for source in read:
        if not (source.is_file() or source.is_dir()):
            raise UsageError(f'{source}: no regular file (a pipe, socket or device); save what it gives to a file')
    for (one, _), (other, _) in combinations(given, 2):
        if os.path.realpath(one) == os.path.realpath(other) or _same(one, other):
            raise UsageError(f'{other}: named for two outputs; choose another path for one of them')
    for path, kind in given:
        _require_no_input(path, kind, read)
        require_writable(path, kind)
        option, ending = ENDINGS.get(kind.name, ('', path.suffix))
        if path.suffix != ending:
            raise UsageError(f'`{option}` {path}: ending {path.suffix!r} given, expected {ending}')
    for path, _ in given:
        take(path)


def _require_no_input(path: Path, kind: Kind, read: Sequence[Path]) -> None:
    for source in read:
        if _same(path, source):
            raise UsageError(f'{path}: would replace {source}, which is read; choose another path')
        if kind.folder and any(_same(path, folder) for folder in Path(os.path.realpath(source)).parents):
            raise UsageError(f'{path}: holds {source}, which is read; choose another folder')


def _on_disk(given: str | Path) -> Path:
    """Where an input lies, if it does: also one given as a file: URL, or from the home folder."""
    parts = urlsplit(str(given))
    return Path(unquote(parts.path) if parts.scheme == 'file' else os.path.expanduser(given))


def _same(one: Path, other: Path) -> bool:
    """Whether two paths lead to one file or folder, by whatever links."""
    try:
        return os.path.samefile(one, other)
    except OSError:
        return False


def is_text(path: str | Path) -> bool:
    """Whether a path can be written in UTF-8, as some libraries have to; a file's name may be any bytes."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def page_of(out: Path) -> Path:
    """Where the page about an export lies: beside the exported file, named after it, its ending included."""
    return out.with_name(f'{out.name}.report.html')


def report_text(report: Mapping[str, Any]) -> str:
    """A report, which is not empty, as JSON that `REPORT` recognises: who wrote it stands first, the rest is sorted."""
    text = json.dumps(report, indent=2, sort_keys=True, allow_nan=False)
    return f'{REPORT_HEAD}{__version__}",{text[1:]}\n'


def mark_folder(folder: Path, what: str) -> None:
    """Leave in a folder what says that a tool made it, and what for."""
    (folder / MARKER).write_text(_marker(what))


def is_marked(what: str, folder: Path) -> bool:
    """Whether a folder was marked so."""
    return _head(folder / MARKER) == _marker(what).encode()


def sign_weights(path: Path) -> None:
    """Mark a .pth file: the comment of its zip archive, which torch and other readers skip.

    It holds the SHA-256 of all bytes before it (`digest_in`).
    """
    with zipfile.ZipFile(path, 'a') as archive:
        archive.comment = _weights_comment('0' * 64)
    before = path.stat().st_size - WEIGHTS_COMMENT_BYTES
    comment = _weights_comment(file_sha256(path, before))
    with path.open('r+b') as file:
        file.seek(before)
        file.write(comment)


def _weights_comment(digest: str) -> bytes:
    return DIGEST_LABEL + digest.encode() + b' ' + SIGNATURE


def digest_in(comment: bytes) -> str | None:
    """The SHA-256 that `sign_weights` left in the comment of a weight file, in hexadecimal; None in any other."""
    found = re.fullmatch(re.escape(DIGEST_LABEL) + rb'([0-9a-f]{64}) ' + re.escape(SIGNATURE), comment)
    return found and found[1].decode()


def file_sha256(path: str | Path, size: int | None = None) -> str:
    """SHA-256 of a file, or of its first `size` bytes, in hexadecimal."""
    digest, left = hashlib.sha256(), sys.maxsize if size is None else size
    with Path(path).open('rb') as file:
        while chunk := file.read(min(left, HASH_CHUNK_BYTES)):
            digest.update(chunk)
            left -= len(chunk)
    return digest.hexdigest()


def signed_jpeg(picture: bytes) -> bytes:
    """A JPEG file with a comment, behind its header."""
    start = len(JPEG_START)
    if picture[start : start + 2] == JPEG_HEADER:
        start += 2 + int.from_bytes(picture[start + 2 : start + 4], 'big')
    return picture[:start] + _jpeg_comment() + picture[start:]


def _jpeg_comment() -> bytes:
    return JPEG_COMMENT + (2 + len(SIGNATURE)).to_bytes(2, 'big') + SIGNATURE


def _marker(what: str) -> str:
    return f'{AUTHOR}: {what}\n'


def _head(path: Path) -> bytes:
    with path.open('rb') as file:
        return file.read(HEAD)


def _is_report(path: Path) -> bool:
    return _head(path).startswith(REPORT_HEAD.encode())


def _is_page(mark: str, path: Path) -> bool:
    return f'<meta name="generator" content="{mark}">'.encode() in _head(path)


def fused_config_text(config: str, weights: Path) -> str:
    """The text of a fused model's config with the head that says which file it belongs to, and that it is unedited."""
    name = printable(weights.name)  # may be any bytes, which no Python file holds
    return (
        f'{CONFIG_HEAD} with {name}, and again with it: copy it before you change it\n'
        f'# sha256 of {name}: {file_sha256(weights)}\n'
        f'# sha256 of the lines below: {_text_sha256(config)}\n'
        f'{config}'
    )


def weights_digest_in(config: Path) -> str | None:
    """SHA-256 of the weight file that a fused model's config was written with; None in any other config."""
    found = CONFIG_PATTERN.match(config.read_text('utf-8', 'replace'))
    return found and found['weights']


def _is_config(path: Path) -> bool:
    found = CONFIG_PATTERN.match(path.read_text('utf-8'))
    return found is not None and found['below'] == _text_sha256(found['config'])


def _text_sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _is_weights(path: Path) -> bool:
    with path.open('rb') as file:
        file.seek(-min(len(SIGNATURE), path.stat().st_size), os.SEEK_END)
        return file.read() == SIGNATURE


def _is_drawing(path: Path) -> bool:
    head = _head(path)
    return head.startswith(JPEG_START) and _jpeg_comment() in head


def _names_metadata(path: Path) -> bool:
    with path.open('rb') as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return data.rfind(METADATA_KEY) >= 0  # from the end, where ONNX has its metadata


def _is_check(folder: Path) -> bool:
    return is_marked('check', folder) and {entry.name for entry in folder.iterdir()} <= {MARKER, SAMPLES}


def _is_package(folder: Path) -> bool:
    if {entry.name for entry in folder.iterdir()} != {'Manifest.json', 'Data'}:
        return False
    manifest = json.loads((folder / 'Manifest.json').read_bytes())
    name = Path(manifest['itemInfoEntries'][manifest['rootModelIdentifier']]['path'])
    inside = not name.is_absolute() and '..' not in name.parts
    return inside and _names_metadata(folder / 'Data' / name)


REPORT = Kind('a report', _is_report)
PAGE = Kind('a page about an export', partial(_is_page, PAGE_MARK))
TRAINING = Kind('a page about a training', partial(_is_page, TRAINING_MARK))
EVALUATION = Kind('a page about an evaluation', partial(_is_page, EVALUATION_MARK))
WEIGHTS = Kind('a weight file', _is_weights)
FUSED_CONFIG = Kind('an unedited config of a fused model', _is_config)
DRAWING = Kind('a picture with boxes', _is_drawing)
ONNX = Kind('an ONNX file', _names_metadata)
PACKAGE = Kind('a Core ML package', _is_package, folder=True)
PREDICTIONS = Kind('a folder of predictions', partial(is_marked, 'predictions'), folder=True)
CHECK = Kind('the folder of a check', _is_check, folder=True)
DEMO = Kind('the folder of a demo', partial(is_marked, 'demo'), folder=True)
ENDINGS = {REPORT.name: ('report', '.json'), EVALUATION.name: ('page', '.html')}  # with the option that names it
EXPORTED = {'.mlpackage': PACKAGE, '.onnx': ONNX}  # by ending
