"""What is changed: for each task a drawn set, a config, weights that were trained for an epoch, and what they become.

Each is made once, when it is first asked for, by the commands themselves.
"""

import json
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any
from xml.etree import ElementTree

from hostile.trial import Room, files_in, last_line
from mobileone_mm.training.settings import READ

SIDE = 64  # px
PICTURES = ('--images', '8', '--val', '4', '--size', str(SIDE))
CONFIG, WEIGHTS, FUSED, PACKAGE, ONNX, BACKBONE = (
    'my.py', 'best.pth', 'fused.pth', 'model.mlpackage', 'model.onnx', 'backbone.pth',
)  # fmt: skip
LAST, SECONDS = 'epoch_2.pth', 'seconds'  # of a training of two epochs, and how long that takes
LONG = ('--cfg-options', 'train_cfg.max_epochs=2', 'default_hooks.checkpoint.max_keep_ckpts=1')
DATA, PHOTOS, EXPECTED, EXPECTED_ONNX = 'data', 'photos', 'expected', 'expected_onnx'
ARCH = {
    'num_blocks': [1, 1, 1, 1],
    'width_factor': [0.25, 0.125, 0.125, 0.125],
    'num_conv_branches': [1, 1, 1, 1],
    'num_se_blocks': [0, 0, 0, 0],
}
CHANNELS = (32, 64, 16, 16)  # of the maps that boxes are found on
INPUT = (96, 64)  # px, width and height, of a detector
ANCHORS = {
    'strides': [16, 32, 64, 96],
    'ratios': [[2, 3]] * 4,
    'min_sizes': [16, 32, 48, 64],
    'max_sizes': [32, 48, 64, 96],
}
BOXES, XML, MASKS, FOLDERS = TASKS = ('boxes', 'xml', 'masks', 'folders')
DRAWN = {BOXES: (), XML: (), MASKS: ('--masks',), FOLDERS: ('--class-folders',)}
INIT = {
    BOXES: ('--data', DATA),
    XML: ('--from', 'ssd_mobileone_s0_own_voc', '--data', DATA),
    MASKS: ('--images', f'{DATA}/images', '--masks', f'{DATA}/masks', '--classes', 'ground,circle,square,triangle'),
    FOLDERS: ('--from', 'mobileone_s0_own_classes', '--data', DATA),
}


