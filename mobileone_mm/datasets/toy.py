"""Small data sets of drawn shapes, reproducible from a seed: enough to train, test and export without a download.

A picture is drawn once as a `Scene`, pixels and who owns each pixel; a data set format only writes scenes down.
Letters: S the picture's side in pixels, K its number of shapes.
"""

import colorsys
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mobileone_mm.atomic import Kind, replacing
from mobileone_mm.datasets.toy_options import ToyOptions
from mobileone_mm.outputs import MARKER, is_marked, mark_folder
from mobileone_mm.pictures.reading import channels_swapped

HUES = {
    'circle': 0.02,
    'square': 0.36,
    'triangle': 0.62,
}  # of 1, far apart on the colour circle
CORNERS = {'square': 4, 'triangle': 3}
CLASSES = tuple(HUES)
MASK_CLASSES = ('ground', *CLASSES)  # by their ids in a mask
SPLITS = ('train', 'val')
HUE_JITTER = 0.05  # of 1, either way
SMALLEST, LARGEST = (
    0.15,
    0.5,
)  # longer side of a shape, of the picture's side: 24 and 80 px at 160
MOST_SHAPES = 4
EMPTY_SHARE = 0.05  # of the pictures show no shape, as in real sets
MOST_HIDDEN = 0.4  # of a shape's area may lie under shapes drawn later
PLACEMENTS = 20  # tries before a shape that finds no room is left out
GRAIN = 10.0  # standard deviation of the noise, grey levels
DESCRIPTION = 'drawn shapes (mobileone_mm.datasets.toy)'
MARK = 'drawn shapes'  # what a folder of ours is marked with
INFO = 'info.json'  # of a set with masks: how it was drawn, and so which files it has


@dataclass(frozen=True)
class Scene:
    """One drawn picture.

    Attributes:
        image_rgb: (S, S, 3) uint8.
        owners: (S, S) uint8; 0 is ground, i is a visible pixel of shape i - 1.
        labels: K indices into `CLASSES`, in drawing order: later shapes lie on top.
    """

    image_rgb: NDArray[np.uint8]
    owners: NDArray[np.uint8]
    labels: tuple[int, ...]


def draw_scene(rng: np.random.Generator, side: int) -> Scene:
    """Draw up to `MOST_SHAPES` overlapping shapes on a noisy ground of `side` x `side` pixels."""
    image = np.full((side, side, 3), rng.uniform(60, 200)) + rng.uniform(-10, 10, 3)
    owners = np.zeros((side, side), np.uint8)
    areas: list[int] = []
    labels: list[int] = []
    wanted = 0 if rng.random() < EMPTY_SHARE else int(rng.integers(1, MOST_SHAPES + 1))
    for _ in range(wanted):
        label = int(rng.integers(len(CLASSES)))
        pixels = _place(rng, CLASSES[label], owners, areas)
        if pixels is None:
            continue
        labels.append(label)
        areas.append(int(pixels.sum()))
        owners[pixels] = len(labels)
        image[pixels] = _colour(rng, CLASSES[label])
    image += rng.normal(0, GRAIN, (side, side, 1))
    return Scene(image.clip(0, 255).astype(np.uint8), owners, tuple(labels))


def visible_boxes(scene: Scene) -> NDArray[np.int64]:
    """The tight box of what is visible of each shape, hidden parts left out: (K, 4) x, y, width, height in pixels."""
    boxes = np.zeros((len(scene.labels), 4), np.int64)
    for index in range(len(scene.labels)):
        ys, xs = np.nonzero(scene.owners == index + 1)
        boxes[index] = xs.min(), ys.min(), np.ptp(xs) + 1, np.ptp(ys) + 1
    return boxes


def shape_mask(name: str, side: int, angle: float) -> NDArray[np.bool_]:
    """A shape turned by `angle` (radians), (side, side), centred, the longer side of its box filling the square."""
    axis = (np.arange(side) + 0.5) / side * 2 - 1
    x, y = np.meshgrid(axis, axis)
    if name == 'circle':
        return np.asarray(x * x + y * y <= 1)
    turns = angle + np.arange(CORNERS[name]) / CORNERS[name] * 2 * np.pi
    corners = np.stack([np.cos(turns), np.sin(turns)], axis=1)
    low, high = corners.min(axis=0), corners.max(axis=0)
    corners = (corners - (low + high) / 2) * 2 / (high - low).max()
    inside = np.ones((side, side), np.bool_)
    for (ax, ay), (bx, by) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        inside &= (bx - ax) * (y - ay) >= (by - ay) * (x - ax)
    return inside


