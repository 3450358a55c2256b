"""The demo of segmentation."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mobileone_mm.demo.demo import DATA, FOUND, Demo
from mobileone_mm.demo.sheet import COUNT, PANEL, write_sheet
from mobileone_mm.demo.steps import FOLDER
from mobileone_mm.pictures.colours import distinct_colours
from mobileone_mm.pictures.drawing import resized
from mobileone_mm.pictures.labels import draw_labels
from mobileone_mm.pictures.reading import Picture, read_picture

CLASSES = ('ground', 'circle', 'square', 'triangle')


def mask_pairs(
    masks: Path, predictions: Path, images: Path, names: Sequence[str], count: int = COUNT
) -> list[tuple[Picture, Picture]]:
    """The first `count` pictures of a folder under their masks, and under the classes that were found.

    Args:
        masks: folder of the masks, PNG files named as the pictures.
        predictions: folder of such files again: what mmseg's IoUMetric writes with `output_dir`.
        images: folder of the pictures.
        names: of the classes, by their ids.
        count: how many pairs.

    Raises:
        DataError: a picture cannot be read.
    """
    pairs = []
    for path in sorted(images.iterdir())[:count]:
        image, name = read_picture(path), f'{path.stem}.png'
        left, right = (draw_classes(image, _ids(folder / name), names) for folder in (masks, predictions))
        pairs.append((left, right))
    return pairs


def draw_classes(picture: Picture, ids: NDArray[np.uint8], names: Sequence[str]) -> Picture:
    """A copy of the picture under the colours of its classes, each named, its longer side `PANEL`.

    Args:
        picture: (H, W, 3).
        ids: (H, W) indices of the classes.
        names: of the classes.
    """
    canvas = resized(picture, PANEL)
    size = (canvas.shape[1], canvas.shape[0])
    labels = np.asarray(cv2.resize(ids, size, interpolation=cv2.INTER_NEAREST), np.uint8)
    return draw_labels(canvas, labels, distinct_colours(len(names)), names)


def _ids(path: Path) -> NDArray[np.uint8]:
    with Image.open(path) as mask:
        return np.array(mask, np.uint8)


def _draw(out: Path, folder: Path) -> None:
    pairs = mask_pairs(folder / DATA / 'masks/val', folder / FOUND, folder / DATA / 'images/val', CLASSES)
    write_sheet(out, pairs, 'left: truth   right: found by the trained model')


def _truth(folder: Path) -> str:
    return f'{sum(_ids(path).size for path in (folder / DATA / "masks/val").iterdir()):,} pixels'


def _agreed(total: Mapping[str, Any]) -> str:
    share = 100 * total['agreeing'] / total['pixels']
    return f'{total["agreeing"]:,} of {total["pixels"]:,} pixels of the package agree with the model ({share:.3f} %)'


SEGMENTATION = Demo(
    noun='segmenter',
    model='a small DeepLabV3',
    config='demo_deeplabv3',
    drawing='--masks --images 400 --val 60',
    testing=f' --cfg-options test_evaluator.output_dir={FOLDER}/{FOUND}',
    pictures=f'{FOLDER}/{DATA}/images/val',
    metrics={'mIoU': 'mIoU', 'pixel accuracy': 'aAcc'},
    classes=CLASSES,
    own=('--classes', ','.join(CLASSES)),
    truth=_truth,
    agreed=_agreed,
    interest=lambda entry: len(entry['classes']),
    shown='A validation picture with the most classes; all of them are in [predictions](predictions). Pixels that '
    'differ are marked in red: specks at the edges of shapes, where two classes have nearly the same logit and '
    'rounding decides between them.',
    draw=_draw,
)
