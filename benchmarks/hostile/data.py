"""Annotations and pictures: a set of boxes, of masks or of class folders with something wrong in it."""

import json
import os
import struct
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Any
from xml.etree import ElementTree

import numpy as np
from PIL import Image

from hostile.bases import BOXES, CONFIG, DATA, EXPECTED, FOLDERS, MASKS, PACKAGE, TASKS, XML, Bases
from hostile.configs import _places, change
from hostile.damage import damaged, typo
from hostile.measures import boxes_in_coco, counted_as, readable, same_predictions
from hostile.trial import LOGGED, Plan, Room

REPORT = 'r.json'
CHECK = ('check', CONFIG, '--out', 'looked', '--samples', '2', '--report', REPORT)
TRAIN = ('train', CONFIG, '--work-dir', 'w')
PREDICT = ('predict', PACKAGE, 'photos', '--out', 'found')
PICTURES = ('.png', '.jpg')
TEXTS = ('', 'x', '-1', '0', '1e9', 'nan', '2.5', '\u0662', 'ä', '99999', ' 7 ', 'circle', 'Circle')


def plan_annotations(random: Random, room: Room, bases: Bases) -> Plan:
    """Something is changed in the annotations of the training set: it is checked, and at times trained on."""
    task = bases.one_of(TASKS, random)
    bases.put(task, room, DATA, CONFIG)
    changed = {BOXES: _coco, XML: _voc, MASKS: _mask, FOLDERS: _folder}[task](room.here / DATA, random)
    what, names = changed
    commands = [CHECK, TRAIN] if random.random() < 0.3 else [CHECK]
    count = {BOXES: _coco_count, XML: _voc_count, MASKS: _mask_count, FOLDERS: _folder_count}[task]
    measure = counted_as(REPORT, 'train', count)
    outputs = ('looked*', REPORT, 'w', 'w/*', 'work_dirs*')
    return Plan(f'{task}: {what}', commands, names, outputs, (*LOGGED, REPORT, 'looked*'), measure, agreed=True)


def _coco(data: Path, random: Random) -> tuple[str, list[str]]:
    path = data / 'annotations/train.json'
    if random.random() < 0.2:
        return _rewritten(path, random)
    content = json.loads(path.read_text())
    place = random.choice(list(_places(content)))
    what = change(content, place, random)
    try:
        path.write_text(json.dumps(content))
    except TypeError:
        path.write_text(json.dumps(content, default=str))
    pictures = [one.get('file_name') for one in content.get('images') or () if isinstance(one, dict)]
    return what, [path.name, *map(str, place), *(name for name in pictures if isinstance(name, str))]


def _rewritten(path: Path, random: Random) -> tuple[str, list[str]]:
    """A file is damaged, a text written in another encoding, or something else stands there."""
    data = path.read_bytes()
    encodings = [] if path.suffix in PICTURES else ['utf-16', 'utf-8-sig', 'crlf']
    kind = random.choice(['damaged', 'damaged', *encodings, 'a folder', 'not there', 'a pipe'])
    if kind == 'damaged':
        kind, data = damaged(data, random)
        path.write_bytes(data)
    elif kind.startswith('utf'):
        path.write_bytes(data.decode().encode(kind))
    elif kind == 'crlf':
        path.write_bytes(data.replace(b'\n', b'\r\n'))
    else:
        path.unlink()
        if kind == 'a folder':
            path.mkdir()
        elif kind == 'a pipe':
            os.mkfifo(path)
    return f'{path.name}: {kind}', [path.name, path.stem]


def _voc(data: Path, random: Random) -> tuple[str, list[str]]:
    path = random.choice(sorted((data / 'Annotations').glob('train_*.xml')))
    if random.random() < 0.15:
        return _rewritten(data / 'ImageSets/Main/train.txt', random)
    if random.random() < 0.3:
        return _rewritten(path, random)
    tree = ElementTree.parse(path)
    above = {child: parent for parent in tree.iter() for child in parent}
    node = random.choice(list(above))
    kind = random.choice(['text', 'text', 'text', 'missing', 'twice', 'misspelt'])
    what = f'{path.name}: {node.tag} {kind}'
    if kind == 'text':
        node.text = random.choice([*TEXTS, typo(node.text or '', random)])
        what = f'{path.name}: {node.tag} is {node.text!r}'
    elif kind == 'missing':
        above[node].remove(node)
    elif kind == 'twice':
        above[node].append(node)
    else:
        node.tag = typo(node.tag, random)
    tree.write(path)
    return what, [path.stem]