def class_mask(scene: Scene) -> NDArray[np.uint8]:
    """The class of each pixel, an index into `MASK_CLASSES`: (S, S)."""
    ids = np.array([0, *(label + 1 for label in scene.labels)], np.uint8)
    return ids[scene.owners]


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
                _write_png(images / _file_name(number), channels_swapped(scene.image_rgb))
                _write_png(masks / _file_name(number), class_mask(scene))
                shapes[split] += len(scene.labels)
    return shapes


def _scenes(split: str, options: ToyOptions) -> Iterator[Scene]:
    # A generator for each picture: picture 7 stays the same however many are asked for.
    for index in range(_counts(options)[split]):
        yield draw_scene(np.random.default_rng([options.seed, SPLITS.index(split), index]), options.size)


def _counts(options: ToyOptions) -> dict[str, int]:
    return dict(zip(SPLITS, (options.images, options.val), strict=True))


def _info(options: ToyOptions) -> dict[str, Any]:
    return {'description': DESCRIPTION, **asdict(options)}


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder


def _file_name(number: int) -> str:
    return f'{number:06}.png'


def _write_png(path: Path, pixels: NDArray[Any]) -> None:
    done, data = cv2.imencode(path.suffix, pixels)
    if not done:
        raise OSError(f'{path}: cannot be written')
    path.write_bytes(data.tobytes())  # OpenCV's own writing of a name that is no UTF-8 ends the process


def _write_split(scenes: Iterator[Scene], folder: Path, options: ToyOptions) -> Mapping[str, Any]:
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for image_id, scene in enumerate(scenes, 1):
        name = _file_name(image_id)
        _write_png(folder / name, channels_swapped(scene.image_rgb))
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


def _place(
    rng: np.random.Generator, name: str, owners: NDArray[np.uint8], areas: list[int]
) -> NDArray[np.bool_] | None:
    side = len(owners)
    for _ in range(PLACEMENTS):
        extent = round(side * rng.uniform(SMALLEST, LARGEST))
        x, y = rng.integers(side - extent + 1, size=2)
        pixels = np.zeros(owners.shape, np.bool_)
        pixels[y : y + extent, x : x + extent] = shape_mask(name, extent, rng.uniform(0, 2 * np.pi))
        visible = np.bincount(owners[~pixels], minlength=len(areas) + 1)[1:]
        if (visible >= (1 - MOST_HIDDEN) * np.array(areas)).all():
            return pixels
    return None


def _colour(rng: np.random.Generator, name: str) -> NDArray[np.float64]:
    hue = HUES[name] + rng.uniform(-HUE_JITTER, HUE_JITTER)
    return np.array(colorsys.hsv_to_rgb(hue % 1, rng.uniform(0.65, 1), rng.uniform(0.6, 1))) * 255


def _is_ours(folder: Path) -> bool:
    """Whether a folder is marked as a set, and holds nothing that was not written with it."""
    if not is_marked(MARK, folder):
        return False
    written = {MARKER, *(_files_with_masks(folder) if (folder / INFO).exists() else _files_of_coco(folder))}
    return {path.relative_to(folder).as_posix() for path in folder.rglob('*') if not path.is_dir()} <= written


def _files_of_coco(folder: Path) -> Iterator[str]:
    for split in SPLITS:
        yield f'annotations/{split}.json'
        content = json.loads((folder / 'annotations' / f'{split}.json').read_text())
        yield from (f'images/{split}/{image["file_name"]}' for image in content['images'])


def _files_with_masks(folder: Path) -> Iterator[str]:
    yield INFO
    info = json.loads((folder / INFO).read_text())
    for split, count in zip(SPLITS, (info['images'], info['val']), strict=True):
        for number in range(1, count + 1):
            yield from (f'{kind}/{split}/{_file_name(number)}' for kind in ('images', 'masks'))


SET = Kind('a set of drawn shapes', _is_ours, folder=True)
