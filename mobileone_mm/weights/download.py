"""Weight files by path or URL: a URL is downloaded once, checked before it is kept, and found in a cache afterwards."""

import hashlib
import os
import re
from http.client import HTTPException
from pathlib import Path
from urllib.error import URLError
from urllib.parse import SplitResult, unquote, urldefrag, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

import torch
from mmengine.dist import all_gather_object, get_rank
from torch.hub import tqdm  # type: ignore[attr-defined]  # what torch's own downloads show

from mobileone_mm import __version__
from mobileone_mm.atomic import replacing
from mobileone_mm.errors import CheckpointError, MobileOneError
from mobileone_mm.outputs import AUTHOR, file_sha256
from mobileone_mm.weights.intact import CURE, doubt

TIMEOUT = 30.0  # seconds that a server may stay silent
CHUNK_BYTES = 1 << 16
HERE = ('localhost', '127.0.0.1', '::1')  # hosts to which nobody stands between
URL_DIGITS = 16  # of the SHA-256 of a URL, which tell the cached files apart
PLAIN_NAME = re.compile(r'\w[\w.+-]*', re.ASCII)
DIGEST = re.compile(r'sha256=([0-9a-f]{64})')


def local_file(source: str | Path, key: str = 'model.backbone.init_cfg.checkpoint') -> Path:
    """The file that `source` (a path, or a file:, http: or https: URL) means, downloaded if need be.

    A URL may end in `#sha256=` and the file's SHA-256 in hexadecimal, which is then held against the file. Downloads go
    to a folder for their URL in `torch.hub.get_dir()`/checkpoints/mobileone_mm; in distributed runs, one process on
    each machine makes them while the others wait.

    Args:
        source: path or URL.
        key: where a config names it, for the message of a download that failed.

    Raises:
        CheckpointError: no such file, another SHA-256, an unknown kind of URL, or a download that failed, on whichever
            process.
    """
    if '://' not in str(source):
        return _existing(Path(os.path.expanduser(source)))
    url, digest = _parted(str(source))
    parts = urlsplit(url)
    if parts.scheme == 'file':
        path = _existing(Path(unquote(parts.path)))
        _require_digest(path, digest)
        return path
    if parts.scheme not in ('http', 'https'):
        raise CheckpointError(f'{source}: {parts.scheme}: given, expected a path or a file:, http: or https: URL')
    if digest is None:
        _require_safe(url)
    return _cached(url, digest, _place(url, parts), key)


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise CheckpointError(f'{path}: no such weight file')
    return path


def _parted(source: str) -> tuple[str, str | None]:
    """A URL without its fragment, and the SHA-256 in that."""
    url, fragment = urldefrag(source)
    digest = DIGEST.fullmatch(fragment.lower())
    if fragment.startswith('sha256') and digest is None:
        raise CheckpointError(f'{url}: #{fragment} given, expected #sha256= and 64 hexadecimal digits')
    return url, digest and digest[1]


def _require_safe(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme != 'https' and parts.hostname not in HERE:
        raise CheckpointError(
            f'{url}: {parts.scheme}: given, expected https:, which nobody on the way can change; or add #sha256= and '
            "the file's SHA-256 to the URL"
        )


def _require_digest(path: Path, digest: str | None) -> None:
    found = None if digest is None else file_sha256(path)
    if found != digest:
        raise CheckpointError(f'{path}: its SHA-256 is {found}, {digest} was expected; it is another file, or damaged')


def _place(url: str, parts: SplitResult) -> Path:
    """Where the file of a URL is kept: two URLs may end in one file name."""
    name = PLAIN_NAME.fullmatch(Path(parts.path).name)
    folder = Path(torch.hub.get_dir()) / 'checkpoints' / AUTHOR
    return folder / hashlib.sha256(url.encode()).hexdigest()[:URL_DIGITS] / (name[0] if name else 'weights.pth')


def _cached(url: str, digest: str | None, path: Path, key: str) -> Path:
    failure = None
    # One process a machine, as torchrun and mmengine's launchers number them.
    if int(os.environ.get('LOCAL_RANK', get_rank())) == 0 and not _is_sound(path, digest):
        try:
            _download(url, digest, path)
        except (MobileOneError, OSError, HTTPException, ValueError) as error:  # of a URL, urllib's are of many kinds
            failure = str(error.reason if type(error) is URLError else error) or type(error).__name__
    # Every process comes here and learns of every failure, or some would wait for ever at the next step.
    failures = [reason for reason in all_gather_object(failure) if reason is not None]
    if failures:
        raise CheckpointError(
            f'{url}: cannot be downloaded ({" ".join(failures[0].split())}); fetch it elsewhere and save it as {path}, '
            f'or name a local file: --cfg-options {key}=FILE'
        )
    return _existing(path)


def _is_sound(path: Path, digest: str | None) -> bool:
    try:
        _require_sound(_existing(path), digest)
    except (CheckpointError, OSError):
        return False
    return True


def _require_sound(path: Path, digest: str | None) -> None:
    _require_digest(path, digest)
    doubt(path)


def _download(url: str, digest: str | None, path: Path) -> None:
    """Download a file, whole, or leave what stands at `path`."""

    class SafeRedirects(HTTPRedirectHandler):
        def redirect_request(self, *args: object) -> Request | None:
            if digest is None:
                _require_safe(str(args[-1]))
            return super().redirect_request(*args)  # type: ignore[arg-type]

    request = Request(url, headers={'User-Agent': f'{AUTHOR}/{__version__}'})
    with replacing(path) as fresh:
        with build_opener(SafeRedirects).open(request, timeout=TIMEOUT) as answer, fresh.open('wb') as file:
            claimed = answer.headers.get('Content-Length')
            total = int(claimed) if claimed and claimed.isdecimal() else None
            with tqdm(total=total, unit='B', unit_scale=True, unit_divisor=1024, desc=path.name) as bar:
                while chunk := answer.read(CHUNK_BYTES):
                    file.write(chunk)
                    bar.update(len(chunk))
            if total is not None and file.tell() != total:
                raise CheckpointError(f'{file.tell()} of {total} bytes came')
        try:
            _require_sound(fresh, digest)
        except CheckpointError as error:
            raise CheckpointError(str(error).removeprefix(f'{fresh}: ').removesuffix(f': {CURE}')) from error
