"""Whatever a file holds, reading it gives its contents or an error about it: never another exception."""

import os
import random
from pathlib import Path
from typing import Any

import pytest
import torch

from mobileone_mm.errors import CheckpointError
from mobileone_mm.weights import safe_load

MUTATIONS = 300
UNREADABLE = 'cannot be read as a weight file'


@pytest.mark.parametrize('new', [True, False], ids=['zip', 'before torch 1.6'])
def test_both_formats_are_read(new: bool, tmp_path: Path) -> None:
    contents = {'a': torch.arange(3.0), 'b': [1, 'x']}
    torch.save(contents, tmp_path / 'a.pth', _use_new_zipfile_serialization=new)
    read = safe_load.read(tmp_path / 'a.pth')
    torch.testing.assert_close(read['a'], contents['a'], rtol=0, atol=0)
    assert read['b'] == contents['b']


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (b'hello world\n', r"this is no \.pth \(it begins with 'hello world\\n'\); a download that failed"),
        (b'{"a": 1}', 'this is no .pth'),
        (b'version https://git-lfs.github.com/spec/v1\n', 'begins with .version https://git-lfs'),
        (b'cos\nsystem\n', 'this is no .pth'),
        (b'a', 'this is no .pth'),
        (bytes([200, 1, 2]), 'this is no .pth'),
        (b'', 'it is empty'),
        (b'PK\x03\x04junk', UNREADABLE),
        (b'\x80\x02.', UNREADABLE),
    ],
)
def test_what_is_no_weight_file_is_told_from_a_broken_one(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / 'a.pth').write_bytes(content)
    with pytest.raises(CheckpointError, match=rf'a\.pth: .*{message}'):
        safe_load.read(tmp_path / 'a.pth')


class Attack:
    """Makes a folder when it is unpickled by a careless reader."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.marker),)


def test_code_in_the_old_format_is_refused_too(tmp_path: Path) -> None:
    torch.save({'a': Attack(tmp_path / 'ran')}, tmp_path / 'a.pth', _use_new_zipfile_serialization=False)
    with pytest.raises(
        CheckpointError, match=r'a\.pth: refused, since reading must not run code .*it names code: \w+\.mkdir'
    ):
        safe_load.read(tmp_path / 'a.pth')
    assert not (tmp_path / 'ran').exists()


@pytest.mark.parametrize('new', [True, False], ids=['zip', 'before torch 1.6'])
def test_a_damaged_file_raises_nothing_else(new: bool, tmp_path: Path) -> None:
    path = tmp_path / 'a.pth'
    torch.save({'a': torch.zeros(2), 'b': {'c': 1}}, path, _use_new_zipfile_serialization=new)
    whole, refused = path.read_bytes(), 0
    for _ in range(MUTATIONS):
        damaged = bytearray(whole)
        for _ in range(random.randint(1, 6)):
            damaged[random.randrange(len(damaged))] = random.randrange(256)
        path.write_bytes(damaged)
        try:
            safe_load.read(path)
        except CheckpointError:
            refused += 1
    assert refused > MUTATIONS // 10
