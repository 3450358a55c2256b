"""A weight file whose bytes are not those that were written is refused, or holds the same numbers all the same."""

import logging
import random
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.logging import MMLogger
from mmengine.runner.checkpoint import save_checkpoint as save_by_mmengine

from mobileone_mm.errors import CheckpointError
from mobileone_mm.weights import checkpoint, safe_load

FLIPS = 60
STATE = {'a.weight': torch.arange(60.0), 'a.bias': torch.zeros(9), 'steps': torch.tensor(7), 'empty': torch.zeros(0)}


def save_plainly(path: Path) -> None:
    torch.save({'state_dict': STATE, 'meta': {'epoch': 3}}, path)


def save_without_checksums(path: Path) -> None:
    torch.serialization.set_crc32_options(False)
    try:
        save_plainly(path)
    finally:
        torch.serialization.set_crc32_options(True)


def save_as_ours(path: Path) -> None:
    checkpoint.save_checkpoint(path, STATE, {'epoch': 3})


def save_as_ours_without_checksums(path: Path) -> None:
    torch.serialization.set_crc32_options(False)
    try:
        save_as_ours(path)
    finally:
        torch.serialization.set_crc32_options(True)


def save_in_the_old_format(path: Path) -> None:
    torch.save({'state_dict': STATE}, path, _use_new_zipfile_serialization=False)


@pytest.fixture
def warnings(caplog: pytest.LogCaptureFixture) -> Iterator[Callable[[], list[str]]]:
    """What mmengine's logger was warned of."""
    logger = MMLogger.get_current_instance()
    logger.addHandler(caplog.handler)
    yield lambda: [record.message for record in caplog.records if record.levelno == logging.WARNING]
    logger.removeHandler(caplog.handler)


def holds_the_same(path: Path) -> bool:
    read: Any = safe_load.read(path)
    given = read['state_dict']
    return given.keys() == STATE.keys() and all(
        given[key].dtype == value.dtype and torch.equal(given[key], value) for key, value in STATE.items()
    )


@pytest.mark.parametrize('save', [save_plainly, save_as_ours, save_as_ours_without_checksums])
def test_a_flipped_bit_is_noticed_or_changes_nothing(save: Callable[[Path], None], tmp_path: Path) -> None:
    path = tmp_path / 'a.pth'
    save(path)
    whole, refused = path.read_bytes(), []
    for position in random.sample(range(len(whole)), FLIPS):
        damaged = bytearray(whole)
        damaged[position] ^= 1 << random.randrange(8)
        path.write_bytes(damaged)
        try:
            assert holds_the_same(path), f'byte {position} of {len(whole)}'
        except CheckpointError as error:
            refused.append(str(error))
    assert len(refused) >= FLIPS // 10
    assert all(message.startswith(f'{path}: ') and '\n' not in message for message in refused)


def test_of_a_checkpoint_of_a_training_the_checksums_are_enough(tmp_path: Path) -> None:
    """mmengine writes no digest of it; test and `--resume` read it all the same."""
    path = tmp_path / 'epoch_1.pth'
    weights = {
        key: value.clone().requires_grad_() if value.is_floating_point() else value for key, value in STATE.items()
    }
    optimizer = torch.optim.SGD([value for value in weights.values() if value.requires_grad], 0.1, momentum=0.9)
    contents = {'meta': {'epoch': 3}, 'state_dict': STATE, 'optimizer': optimizer.state_dict()}
    save_by_mmengine(contents, str(path))
    whole = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        directory = archive.start_dir  # names, sizes and places, which no checksum covers
        assert archive.comment == b''
    places = [random.randrange(len(whole)) for _ in range(200)]
    places += [random.randrange(directory, len(whole)) for _ in range(200)]
    refused = 0
    for place in places:
        damaged = bytearray(whole)
        damaged[place] ^= 1 << random.randrange(8)
        path.write_bytes(damaged)
        try:
            assert holds_the_same(path), f'byte {place} of {len(whole)}'
        except CheckpointError:
            refused += 1
    assert refused > 200


