"""Configs: a key is missing, misspelt, or has a value of another type or size."""

import copy
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from hostile.bases import CONFIG, DATA, FUSED, PHOTOS, TASKS, WEIGHTS, Bases, write_config
from hostile.damage import odd_value, typo
from hostile.measures import readable, same_tensors
from hostile.trial import LOGGED, Plan, Room

COMMANDS = (
    *(('check', CONFIG, '--out', 'looked', '--samples', '2'),) * 3,
    *(('fuse', CONFIG, WEIGHTS, '--out', 'f.pth'),) * 3,
    *(('test', CONFIG, WEIGHTS, '--work-dir', 'w'),) * 3,
    *(('train', CONFIG, '--work-dir', 'w'),) * 3,
    ('predict', CONFIG, WEIGHTS, PHOTOS, '--out', 'found'),
    ('export', CONFIG, WEIGHTS, '--out', 'new.onnx'),
)
FEW = ('default_hooks', 'env_cfg', 'log_processor', 'custom_hooks', 'visualizer', 'vis_backends')  # mmengine's own


def plan(random: Random, room: Room, bases: Bases) -> Plan:
    """One key of a config that trains is changed, and a command that reads it is run."""
    task, command = bases.one_of(TASKS, random), random.choice(COMMANDS)
    bases.put(task, room, DATA, WEIGHTS, *([PHOTOS] if PHOTOS in command else []))
    values = values_of(bases.get(task, CONFIG))
    places = list(_places(values))
    while (place := random.choice(places))[0] in FEW and random.random() < 0.8:  # long, and not ours
        pass
    what = change(values, place, random)
    write_config(room.here / CONFIG, values)
    names = named_by(place, command)
    measure = partial(_measured, command[0], bases.get(task, FUSED))
    leaves = (*LOGGED, 'looked*')  # a check draws samples of training data that it finds no fault in
    return Plan(f'{task}: {what}', [command], names, may_leave=leaves, measure=measure)


def named_by(place: Sequence[Any], command: Sequence[str]) -> list[str]:
    """What a refusal may name: the key, one above it, the part of the data, or the weights that do not fit it."""
    loader = str(place[0]).endswith('_dataloader') and command[0] == 'check'
    part = [f'fault in {str(place[0]).removesuffix("_dataloader")}'] if loader else []
    return [
        *(str(key) for key in place if not isinstance(key, int)),
        *part,
        *(one for one in command if one == WEIGHTS),
    ]


def values_of(path: Path) -> dict[str, Any]:
    """The values of a config that `write_config` wrote."""
    values: dict[str, Any] = {}
    exec(path.read_text(), values)  # our own
    return {key: value for key, value in values.items() if not key.startswith('__')}


def _places(value: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every value that has a key, or an index."""
    items = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list | tuple) else ()
    for key, one in items:
        yield (*above, key)
        yield from _places(one, (*above, key))


def change(values: dict[str, Any], place: tuple[Any, ...], random: Random) -> str:
    """Change the value at a place; says how."""
    *above, key = place
    holder: Any = values
    for one in above:  # tuples become lists on the way, which OpenMMLab takes alike
        if isinstance(holder[one], tuple):
            holder[one] = list(holder[one])
        holder = holder[one]
    name = '.'.join(map(str, place))
    kind = random.choice(['value', 'value', 'value', 'missing', 'misspelt'])
    if kind == 'missing':
        del holder[key]
        return f'{name} is missing'
    if kind == 'misspelt' and isinstance(holder, dict):
        new = typo(str(key), random)
        holder[new] = holder.pop(key)
        return f'{name} is called {new}'
    before = holder[key]
    while True:
        holder[key] = odd_value(copy.deepcopy(before), random)
        if repr(holder[key]) != repr(before):
            return f'{name} = {holder[key]!r}'[:300]


def _measured(verb: str, fused: Path, folder: Path) -> str | None:
    """What is wrong after a success: of a fused file, any other weights than those of the unchanged config."""
    if verb == 'fuse':
        return same_tensors('f.pth', fused)(folder)
    return readable(folder)
