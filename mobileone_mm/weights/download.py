"""Weight files by path or URL: a URL is downloaded once and found in torch's own cache afterwards."""

import os
from pathlib import Path
from urllib.parse import unquote, urlparse

import torch
from mmengine.dist import barrier, get_rank

from mobileone_mm.errors import CheckpointError


def local_file(source: str | Path, key: str = 'model.backbone.init_cfg.checkpoint') -> Path:
    """The file that `source` (a path, or a file:, http: or https: URL) means, downloaded if need be.

    Downloads go to `torch.hub.get_dir()`/checkpoints, in distributed runs by rank 0 while the others wait.

    Args:
        source: path or URL.
        key: where a config names it, for the message of a download that failed.

    Raises:
        CheckpointError: no such file, an unknown kind of URL, or a download that failed.
    """
    parts = urlparse(str(source))
    if parts.scheme in ('http', 'https'):
        return _downloaded(str(source), Path(torch.hub.get_dir()) / 'checkpoints' / Path(parts.path).name, key)
    if '://' in str(source) and parts.scheme != 'file':
        raise CheckpointError(f'{source}: {parts.scheme}: given, expected a path or a file:, http: or https: URL')
    path = Path(unquote(parts.path)) if parts.scheme == 'file' else Path(os.path.expanduser(source))
    if not path.is_file():
        raise CheckpointError(f'{path}: no such weight file')
    return path


def _downloaded(url: str, path: Path, key: str) -> Path:
    failure: OSError | None = None
    if get_rank() == 0 and not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            torch.hub.download_url_to_file(url, str(path), progress=True)  # writes beside and renames
        except OSError as error:  # urllib's errors are
            failure = error
    barrier()  # reached by rank 0 in any case, or the others would wait for ever
    if not path.is_file():
        raise CheckpointError(
            f'{url}: cannot be downloaded ({failure or "see rank 0"}); fetch it elsewhere and save it as {path}, or '
            f'name a local file: --cfg-options {key}=FILE'
        )
    return path