def test_the_record_that_is_damaged_is_named(tmp_path: Path) -> None:
    path = tmp_path / 'a.pth'
    save_plainly(path)
    whole = path.read_bytes()
    path.write_bytes(whole.replace(STATE['a.weight'].numpy().tobytes(), b'\x01' * 240))
    assert path.read_bytes() != whole
    message = r'a\.pth: this file is damaged \(its checksum says so of a/data/\d\): copy it or download it again'
    with pytest.raises(CheckpointError, match=message):
        safe_load.read(path)


def test_a_record_that_became_a_folder_is_refused(tmp_path: Path) -> None:
    path = tmp_path / 'a.pth'
    save_plainly(path)
    whole = bytearray(path.read_bytes())
    entry = whole.rindex(b'a/data/0') - 46  # of the archive's directory, whose entries have 46 bytes before the name
    assert whole[entry : entry + 4] == b'PK\x01\x02'
    whole[entry + 38] ^= 0x10  # one bit, and torch leaves the tensor's memory as it happens to be
    path.write_bytes(whole)
    with pytest.raises(CheckpointError, match=r'a\.pth: this file is damaged \(a/data/0 in it is marked as a folder\)'):
        safe_load.read(path)


@pytest.mark.parametrize('kept', [0.3, 0.9, 0.999])
def test_a_file_that_was_cut_is_refused(kept: float, tmp_path: Path) -> None:
    path = tmp_path / 'a.pth'
    save_plainly(path)
    path.write_bytes(path.read_bytes()[: int(kept * path.stat().st_size)])
    with pytest.raises(CheckpointError, match=r'a\.pth: cannot be read as a weight file .*: copy it or download it'):
        safe_load.read(path)


def test_a_file_without_checksums_is_read_with_a_warning(tmp_path: Path, warnings: Callable[[], list[str]]) -> None:
    path = tmp_path / 'a.pth'
    save_without_checksums(path)
    assert holds_the_same(path)
    (said,) = warnings()
    assert said.startswith(f'{path}: written without checksums (torch.serialization.set_crc32_options(False))')


def test_the_old_format_is_read_with_a_warning(tmp_path: Path, warnings: Callable[[], list[str]]) -> None:
    path = tmp_path / 'a.pth'
    save_in_the_old_format(path)
    assert holds_the_same(path)
    (said,) = warnings()
    assert said.startswith(f'{path}: in the format before torch 1.6, which has no checksums')


@pytest.mark.parametrize('save', [save_plainly, save_as_ours, save_as_ours_without_checksums])
def test_of_a_sound_file_nothing_is_said(
    save: Callable[[Path], None], tmp_path: Path, warnings: Callable[[], list[str]]
) -> None:
    save(tmp_path / 'a.pth')
    assert holds_the_same(tmp_path / 'a.pth')
    assert warnings() == []


def test_what_we_write_has_a_digest_beyond_the_checksums_of_its_records(tmp_path: Path) -> None:
    path = tmp_path / 'a.pth'
    save_as_ours(path)
    with zipfile.ZipFile(path) as archive:
        comment = archive.comment
        records = {record.filename: archive.read(record) for record in archive.infolist()}
    other = next(name for name in records if name.endswith('data/0'))
    with zipfile.ZipFile(path, 'w') as archive:  # checksums that fit, of other weights
        for name, data in records.items():
            archive.writestr(name, data if name != other else bytes(len(data)))
        archive.comment = comment
    with pytest.raises(CheckpointError, match=r'a\.pth: this file is damaged \(its SHA-256 is not the one it was wri'):
        safe_load.read(path)


def test_a_file_that_we_wrote_before_there_was_a_digest_is_read(tmp_path: Path) -> None:
    path = tmp_path / 'a.pth'
    save_plainly(path)
    with zipfile.ZipFile(path, 'a') as archive:
        archive.comment = b'written by mobileone_mm'
    assert holds_the_same(path)
    save_as_ours(path)  # and it is ours to write over
    assert holds_the_same(path)


def test_a_compressed_archive_is_refused(tmp_path: Path) -> None:
    path = tmp_path / 'a.pth'
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as archive:
        archive.writestr('a/data.pkl', bytes(10**6))
    with pytest.raises(CheckpointError, match=r'a\.pth: a/data\.pkl in it is compressed, as torch writes nothing'):
        safe_load.read(path)
