"""Checkpoints: damaged bytes, tensors that no training leaves, and pickles that name code."""

import io
import pickle
import shutil
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random
from typing import Any

import torch

from hostile.bases import BACKBONE, BOXES, CONFIG, DATA, FUSED, TASKS, WEIGHTS, Bases
from hostile.damage import damaged, odd_value
from hostile.measures import same_tensors
from hostile.trial import LOGGED, Plan, Room

CANARY = 'canary'  # a file that code in a pickle would make
FUSE = ('fuse', CONFIG, WEIGHTS, '--out', 'f.pth')


def plan(random: Random, room: Room, bases: Bases) -> Plan:
    """A checkpoint is changed, and a command reads it."""
    task = bases.one_of(TASKS, random)
    bases.put(task, room, CONFIG, DATA, WEIGHTS)
    path = room.here / WEIGHTS
    kind, what = random.choice(
        [('bytes', _damaged), ('bytes', _damaged), ('values', _odd_tensor), ('values', _odd_meta), ('code', _code)]
    )
    said = what(path, random)
    test = ('test', CONFIG, WEIGHTS, '--work-dir', 'w')
    command = random.choice([FUSE, FUSE, test]) if kind != 'bytes' else FUSE
    expected = same_tensors('f.pth', bases.get(task, FUSED))

    def measure(folder: Path) -> str | None:
        if (folder / CANARY).exists():
            return 'code from the file ran'
        return expected(folder) if kind == 'bytes' and command is FUSE else _finite(folder / 'f.pth')

    def canary(folder: Path) -> str | None:
        return 'code from the file ran' if (folder / CANARY).exists() else measure(folder)

    outputs = ('f.pth', 'f.py', *LOGGED)
    return Plan(f'{task}: {said}', [command], [WEIGHTS], outputs, LOGGED, canary)


def plan_backbone(random: Random, room: Room, bases: Bases) -> Plan:
    """The weights of a backbone are damaged, and converted."""
    bases.put(BOXES, room, BACKBONE)
    path = room.here / BACKBONE
    what = random.choice([_damaged, _damaged, _code])(path, random)
    return Plan(what, [('convert', BACKBONE, 'out.pth', '--to', 'apple')], [BACKBONE], ('out.pth',), (),
                same_tensors('out.pth', bases.get(BOXES, BACKBONE)))  # fmt: skip


def _finite(path: Path) -> str | None:
    if not path.exists():
        return None
    found = torch.load(path, map_location='cpu', weights_only=True)['state_dict']  # noqa: TID251
    odd = [key for key, value in found.items() if value.is_floating_point() and not value.isfinite().all()]
    return f'{path.name} holds no numbers in {odd[0]}' if odd else None


def _damaged(path: Path, random: Random) -> str:
    what, data = damaged(path.read_bytes(), random)
    path.write_bytes(data)
    return what


def _contents(path: Path) -> dict[str, Any]:
    contents: dict[str, Any] = torch.load(path, map_location='cpu', weights_only=True)  # noqa: TID251 - it is our own
    return contents


TENSORS: Mapping[str, Callable[[torch.Tensor], Any]] = {
    'whole numbers': lambda one: one.to(torch.int32),
    'truths': lambda one: one > 0,
    'complex': lambda one: one.to(torch.complex64),
    'half': lambda one: one.half(),
    'bfloat16': lambda one: one.bfloat16(),
    'double': lambda one: one.double(),
    'NaN': lambda one: torch.full_like(one.float(), torch.nan),
    'infinity': lambda one: torch.full_like(one.float(), torch.inf),
    'zeros': lambda one: torch.zeros_like(one),
    'huge': lambda one: one * 1e30,
    'sparse': lambda one: one.float().to_sparse(),
    'on meta': lambda one: one.to('meta'),
    'quantised': lambda one: torch.quantize_per_tensor(one.float(), 0.1, 0, torch.qint8),
    'transposed': lambda one: one.transpose(0, -1) if one.dim() > 1 else one[None],
    'empty': lambda one: one[:0] if one.dim() else one[None][:0],
    'a number': lambda one: 1.0,
    'None': lambda one: None,
    'a text': lambda one: 'x',
    'a list': lambda one: one.flatten()[:4].tolist(),
    'expanded': lambda one: torch.zeros(1).expand(10**6, 10**6),
    'a parameter': lambda one: torch.nn.Parameter(one.float()),
    'scaled': lambda one: one * 1.5,
}


