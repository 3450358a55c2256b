"""Small data sets of drawn shapes, reproducible from a seed: enough to train, test and export without a download.

What is on a picture is drawn elsewhere; a data set format only writes it down.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mobileone_mm.atomic import Kind, replacing
from mobileone_mm.datasets.toy_options import ToyOptions
from mobileone_mm.datasets.toy_shapes import (
    CLASSES,
    MASK_CLASSES,
    Scene,
    class_mask,
    draw_alone,
    draw_scene,
    visible_boxes,
)
from mobileone_mm.errors import UsageError
from mobileone_mm.outputs import MARKER, is_marked, mark_folder
from mobileone_mm.pictures.reading import channels_swapped

DESCRIPTION = 'drawn shapes (mobileone_mm.datasets.toy)'
MARK = 'drawn shapes'  # what a folder of ours is marked with
INFO = 'info.json'  # of a set without annotation files: how it was drawn, and so which files it has
FOLDERS = 'folders'  # there: the classes that have one each, where there are no masks
SPLITS = ('train', 'val')


def write_coco(out: str | Path, options: ToyOptions) -> dict[str, int]:
    """Write `annotations/{train,val}.json` and `images/{train,val}/*.png` under `out`; count the boxes of each split.

    Raises:
        UsageError: `out` is a file, or holds something that no function here wrote.
    """
    boxes = {}
    with replacing(Path(out), SET) as fresh:
        (fresh / 'annotations').mkdir(parents=True)
        mark_folder(fresh, MARK)
        for split in SPLITS:
            folder = _made(fresh / 'images' / split)
            content = _write_split(_scenes(split, options), folder, options)
            boxes[split] = len(content['annotations'])
            (fresh / 'annotations' / f'{split}.json').write_text(json.dumps(content))
    return boxes


def write_masks(out: str | Path, options: ToyOptions) -> dict[str, int]:
    """Write the same pictures to `images/{train,val}` and their masks to `masks/{train,val}`; count the shapes.

    Raises:
        UsageError: `out` is a file, or holds something that no function here wrote.
    """
    shapes = dict.fromkeys(SPLITS, 0)
    with replacing(Path(out), SET) as fresh:
        fresh.mkdir()
        mark_folder(fresh, MARK)
        (fresh / INFO).write_text(json.dumps({**_info(options), 'classes': MASK_CLASSES}))
        for split in SPLITS:
            images, masks = (_made(fresh / name / split) for name in ('images', 'masks'))
            for number, scene in enumerate(_scenes(split, options), 1):
                _write(images / _file_name(number), channels_swapped(scene.image_rgb))
                _write(masks / _file_name(number), class_mask(scene))
                shapes[split] += len(scene.labels)
    return shapes


def write_class_folders(out: str | Path, options: ToyOptions) -> dict[str, int]:
    """Write pictures of one shape each to `{train,val}/CLASS/*.jpg`, the classes in turn; count those of each split.

    Raises:
        UsageError: a class would have no picture, or `out` is a file, or holds something that no function here wrote.
    """
    for name, count in (('images', options.images), ('val', options.val)):
        if count < len(CLASSES):
            raise UsageError(f'`{name}`: {count} given, expected {len(CLASSES)} or more, one of each class')
    with replacing(Path(out), SET) as fresh:
        fresh.mkdir()
        mark_folder(fresh, MARK)
        (fresh / INFO).write_text(json.dumps({**_info(options), FOLDERS: CLASSES}))
        for split in SPLITS:
            for name in CLASSES:
                _made(fresh / split / name)
            for number, rng in enumerate(_chances(split, options), 1):
                image = draw_alone(rng, (number - 1) % len(CLASSES), options.size)
                _write(fresh / _in_folder(split, number, CLASSES), channels_swapped(image))
    return _counts(options)


def _scenes(split: str, options: ToyOptions) -> Iterator[Scene]:
    return (draw_scene(rng, options.size) for rng in _chances(split, options))


def _chances(split: str, options: ToyOptions) -> Iterator[np.random.Generator]:
    # A generator for each picture: picture 7 stays the same however many are asked for.
    for index in range(_counts(options)[split]):
        yield np.random.default_rng([options.seed, SPLITS.index(split), index])


def _counts(options: ToyOptions) -> dict[str, int]:
    return dict(zip(SPLITS, (options.images, options.val), strict=True))


def _info(options: ToyOptions) -> dict[str, Any]:
    return {'description': DESCRIPTION, **asdict(options)}


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder


def _file_name(number: int) -> str:
    return f'{number:06}.png'


def _in_folder(split: str, number: int, folders: Sequence[str]) -> str:
    return f'{split}/{folders[(number - 1) % len(folders)]}/{number:06}.jpg'


def _write(path: Path, pixels: NDArray[Any]) -> None:
    done, data = cv2.imencode(path.suffix, pixels)
    if not done:
        raise OSError(f'{path}: cannot be written')
    path.write_bytes(data.tobytes())  # OpenCV's own writing of a name that is no UTF-8 ends the process


def _write_split(scenes: Iterator[Scene], folder: Path, options: ToyOptions) -> Mapping[str, Any]:
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for image_id, scene in enumerate(scenes, 1):
        name = _file_name(image_id)
        _write(folder / name, channels_swapped(scene.image_rgb))
        images.append(
            {
                'id': image_id,
                'file_name': name,
                'width': options.size,
                'height': options.size,
            }
        )
        for index, (label, box) in enumerate(zip(scene.labels, visible_boxes(scene).tolist(), strict=True), 1):
            area = int((scene.owners == index).sum())
            annotations.append(
                {
                    'id': len(annotations) + 1,
                    'image_id': image_id,
                    'category_id': label + 1,
                    'bbox': box,
                    'area': area,
                    'iscrowd': 0,
                }
            )
    categories = [{'id': index, 'name': name} for index, name in enumerate(CLASSES, 1)]
    return {
        'info': _info(options),
        'images': images,
        'annotations': annotations,
        'categories': categories,
    }


def _is_ours(folder: Path) -> bool:
    """Whether a folder is marked as a set, and holds nothing that was not written with it."""
    if not is_marked(MARK, folder):
        return False
    written = {MARKER, *(_files_of_info(folder) if (folder / INFO).exists() else _files_of_coco(folder))}
    return {path.relative_to(folder).as_posix() for path in folder.rglob('*') if not path.is_dir()} <= written


def _files_of_coco(folder: Path) -> Iterator[str]:
    for split in SPLITS:
        yield f'annotations/{split}.json'
        content = json.loads((folder / 'annotations' / f'{split}.json').read_text())
        yield from (f'images/{split}/{image["file_name"]}' for image in content['images'])


def _files_of_info(folder: Path) -> Iterator[str]:
    yield INFO
    info = json.loads((folder / INFO).read_text())
    for split, count in zip(SPLITS, (info['images'], info['val']), strict=True):
        for number in range(1, count + 1):
            if FOLDERS in info:
                yield _in_folder(split, number, info[FOLDERS])
            else:
                yield from (f'{kind}/{split}/{_file_name(number)}' for kind in ('images', 'masks'))


SET = Kind('a set of drawn shapes', _is_ours, folder=True)
