"""A file that says in a few bytes what nobody can look at to its end is refused before it is built."""

import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
import torch

from mobileone_mm import cli
from mobileone_mm.commands import convert
from mobileone_mm.errors import CheckpointError
from mobileone_mm.weights import nesting, safe_load
from mobileone_mm.weights.checkpoint import read_checkpoint

TIMES = 60  # 2 to the power of that is beyond any computer


def doubled(kind: type = tuple, times: int = TIMES) -> Any:
    value: Any = 'x'
    for _ in range(times):
        value = kind((value, value))
    return value


def pickled_as_key(value: Any, protocol: int = 2) -> bytes:
    """{value: 1}, without asking for its hash, which would take as long here."""
    return b'\x80\x02}q\x00' + pickle.dumps(value, protocol)[2:-1] + b'K\x01s.'


def write_zip(path: Path, pickled: bytes) -> Path:
    with zipfile.ZipFile(path, 'w') as archive:
        archive.writestr('a/data.pkl', pickled)
        archive.writestr('a/version', b'3\n')
        archive.writestr('a/byteorder', b'little')
    return path


def write_old(path: Path, pickled: bytes) -> Path:
    """In the format before torch 1.6: a number, a version, facts about the machine, what it holds, names of tensors."""
    parts = (0x1950A86A20F9469CFC6C, 1001, {'protocol_version': 1001, 'little_endian': True, 'type_sizes': {}})
    path.write_bytes(b''.join(pickle.dumps(part, 2) for part in parts) + pickled + pickle.dumps([], 2))
    return path


@pytest.mark.parametrize('write', [write_zip, write_old])
@pytest.mark.parametrize(
    'pickled',
    [
        pickled_as_key(doubled()),
        b'\x80\x02]q\x00' + pickled_as_key(doubled())[2:-1] + b'a.',
        pickle.dumps(doubled(list), 2),
        pickle.dumps({'state_dict': {'a': doubled(list)}}, 2),
        pickle.dumps({'state_dict': OrderedDict(a=doubled(list))}, 2),
    ],
    ids=['a key', 'a key in a list', 'lists', 'a state dict', 'an ordered one'],
)
def test_values_without_end_are_refused_at_once(
    write: Any, pickled: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / 'a.pth', pickled)
    assert path.stat().st_size < 3000
    with pytest.raises(CheckpointError, match=r'a\.pth: refused, since it holds values within values, more than 10,'):
        safe_load.read(path)
    assert cli.run(convert.main, [str(path), str(tmp_path / 'b.pth'), '--to', 'timm']) == 1
    assert capsys.readouterr().err.splitlines()[-1].startswith(f'error: {path}: refused, since it holds values within')


def test_a_thousand_deep_is_an_error_in_one_line(tmp_path: Path) -> None:
    pickled = b'\x80\x02' + b']' * 10_000 + b'a' * 9_999 + b'.'
    path = write_zip(tmp_path / 'a.pth', pickled)
    with pytest.raises(CheckpointError, match=r'a\.pth: holds a list; expected a state dict') as refused:
        read_checkpoint(path)
    assert '\n' not in str(refused.value)


def in_itself() -> Any:
    value: list[Any] = [1, 2]
    value.append(value)
    return value


@pytest.mark.parametrize(
    'contents',
    [
        {'state_dict': {'a': torch.zeros(3), 'b': torch.zeros(0)}, 'meta': {'epoch': 1, 'names': ['x'] * 1000}},
        OrderedDict(a=torch.nn.Parameter(torch.ones(2, 2))),
        {'a': torch.zeros(3), 'again': in_itself(), 'some': doubled(times=10), 'set': {1, 2}, 'text': 'y' * 100_000},
    ],
)
@pytest.mark.parametrize('zipped', [True, False])
def test_what_has_an_end_is_read(contents: Any, zipped: bool, tmp_path: Path) -> None:
    torch.save(contents, tmp_path / 'a.pth', _use_new_zipfile_serialization=zipped)
    assert safe_load.read(tmp_path / 'a.pth').keys() == contents.keys()


@pytest.mark.parametrize('data', [b'', b'\x80', b'\x80\x02]', b'\x80\x02a.', b'\x80\x02h\x05.', b'PK no pickle', b'e.'])
def test_what_is_no_pickle_is_left_to_torch(data: bytes, tmp_path: Path) -> None:
    (tmp_path / 'a.pth').write_bytes(data)
    nesting.require_end(tmp_path / 'a.pth')
    nesting.require_end(write_zip(tmp_path / 'b.pth', data))


@pytest.mark.parametrize(
    ('value', 'count'),
    [
        ('x', 1),
        ([], 1),
        ([1, 2, 3], 4),
        ((1, 2), 3),
        (doubled(times=3), 15),  # 8 texts and 7 pairs
        (doubled(list, times=3), 15),
        ({'a': 1, 'b': [2]}, 6),
    ],
)
def test_values_are_counted(value: Any, count: int, tmp_path: Path) -> None:
    path = write_zip(tmp_path / 'a.pth', pickle.dumps(value, 2))
    assert [nesting._most_values(pickled) for pickled in nesting._pickles(path)] == [count]