def _odd_tensor(path: Path, random: Random) -> str:
    contents = _contents(path)
    state = contents['state_dict']
    key = random.choice(list(state))
    kind = random.choice([*TENSORS, 'missing', 'renamed', 'one more'])
    if kind in TENSORS:
        state[key] = TENSORS[kind](state[key])
    elif kind == 'one more':
        state['backbone.stage9.weight'] = state[key]
    else:
        value = state.pop(key)
        if kind == 'renamed':
            state[f'{key}_'] = value
    torch.save(contents, path)
    return f'{key}: {kind}'


def _odd_meta(path: Path, random: Random) -> str:
    contents = _contents(path)
    where = random.choice(['contents', 'meta', 'meta', 'dataset_meta'])
    holder = {'contents': contents, 'meta': contents['meta'], 'dataset_meta': contents['meta']['dataset_meta']}[where]
    key = random.choice(list(holder))
    if random.random() < 0.2:
        holder[key] = holder  # in itself
        said = 'itself'
    else:
        holder[key] = odd_value(holder[key], random)
        said = repr(holder[key])[:60]
    torch.save(contents, path)
    return f'{where}[{key!r}] = {said}'


class _Calls:
    """Makes a file when it is unpickled."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.way = function, arguments

    def __reduce__(self) -> Any:
        return self.way


def _code(path: Path, random: Random) -> str:
    import builtins
    import os
    import subprocess

    calls = {
        'os.system': _Calls(os.system, f'touch {CANARY}'),
        'open': _Calls(builtins.open, CANARY, 'w'),
        'exec': _Calls(builtins.exec, f"open({CANARY!r}, 'w')"),
        'eval': _Calls(builtins.eval, f"open({CANARY!r}, 'w')"),
        'subprocess': _Calls(subprocess.call, ['touch', CANARY]),
        'os.mkdir': _Calls(os.mkdir, CANARY),
        'shutil': _Calls(shutil.copyfile, WEIGHTS, CANARY),
        'torch': _Calls(torch.hub.load, '.', 'x'),
    }
    name = random.choice(list(calls))
    where = random.choice(['state', 'meta', 'hub', 'whole', 'old format', 'bare pickle'])
    contents: dict[str, Any] = _contents(path)
    state = contents.get('state_dict', contents)
    if where == 'state':
        state['x'] = calls[name]
    elif where == 'meta':
        contents['meta'] = {'x': calls[name]}
    elif where == 'hub':
        contents['message_hub'] = {'log': calls[name]}
    if where == 'bare pickle':
        path.write_bytes(pickle.dumps(calls[name], random.choice([0, 2, 4])))
    elif where == 'whole':
        torch.save(calls[name], path)
    else:
        torch.save(contents if where != 'old format' else {'state_dict': calls[name]}, path,
                   _use_new_zipfile_serialization=where != 'old format')  # fmt: skip
    if random.random() < 0.2 and zipfile.is_zipfile(path):
        _twice(path)
    return f'{name} in {where}'


def _twice(path: Path) -> None:
    """The archive has a second record of the name of its pickle, which some readers take and others do not."""
    data = io.BytesIO(path.read_bytes())
    with zipfile.ZipFile(data, 'a') as archive:
        name = next(one for one in archive.namelist() if one.endswith('data.pkl'))
        archive.writestr(zipfile.ZipInfo(name), archive.read(name))
    path.write_bytes(data.getvalue())
