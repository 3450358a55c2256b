"""Whether a weight file holds the bytes that were written: torch reads past the checksums of its own archives."""

import logging
import zipfile
from pathlib import Path

from mmengine.logging import print_log

from mobileone_mm.errors import CheckpointError
from mobileone_mm.outputs import WEIGHTS_COMMENT_BYTES, digest_in, file_sha256

ZIP_MAGIC = b'PK\x03\x04'
CHUNK_BYTES = 1 << 20
CURE = 'copy it or download it again, or take another checkpoint'


def require_intact(path: Path) -> None:
    """Refuse a file that is not what was written, as far as it can be told.

    The checksum (CRC-32) of every record of the archive is computed, and the SHA-256 of a file that this package
    wrote. 50 MB take 0.01 s, and 0.04 s where there is a SHA-256. What has neither is read with a warning: files
    written with `torch.serialization.set_crc32_options(False)`, and those of the format before torch 1.6.

    Raises:
        CheckpointError: the file is cut or damaged, or compressed, as torch writes none.
    """
    with path.open('rb') as file:
        if file.read(len(ZIP_MAGIC)) != ZIP_MAGIC:
            _warn(f'{path}: in the format before torch 1.6, which has no checksums: damage to it would go unnoticed')
            return
    try:
        with zipfile.ZipFile(path) as archive:
            digest = digest_in(archive.comment)
            checked = _checked(path, archive)
    except CheckpointError:
        raise
    except Exception as error:  # a damaged archive makes zipfile raise errors of many kinds
        raise CheckpointError(
            f'{path}: cannot be read as a weight file (.pth), it is cut or damaged ({error}): {CURE}'
        ) from error
    if digest is not None:
        if digest != file_sha256(path, path.stat().st_size - WEIGHTS_COMMENT_BYTES):
            raise CheckpointError(
                f'{path}: this file is damaged (its SHA-256 is not the one it was written with): {CURE}'
            )
    elif not checked:
        _warn(
            f'{path}: written without checksums (torch.serialization.set_crc32_options(False)): damage to it would go '
            'unnoticed; leave this option out where the file is written'
        )


def _checked(path: Path, archive: zipfile.ZipFile) -> bool:
    """Hold every record against its checksum; False where the file has none."""
    records = archive.infolist()
    for record in records:
        if record.compress_type != zipfile.ZIP_STORED:
            raise CheckpointError(
                f'{path}: {record.filename} in it is compressed, as torch writes nothing; load it and save it again '
                f'with torch, or, if it should not be, {CURE}'
            )
    # Torch writes 0 for every record then; a sound record has the checksum 0 once in four thousand million.
    has_checksums = any(record.CRC for record in records if record.file_size)
    for record in records:
        with archive.open(record) as data:
            if not has_checksums:
                continue
            try:
                while data.read(CHUNK_BYTES):
                    pass
            except zipfile.BadZipFile as error:
                raise CheckpointError(
                    f'{path}: this file is damaged (its checksum says so of {record.filename}): {CURE}'
                ) from error
    return has_checksums


def _warn(message: str) -> None:
    print_log(message, logger='current', level=logging.WARNING)
