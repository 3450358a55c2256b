"""Folders of own data in the layouts that people have, small and drawn by the tests, and configs written for them."""

import json
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from mobileone_mm.setup.proposal import Proposal

SIZE = (96, 64)  # width, height in px of a picture
CLASSES = ('cat', 'dog')

TINY = (
    'dict(_delete_=True, num_blocks=[1] * 4, width_factor=[0.125] * 4, num_conv_branches=[1] * 4, '
    'num_se_blocks=[0] * 4)'
)

Box = tuple[str, int, int, int, int]  # class, x1, y1, x2, y2 in px


def picture(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).integers(0, 256, (SIZE[1], SIZE[0], 3), np.uint8)
    Image.fromarray(noise).save(path)


def boxes_on(seed: int, side: int, count: int = 4) -> list[Box]:
    """Squares of nearly a side, of both classes in turn."""
    generator = np.random.default_rng(seed)
    found = []
    for index in range(count):
        width, height = generator.integers(side - 1, side + 2, 2).tolist()
        left = int(generator.integers(1, SIZE[0] - width))
        top = int(generator.integers(1, SIZE[1] - height))
        found.append((CLASSES[index % 2], left, top, left + width, top + height))
    return found


def write_coco(
    root: Path,
    files: Sequence[str] = ('annotations/instances_train.json', 'annotations/instances_val.json'),
    folders: Sequence[str] = ('train', 'val'),
    side: int = 20,
    counts: Sequence[int] = (8, 2),
    categories: Sequence[str] = CLASSES,
) -> Path:
    """A set in COCO format; categories are numbered from 3 on, as ids need not begin with 1."""
    for part, (file, folder, count) in enumerate(zip(files, folders, counts, strict=True)):
        content: dict[str, list[dict[str, object]]] = {'images': [], 'annotations': [], 'categories': []}
        content['categories'] = [{'id': index, 'name': name} for index, name in enumerate(categories, 3)]
        for index in range(count):
            name = f'{part}{index}.png'
            picture(root / folder / name, 100 * part + index)
            content['images'].append({'id': index, 'file_name': name, 'width': SIZE[0], 'height': SIZE[1]})
            for label, *corners in boxes_on(100 * part + index, side):
                left, top, right, bottom = corners
                box = [left, top, right - left, bottom - top]
                content['annotations'].append(
                    {
                        'id': len(content['annotations']) + 1,
                        'image_id': index,
                        'category_id': 3 + list(categories).index(label),
                        'bbox': box,
                        'area': box[2] * box[3],
                        'iscrowd': 0,
                    }
                )
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_text(json.dumps(content))
    return root


OBJECT = '<object><name>{}</name><bndbox><xmin>{}</xmin><ymin>{}</ymin><xmax>{}</xmax><ymax>{}</ymax></bndbox></object>'


def write_voc(root: Path, side: int = 20, count: int = 8) -> Path:
    """A set in VOC format; six of its pictures are to train on, two for validation."""
    for folder in ('Annotations', 'ImageSets/Main'):
        (root / folder).mkdir(parents=True, exist_ok=True)
    for index in range(count):
        picture(root / 'JPEGImages' / f'{index}.jpg', index)
        objects = ''.join(OBJECT.format(*box) for box in boxes_on(index, side))
        size = f'<size><width>{SIZE[0]}</width><height>{SIZE[1]}</height></size>'
        (root / 'Annotations' / f'{index}.xml').write_text(f'<annotation>{size}{objects}</annotation>')
    for name, stems in (('train', range(6)), ('val', range(6, 8))):
        (root / 'ImageSets/Main' / f'{name}.txt').write_text('\n'.join(map(str, stems)))
    return root


def write_masks(
    root: Path, images: str, masks: str, count: int = 5, ids: Sequence[int] = (0, 1), mode: str = 'L'
) -> Path:
    """Pictures and masks that have the ids from left to right."""
    for index in range(count):
        picture(root / images / f'{index}.jpg', index)
        mask = np.repeat(np.array(ids, np.uint8), -(-SIZE[0] // len(ids)))[: SIZE[0]]
        whole = np.tile(mask, (SIZE[1], 1))
        (root / masks).mkdir(parents=True, exist_ok=True)
        Image.fromarray(whole).convert(mode).save(root / masks / f'{index}.png')
    return root


def written(proposal: Proposal, *more: str, name: str = 'own.py') -> Path:
    path = Path(name)
    path.write_text('\n'.join([proposal.text, *more]))
    return path


def tiny_ssd(proposal: Proposal, name: str = 'own.py', channels: tuple[int, ...] = (16, 32, 64)) -> Path:
    """A detector's config as it is written, on a backbone of a few channels and without weights to download."""
    text = re.sub(r'^channels = .*?  #', f'channels = {channels}  #', proposal.text, flags=re.M)
    lines = [f"model['backbone'].update(arch={TINY}, init_cfg=None)"]
    return written(Proposal(text, (), ()), *lines, name=name)
