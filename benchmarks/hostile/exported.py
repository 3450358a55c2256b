"""Packages and ONNX files: damaged bytes, other values in their protobuf messages, files that do not belong there."""

import os
import shutil
from pathlib import Path
from random import Random
from typing import Any

from hostile.bases import BOXES, CONFIG, DATA, EXPECTED, EXPECTED_ONNX, FOLDERS, MASKS, ONNX, PACKAGE, PHOTOS, Bases
from hostile.damage import damaged, typo
from hostile.measures import same_predictions
from hostile.trial import Plan, Room

DEEPEST = 12  # messages inside messages
SPEC = 'Data/com.apple.CoreML/model.mlmodel'


def plan_packages(random: Random, room: Room, bases: Bases) -> Plan:
    """A package is changed, and a command opens it."""
    return _plan(PACKAGE, random, room, bases)


def plan_onnx(random: Random, room: Room, bases: Bases) -> Plan:
    """An ONNX file is changed, and a command opens it."""
    return _plan(ONNX, random, room, bases)


def _plan(name: str, random: Random, room: Room, bases: Bases) -> Plan:
    task = bases.one_of([BOXES, BOXES, MASKS, FOLDERS], random)
    bases.put(task, room, name)
    what = (_change_package if name == PACKAGE else _change_onnx)(room.here / name, random)
    command = random.choice(['verify', 'predict', 'predict', 'evaluate'])
    if command == 'predict':
        bases.put(task, room, PHOTOS)
        words = ['predict', name, PHOTOS, '--out', 'found']
        expected = bases.get(task, EXPECTED if name == PACKAGE else EXPECTED_ONNX)
        measure = same_predictions('found', expected / 'predictions.json')
        return Plan(f'{task}: {what}', [words], [name], ('found', 'found/*'), measure=measure)
    if command == 'evaluate':
        bases.put(task, room, CONFIG, DATA)
        words = ['evaluate', name, CONFIG, '--limit', '1']
    else:
        words = ['verify', name]
    return Plan(
        f'{task}: {what}',
        [words],
        [name],
        (),
        measure=lambda folder: _same_bytes(folder / name, bases.get(task, name), what),
    )


def _same_bytes(path: Path, whole: Path, what: str) -> str | None:
    """A changed file that passes has to do what it did: its program and weights are those of the whole one."""
    one, other = (_program(file) for file in (path, whole))
    return None if one == other else f'{what}: passed with another program'


def _program(path: Path) -> Any:
    if path.is_dir():
        from coremltools.proto import Model_pb2

        spec = Model_pb2.Model.FromString((path / SPEC).read_bytes())
        user = spec.description.metadata
        for field in ('author', 'license', 'versionString', 'shortDescription'):
            user.ClearField(field)
        for key in [key for key in user.userDefined if not key.startswith('mobileone_mm')]:
            del user.userDefined[key]
        for one in (*spec.description.input, *spec.description.output):
            one.ClearField('shortDescription')
        weights = (path / 'Data/com.apple.CoreML/weights/weight.bin').read_bytes()
        return spec.SerializeToString(deterministic=True), weights
    import onnx

    model = onnx.load(path)
    for field in ('doc_string', 'domain', 'model_version'):
        model.ClearField(field)
    return model.SerializeToString(deterministic=True)


def _change_package(path: Path, random: Random) -> str:
    files = sorted(file for file in path.rglob('*') if file.is_file())
    file = random.choice(files)
    kind = random.choice(['bytes', 'bytes', 'field', 'field', 'field', 'file'])
    if kind == 'field':
        from coremltools.proto import Model_pb2

        spec = Model_pb2.Model.FromString((path / SPEC).read_bytes())
        said = changed_field(spec, random)
        (path / SPEC).write_bytes(spec.SerializeToString())
        return said
    if kind == 'bytes':
        said, data = damaged(file.read_bytes(), random)
        file.write_bytes(data)
        return f'{file.name}: {said}'
    kind = random.choice(['gone', 'twice', 'a link', 'a folder', 'one more', 'a pipe', 'all in another', 'a file'])
    _other_files(path, file, kind)
    return f'{file.name}: {kind}'


def _other_files(path: Path, file: Path, kind: str) -> None:
    """Change which files a package has."""
    if kind in ('gone', 'a link', 'a folder', 'a pipe'):
        file.unlink()
    if kind == 'a link':
        file.symlink_to('/etc/hostname')
    elif kind == 'a folder':
        file.mkdir()
    elif kind == 'a pipe':
        os.mkfifo(file)
    elif kind == 'twice':
        shutil.copyfile(file, file.with_name(f'{file.stem}2{file.suffix}'))
    elif kind == 'one more':
        (path / 'Data' / 'notes.txt').write_text('x')
    elif kind == 'all in another':
        (path.parent / 'x').mkdir()
        path.rename(path.parent / 'x' / path.name)
        (path.parent / 'x').rename(path)
    elif kind == 'a file':
        shutil.rmtree(path)
        path.write_text('x')


def _change_onnx(path: Path, random: Random) -> str:
    if random.random() < 0.4:
        said, data = damaged(path.read_bytes(), random)
        path.write_bytes(data)
        return said
    import onnx

    model = onnx.load(path)
    said = changed_field(model, random)
    path.write_bytes(model.SerializeToString())
    return said


def changed_field(message: Any, random: Random) -> str:
    """Change one field somewhere in a protobuf message; says which and how."""
    way = []
    for _ in range(DEEPEST):
        fields = message.ListFields()
        if not fields:
            break
        field, value = random.choice(fields)
        way.append(field.name)
        repeated = hasattr(value, 'append') or (hasattr(value, 'MergeFrom') and hasattr(value, '__len__'))
        if field.type != field.TYPE_MESSAGE:
            return f'{".".join(way)}: {_other_value(message, field, value, random)}'
        if repeated and hasattr(value, 'keys'):  # a map
            key = random.choice(sorted(value))
            way[-1] += f'[{key!r}]'
            inside = value[key]
            if random.random() < 0.2 or not hasattr(inside, 'ListFields'):
                del value[key]
                return f'{".".join(way)}: gone'
            message = inside
        elif repeated:
            index = random.randrange(len(value))
            way[-1] += f'[{index}]'
            if random.random() < 0.15:
                del value[index]
                return f'{".".join(way)}: gone'
            message = value[index]
        else:
            if random.random() < 0.1:
                message.ClearField(field.name)
                return f'{".".join(way)}: gone'
            message = value
    return f'{".".join(way)}: nothing to change'


def _other_value(message: Any, field: Any, value: Any, random: Random) -> str:
    if hasattr(value, 'append'):
        place = random.randrange(len(value))
        old = value[place]
        value[place] = _other(field, old, random)
        return f'[{place}] {_short(old)} is {_short(value[place])}'
    new = _other(field, value, random)
    setattr(message, field.name, new)
    return f'{_short(value)} is {_short(new)}'


def _other(field: Any, value: Any, random: Random) -> Any:
    if field.type == field.TYPE_ENUM:
        return random.choice([one.number for one in field.enum_type.values if one.number != value] or [value])
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return random.choice([value ^ 1, value + 1, 0 if value else 1, value * 2 or 1, 2**30])
    if isinstance(value, float):
        return random.choice([-value or 1.0, value * 1.01 or 1.0, 0.0 if value else 1.0, float('nan')])
    if isinstance(value, bytes):
        return damaged(value, random)[1]
    return typo(value, random)


def _short(value: Any) -> str:
    return repr(value)[:40]