class Bases:
    """The folders that tries start from.

    Args:
        folder: to make them in.
        tasks: that tries are of.
    """

    def __init__(self, folder: Path, tasks: Sequence[str] = TASKS) -> None:
        self._folder, self._tasks = folder, tasks
        self._runs: dict[tuple[str, ...], tuple[Mapping[str, str], float]] = {}

    def one_of(self, tasks: Sequence[str], random: Random) -> str:
        """One of these tasks that tries are of, else any that they are of."""
        return random.choice([task for task in tasks if task in self._tasks] or list(self._tasks))

    def put(self, task: str, room: Room, *names: str) -> None:
        """Copy what is named of a task's base into a try's folder."""
        for name in names:
            source, target = self.get(task, name), room.here / name
            if source.is_dir():
                shutil.copytree(source, target, symlinks=True)
            else:
                shutil.copyfile(source, target)

    def get(self, task: str, name: str) -> Path:
        """Where something of a task's base lies."""
        path = self._folder / task / 'here' / name
        if not path.exists():
            if not path.parent.exists():
                Room(path.parents[1])
            getattr(self, f'_make_{NAMES[name]}')(task, Room.standing(path.parents[1]))
        return path

    def outputs(self, words: Sequence[str], needs: Sequence[str]) -> Mapping[str, str]:
        """What a command writes that nobody stops, with the SHA-256 of each file."""
        return self._whole_run(tuple(words), tuple(needs))[0]

    def seconds(self, words: Sequence[str]) -> float:
        """How long it took; it has to have been asked for its outputs before."""
        return self._runs[tuple(words)][1]

    def _whole_run(self, words: tuple[str, ...], needs: tuple[str, ...]) -> tuple[Mapping[str, str], float]:
        if words not in self._runs:
            room = Room(self._folder / 'run')
            self.put(BOXES, room, *needs)
            inputs = files_in(room.here)
            ended = room.run(words)
            written = {name: digest for name, digest in files_in(room.here).items() if name not in inputs}
            self._runs[words] = written, ended.seconds
        return self._runs[words]

    def _make_data(self, task: str, room: Room) -> None:
        _run(room, 'toy-data', DATA, *PICTURES, *DRAWN[task])
        if task == XML:
            _as_voc(room.here / DATA)

    def _make_config(self, task: str, room: Room) -> None:
        self.get(task, DATA)
        _run(room, 'init', 'template.py', *INIT[task])
        _run_function(room, lambda: write_config(room.here / CONFIG, tiny(room.here / 'template.py', task)))

    def _make_weights(self, task: str, room: Room) -> None:
        self.get(task, CONFIG)
        _run(room, 'train', CONFIG, '--work-dir', 'trained')
        (last,) = (room.here / 'trained').glob('epoch_1.pth')
        shutil.copyfile(last, room.here / WEIGHTS)

    def _make_last(self, task: str, room: Room) -> None:
        self.get(task, CONFIG)
        start = time.monotonic()
        _run(room, 'train', CONFIG, '--work-dir', 'long', *LONG)
        (room.here / SECONDS).write_text(f'{time.monotonic() - start:.2f}')
        shutil.copyfile(room.here / 'long' / LAST, room.here / LAST)

    def _make_fused(self, task: str, room: Room) -> None:
        self.get(task, WEIGHTS)
        _run(room, 'fuse', CONFIG, WEIGHTS, '--out', FUSED)

    def _make_exported(self, task: str, room: Room, name: str) -> None:
        self.get(task, WEIGHTS)
        _run(room, 'export', CONFIG, WEIGHTS, '--out', name, *(('--nms',) if task == BOXES and name == ONNX else ()))

    def _make_package(self, task: str, room: Room) -> None:
        self._make_exported(task, room, PACKAGE)

    def _make_onnx(self, task: str, room: Room) -> None:
        self._make_exported(task, room, ONNX)

    def _make_expected(self, task: str, room: Room) -> None:
        """What the package finds in the validation pictures."""
        self.get(task, PACKAGE)
        photos = room.here / PHOTOS
        photos.mkdir()
        for path in (room.here / DATA).rglob('*'):
            parts = path.relative_to(room.here).parts
            of_val = 'val' in parts or path.name.startswith('val_')
            if of_val and 'masks' not in parts and path.suffix in ('.png', '.jpg'):
                shutil.copyfile(path, photos / path.name)
        _run(room, 'predict', PACKAGE, PHOTOS, '--out', EXPECTED)

    def _make_expected_onnx(self, task: str, room: Room) -> None:
        """What the ONNX file finds in them."""
        self.get(task, EXPECTED)
        self.get(task, ONNX)
        _run(room, 'predict', ONNX, PHOTOS, '--out', EXPECTED_ONNX)

    def _make_backbone(self, task: str, room: Room) -> None:
        def save() -> None:
            from mobileone_mm.models.backbones.mobileone import MobileOne
            from mobileone_mm.weights.checkpoint import save_checkpoint

            save_checkpoint(room.here / BACKBONE, MobileOne(arch=ARCH).state_dict(), None)

        _run_function(room, save)


NAMES = {
    DATA: 'data', CONFIG: 'config', WEIGHTS: 'weights', FUSED: 'fused', 'fused.py': 'fused', PACKAGE: 'package',
    ONNX: 'onnx', BACKBONE: 'backbone', EXPECTED: 'expected', PHOTOS: 'expected',
    EXPECTED_ONNX: 'expected_onnx', LAST: 'last', SECONDS: 'last',
}  # fmt: skip


def _run(room: Room, *words: str) -> None:
    ended = room.run(words)
    if ended.status != 0:
        raise SystemExit(f'what tries start from cannot be made: {" ".join(words)}: {last_line(ended)}')


def _run_function(room: Room, function: Callable[[], object]) -> None:
    ended = room.call(function)
    if ended.status != 0:
        raise SystemExit(f'what tries start from cannot be made: {ended.err}')


