"""Whether a weight file holds the bytes that were written: torch reads past the checksums of its own archives."""

import logging
import zipfile
from pathlib import Path

from mmengine.logging import print_log

from mobileone_mm.errors import CheckpointError, printable
from mobileone_mm.outputs import WEIGHTS_COMMENT_BYTES, digest_in, file_sha256

ZIP_MAGIC = b'PK\x03\x04'
MAGICS = (ZIP_MAGIC, b'\x80')  # of a zip file, and of a pickle as torch wrote it before 1.6
SHOWN_BYTES = 40
FOLDER = 0x10  # in the attributes of a record, as MS-DOS has it
CHUNK_BYTES = 1 << 20
CURE = 'copy it or download it again, or take another checkpoint'


def require_intact(path: Path) -> None:
    """Refuse a file that is not what was written, and warn of one of which that cannot be told: see `doubt`.

    Raises:
        CheckpointError: as `doubt`.
    """
    said = doubt(path)
    if said:
        print_log(f'{path}: {said}', logger='current', level=logging.WARNING)


def doubt(path: Path) -> str | None:
    """Why damage to a weight file would go unnoticed; None where all of it was checked.

    The checksum (CRC-32) of every record of the archive is computed, and the SHA-256 of a file that this package
    wrote: 0.01 s for 50 MB, and 0.04 s with the SHA-256. Some files have neither: those written with
    `torch.serialization.set_crc32_options(False)`, and those of the format before torch 1.6.

    The checkpoints of a training, which mmengine writes, have the checksums alone. They are enough to tell damage: the
    names, sizes and places of the records, which no checksum covers, lead torch to all of them or to an error. Of a
    checkpoint of 5.8 kB, each of the 8,328 bits of the archive's directory was flipped in turn, and none made another
    state dict or meta. A SHA-256 would tell nothing more, but of several changes whose checksum is the same by chance
    (one in 4 thousand million) or on purpose, and whoever changes a file on purpose can write another digest as well.

    Raises:
        CheckpointError: it is neither an archive nor a pickle, or it is cut, damaged or compressed.
    """
    _require_magic(path)
    if not _begin(path).startswith(ZIP_MAGIC):
        return 'in the format before torch 1.6, which has no checksums: damage to it would go unnoticed'
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
    if digest is not None and digest != file_sha256(path, path.stat().st_size - WEIGHTS_COMMENT_BYTES):
        raise CheckpointError(f'{path}: this file is damaged (its SHA-256 is not the one it was written with): {CURE}')
    if checked or digest is not None:
        return None
    return (
        'written without checksums (torch.serialization.set_crc32_options(False)): damage to it would go unnoticed; '
        'leave this option out where the file is written'
    )


def _require_magic(path: Path) -> None:
    begin = _begin(path)
    if not begin.startswith(MAGICS):
        what = f'it begins with {begin.decode("ascii", "replace")!r}' if begin else 'it is empty'
        raise CheckpointError(
            f'{path}: this is no .pth ({what}); a download that failed leaves such a file: get it again'
        )


def _begin(path: Path) -> bytes:
    with path.open('rb') as file:
        return file.read(SHOWN_BYTES)


def _checked(path: Path, archive: zipfile.ZipFile) -> bool:
    """Hold every record against its checksum; False where the file has none."""
    records = archive.infolist()
    for record in records:
        name = printable(record.filename)
        if record.compress_type != zipfile.ZIP_STORED:
            raise CheckpointError(
                f'{path}: {name} in it is compressed, as torch writes nothing; load it and save it again '
                f'with torch, or, if it should not be, {CURE}'
            )
        if record.external_attr & FOLDER:  # torch reads nothing of it, and says nothing
            raise CheckpointError(f'{path}: this file is damaged ({name} in it is marked as a folder): {CURE}')
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
                    f'{path}: this file is damaged (its checksum says so of {printable(record.filename)}): {CURE}'
                ) from error
    return has_checksums