def _mask(data: Path, random: Random) -> tuple[str, list[str]]:
    path = random.choice(sorted((data / 'masks/train').iterdir()))
    mask = np.array(Image.open(path))
    kind = random.choice(['id', 'size', 'colours', '16 bit', 'ignored', 'bytes', 'gone', 'jpeg'])
    if kind == 'bytes':
        return _rewritten(path, random)
    if kind == 'id':
        mask[random.randrange(len(mask)), 0] = random.choice([4, 5, 200, 254])
    elif kind == 'size':
        mask = mask[: random.randrange(1, len(mask))]
    elif kind == 'colours':
        mask = np.stack([mask] * random.choice([3, 4]), -1)
    elif kind == 'ignored':
        mask[:] = 255
    if kind == 'gone':
        path.unlink()
    elif kind == 'jpeg':
        Image.fromarray(mask).save(path, 'JPEG', quality=50)
    else:
        Image.fromarray(mask.astype(np.uint16) if kind == '16 bit' else mask).save(path)
    return f'{path.name}: {kind}', [path.name, path.stem]


def _folder(data: Path, random: Random) -> tuple[str, list[str]]:
    folder = random.choice(sorted((data / 'train').iterdir()))
    path = random.choice(sorted(folder.iterdir()))
    kind = random.choice(
        ['bytes', 'bytes', 'empty class', 'new class', 'gone class', 'text', 'loop', 'moved', 'ending']
    )
    if kind == 'bytes':
        what, names = _rewritten(path, random)
        return what, [*names, folder.name]  # of which it may have been the last but one
    if kind == 'empty class':
        for file in folder.iterdir():
            file.unlink()
    elif kind == 'new class':
        (data / 'train/hexagon').mkdir()
        path.rename(data / 'train/hexagon' / path.name)
    elif kind == 'gone class':
        folder.rename(data / folder.name)
    elif kind == 'text':
        (folder / 'notes.txt').write_text('x')
        (folder / 'x.jpg').write_text('x')
    elif kind == 'loop':
        (folder / 'loop').symlink_to('.')
    elif kind == 'moved':
        path.rename(data / 'train' / path.name)
    else:
        path.rename(path.with_suffix(random.choice(['.JPG', '.png', '.gif', '.txt', ''])))
    return f'{folder.name}/{path.name}: {kind}', [path.name, path.stem, folder.name, 'hexagon', 'x.jpg', 'loop']


def _coco_count(folder: Path) -> Mapping[str, int]:
    return boxes_in_coco(folder / DATA / 'annotations/train.json')


def _voc_count(folder: Path) -> Mapping[str, int]:
    counts: Counter[str] = Counter(circle=0, square=0, triangle=0)
    names = (folder / DATA / 'ImageSets/Main/train.txt').read_bytes().decode('utf-8-sig').split()
    for name in names:
        for one in ElementTree.parse(folder / DATA / f'Annotations/{name}.xml').getroot().iter('object'):
            difficult = one.findtext('difficult')
            counts[one.findtext('name') or ''] += not (difficult and difficult.strip() == '1')
    return counts


def _mask_count(folder: Path) -> Mapping[str, int]:
    counts = np.zeros(256, int)
    for path in (folder / DATA / 'masks/train').iterdir():
        counts += np.bincount(np.array(Image.open(path)).ravel(), minlength=256)
    return dict(zip(('ground', 'circle', 'square', 'triangle'), map(int, counts), strict=False))


def _folder_count(folder: Path) -> Mapping[str, int]:
    endings = ('.jpg', '.jpeg', '.png', '.bmp', '.ppm', '.pgm', '.tif', '.tiff', '.webp')
    return {
        one.name: sum(path.suffix.lower() in endings and not path.is_dir() for path in one.iterdir())
        for one in (folder / DATA / 'train').iterdir()
        if one.is_dir()
    }