def tiny(template: Path, task: str) -> dict[str, Any]:
    """The values of a config for own data, with a net and pictures so small that an epoch takes a second."""
    from mmengine.config import Config

    config = Config.fromfile(template).to_dict()
    model = config['model']
    model['backbone'] |= {'arch': ARCH, 'init_cfg': None}
    if task in (BOXES, XML):
        steps = {'level_strides': (2, 2), 'level_paddings': (1, 1)}
        model['neck'] |= {'in_channels': CHANNELS[:2], 'out_channels': CHANNELS, **steps}
        model['bbox_head'] |= {'in_channels': CHANNELS}
        model['bbox_head']['anchor_generator'] |= ANCHORS
    elif task == MASKS:
        model['decode_head'] |= {'in_channels': 64, 'channels': 16, 'c1_in_channels': 16, 'c1_channels': 8}
        model['auxiliary_head'] |= {'in_channels': 32, 'channels': 8}
        model['data_preprocessor']['size'] = (SIDE, SIDE)
    else:
        model['head'] |= {'in_channels': 64}
        model.pop('train_cfg', None)
    for part in ('train', 'val', 'test'):
        loader = config[f'{part}_dataloader']
        loader |= {'num_workers': 0, 'persistent_workers': False, 'batch_size': 4}
        for step in loader['dataset']['pipeline']:
            _shrink(step, task)
    config['train_cfg'] |= {'max_epochs': 1, 'val_interval': 1}
    config['randomness'] = {'seed': 0}
    return {key: value for key, value in config.items() if key in READ}


def _shrink(step: dict[str, Any], task: str) -> None:
    """Small pictures in a step of a pipeline."""
    for inner in step.get('transforms', ()):
        _shrink(inner, task)
    if task in (BOXES, XML):
        if step['type'] == 'Resize':
            step['scale'] = INPUT
        return
    for key, whole in (('scale', SIDE + 8), ('crop_size', SIDE), ('scales', None), ('max_size', 2 * SIDE)):
        if key not in step:
            continue
        value = step[key]
        step[key] = [48, 64, 80] if key == 'scales' else (SIDE, SIDE) if isinstance(value, tuple | list) else whole


def write_config(path: Path, values: dict[str, Any]) -> None:
    """A config as Python lines, each value written out."""
    path.write_text(''.join(f'{key} = {written(value)}\n' for key, value in values.items()), encoding='utf-8')


def written(value: Any) -> str:
    """A value as Python reads it again, infinity and NaN too."""
    if isinstance(value, float) and not abs(value) < float('inf'):
        return f"float('{value}')"
    if isinstance(value, dict):
        return '{' + ', '.join(f'{key!r}: {written(one)}' for key, one in value.items()) + '}'
    if isinstance(value, list | tuple):
        inside = ', '.join(map(written, value))
        return f'[{inside}]' if isinstance(value, list) else f'({inside},)' if value else '()'
    return repr(value)


def _as_voc(data: Path) -> None:
    """The same set in VOC's layout."""
    for folder in ('Annotations', 'JPEGImages', 'ImageSets/Main'):
        (data / folder).mkdir(parents=True)
    for split in ('train', 'val'):
        content = json.loads((data / f'annotations/{split}.json').read_text())
        names = {one['id']: one['name'] for one in content['categories']}
        stems = []
        for image in content['images']:
            stem = f'{split}_{Path(image["file_name"]).stem}'
            stems.append(stem)
            boxes = [one for one in content['annotations'] if one['image_id'] == image['id']]
            shutil.copyfile(data / f'images/{split}' / image['file_name'], data / f'JPEGImages/{stem}.png')
            tree = voc_tree(
                f'{stem}.png', (image['width'], image['height']), [(names[b['category_id']], b['bbox']) for b in boxes]
            )
            tree.write(data / f'Annotations/{stem}.xml')
        (data / f'ImageSets/Main/{split}.txt').write_text('\n'.join(stems) + '\n')
    shutil.rmtree(data / 'annotations')
    shutil.rmtree(data / 'images')
    (data / '.mobileone_mm').unlink(missing_ok=True)


def voc_tree(
    name: str, size: tuple[int, int], boxes: Sequence[tuple[str, Sequence[float]]]
) -> 'ElementTree.ElementTree':
    """An XML file of VOC: boxes as a class and x, y, width, height in px from 0."""
    root = ElementTree.Element('annotation')
    ElementTree.SubElement(root, 'filename').text = name
    place = ElementTree.SubElement(root, 'size')
    for key, value in zip(('width', 'height', 'depth'), (*size, 3), strict=True):
        ElementTree.SubElement(place, key).text = str(value)
    for label, (left, top, width, height) in boxes:
        one = ElementTree.SubElement(root, 'object')
        ElementTree.SubElement(one, 'name').text = label
        ElementTree.SubElement(one, 'difficult').text = '0'
        box = ElementTree.SubElement(one, 'bndbox')
        values = (left + 1, top + 1, left + width, top + height)
        for key, number in zip(('xmin', 'ymin', 'xmax', 'ymax'), values, strict=True):
            ElementTree.SubElement(box, key).text = str(round(number))
    return ElementTree.ElementTree(root)
