"""Command lines: words left out, doubled, misspelt, or with values that nobody means."""

import os
import shlex
from functools import lru_cache
from importlib import import_module
from random import Random
from unittest.mock import patch

from hostile.bases import BACKBONE, BOXES, CONFIG, DATA, ONNX, PACKAGE, WEIGHTS, Bases
from hostile.damage import typo
from hostile.measures import readable
from hostile.trial import LOGGED, Plan, Room
from mobileone_mm import cli
from mobileone_mm.__main__ import module_of

LINES = {
    'init new.py --data data': (DATA,),
    'init new.py --classes cat,dog': (),
    'toy-data shapes --images 2 --val 1 --size 32 --seed 1': (),
    'check my.py --out looked --samples 2 --report r.json': (CONFIG, DATA),
    'convert backbone.pth out.pth --to timm': (BACKBONE,),
    'fuse my.py best.pth --out f.pth --report r.json': (CONFIG, DATA, WEIGHTS),
    'verify model.mlpackage --report r.json': (PACKAGE,),
    'verify model.onnx --image data/images/val/0.png': (ONNX, DATA),
    'evaluate model.onnx my.py --limit 2 --report r.json': (ONNX, CONFIG, DATA),
    'predict model.mlpackage data/images/val --out found --score-threshold 0.2': (PACKAGE, DATA),
    'predict my.py best.pth data/images/val/*.png --out found --iou-threshold 0.5': (CONFIG, WEIGHTS, DATA),
    'predict model.mlpackage data/images/val --compare model.onnx --out found': (PACKAGE, ONNX, DATA),
    'test my.py best.pth --work-dir w --cfg-options test_dataloader.batch_size=2': (CONFIG, WEIGHTS, DATA),
    'train my.py --work-dir w --cfg-options optim_wrapper.optimizer.lr=0.01': (CONFIG, DATA),
    'export my.py best.pth --out new.onnx --input-size 96x64': (CONFIG, WEIGHTS, DATA),
}
SLOW = ('export', 'train')  # tried a quarter as often
VALUES = (
    *('', ' ', '-1', '0', '1', '3', '0.5', '1e309', 'nan', '-inf', '0x10', '1_0', '\u0662', '999999999999999999999'),
    *('100000x100000', '0x0', '96X64', 'x' * 300, 'a\x1b[31mb', 'a\nb', '\udcff', 'ä', '--', '-', '.', '..', './'),
    *('nowhere.pth', 'nowhere/', 'my.py', 'best.pth', 'data', 'model.mlpackage', 'pipe', 'loop', 'text', 'photo.png'),
    *('s0=', '=1', 'a.b.c=[', 'model=None', 'train_cfg.max_epochs=x', 'http://', 'file:///x', '*', '[', '%s', '{}'),
)


def plan(random: Random, room: Room, bases: Bases) -> Plan:
    """A command line with one or two changes."""
    line = random.choice([one for one in LINES for _ in range(1 if one.startswith(SLOW) else 4)])
    bases.put(BOXES, room, *LINES[line])
    os.mkfifo(room.here / 'pipe')
    (room.here / 'loop').symlink_to('loop')
    (room.here / 'text').write_text('no such thing\n')
    (room.here / 'photo.png').write_bytes(b'\x89PNG\r\n\x1a\n')
    words = shlex.split(line)
    said = [_change(words, random) for _ in range(random.choice([1, 1, 2]))]
    return Plan('; '.join(said), [words], may_leave=LOGGED, measure=readable)


def _change(words: list[str], random: Random) -> str:
    """Change a command line in place; says how."""
    place = random.randrange(1, len(words)) if len(words) > 1 else 0
    match random.randrange(6):
        case 0:
            return f'without {words.pop(place)!r}'
        case 1:
            words.insert(place, words[place])
            return f'{words[place]!r} twice'
        case 2:
            words[place] = typo(words[place], random)
            return f'misspelt {words[place]!r}'
        case 3:
            option = random.choice(options_of(words[0])) if words else '--out'
            value = random.choice(VALUES)
            words += [option, value]
            return f'with {option} {value!r}'
        case _:
            words[place] = random.choice(VALUES)
            return f'{words[place]!r} in place {place}'


class _Parsed(Exception):
    pass


@lru_cache
def options_of(verb: str) -> tuple[str, ...]:
    """The options that a command has."""
    kept = []

    def keep(*args: object, **options: object) -> None:
        kept.append(args)
        raise _Parsed

    made = cli.parser

    def parser(*args: str) -> object:
        one = made(*args)
        one.parse_args = lambda *_: keep(one)  # type: ignore[method-assign]
        return one

    try:
        with patch.object(cli, 'parser', parser):
            import_module(module_of(verb)).main([])
    except (_Parsed, ImportError):
        pass
    names = [name for (one,) in kept for action in one._actions for name in action.option_strings]  # type: ignore[attr-defined]
    return tuple(name for name in names if name.startswith('--')) or ('--out',)