def plan_pictures(random: Random, room: Room, bases: Bases) -> Plan:
    """One of the pictures is not what it was; a package looks at all, or a config's data are checked."""
    task = bases.one_of([BOXES, MASKS, FOLDERS], random)
    bases.put(task, room, DATA)
    photos = [path for path in _photos(room.here / DATA) if 'val' in path.parts]
    if random.random() < 0.7:
        bases.put(task, room, PACKAGE)
        (room.here / 'photos').mkdir()
        for path in photos:
            path.rename(room.here / 'photos' / path.name)
        path = random.choice(sorted((room.here / 'photos').iterdir()))
        what = spoiled(path, random)
        measure = same_predictions('found', _expected(task, bases), [path.name])
        return Plan(f'{task}: {what}', [PREDICT], [path.name], ('found', 'found/*'), measure=measure)
    bases.put(task, room, CONFIG)
    path = random.choice([one for one in _photos(room.here / DATA) if 'train' in one.parts])
    what = spoiled(path, random)
    commands = [CHECK, TRAIN] if random.random() < 0.5 else [CHECK]
    outputs = ('looked*', REPORT, *LOGGED)
    return Plan(f'{task}: {what}', commands, [path.name], outputs, outputs, readable, agreed=True)


def _photos(data: Path) -> list[Path]:
    """The pictures of a set, without its masks."""
    files = sorted(path for path in data.rglob('*') if path.suffix in PICTURES)
    return [path for path in files if 'masks' not in path.relative_to(data).parts]


def _expected(task: str, bases: Bases) -> Path:
    """The predictions of unchanged pictures."""
    return bases.get(task, EXPECTED) / 'predictions.json'


def spoiled(path: Path, random: Random) -> str:
    """Change a picture; says how."""
    data = path.read_bytes()
    kind = random.choice(['bytes'] * 4 + list(SPOILED))
    if kind == 'bytes':
        kind, data = damaged(data, random)
        path.write_bytes(data)
    else:
        SPOILED[kind](path)
    return f'{path.name}: {kind}'


def _saved_as(form: str, mode: str = 'RGB', **options: Any) -> Any:
    def save(path: Path) -> None:
        Image.open(path).convert(mode).save(path, form, **options)

    return save


def _rotated(path: Path) -> None:
    picture = Image.open(path).convert('RGB').resize((60, 44))
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: a quarter turn
    picture.save(path, 'JPEG', exif=exif)


def _giant(path: Path) -> None:
    data = bytearray(path.read_bytes())
    if data[:4] == b'\x89PNG':
        data[16:24] = struct.pack('>II', 60000, 60000)
    path.write_bytes(bytes(data))


def _linked(path: Path) -> None:
    path.unlink()
    path.symlink_to('nowhere.png')


def _piped(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


SPOILED: dict[str, Any] = {
    'empty': lambda path: path.write_bytes(b''),
    'a text': lambda path: path.write_text('<html>404</html>'),
    'a gif': _saved_as('GIF', 'P'),
    'a bmp': _saved_as('BMP'),
    'a tiff': _saved_as('TIFF'),
    'a webp': _saved_as('WEBP'),
    'grey': _saved_as('PNG', 'L'),
    'one bit': _saved_as('PNG', '1'),
    '16 bit': lambda path: Image.fromarray(np.full((64, 64), 40000, np.uint16)).save(path, 'PNG'),
    'with alpha': _saved_as('PNG', 'RGBA'),
    'with a palette': _saved_as('PNG', 'P'),
    'cmyk': _saved_as('JPEG', 'CMYK'),
    'rotated by exif': _rotated,
    'one pixel': lambda path: Image.new('RGB', (1, 1)).save(path, 'PNG'),
    'a line': lambda path: Image.new('RGB', (3000, 1)).save(path, 'PNG'),
    'a giant by its header': _giant,
    'a link to nothing': _linked,
    'a pipe': _piped,
}
