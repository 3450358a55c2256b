"""The boxes that a data set trains on, at the size that its pipeline gives the network."""

from dataclasses import dataclass
from typing import Any

import mmcv
import numpy as np
from numpy.typing import NDArray

from mobileone_mm.datasets.transforms.one_warp import steps_of
from mobileone_mm.setup.anchors import Floats

MOST_PICTURES = 4000  # that are looked at, evenly spread over the set: it takes a second, and shares change no more


@dataclass(frozen=True)
class Resize:
    """How a pipeline brings pictures to the network's size.

    Attributes:
        size: (width, height) in px that it is given.
        keep_ratio: whether a picture keeps its shape, and is as large as fits.
    """

    size: tuple[int, int]
    keep_ratio: bool = False


@dataclass(frozen=True)
class Boxes:
    """Boxes of a set, in px of their pictures.

    Attributes:
        xyxy: (N, 4).
        labels: (N,) of their classes.
        sizes: (N, 2) width and height of each one's picture.
        classes: their names, in the order of the labels.
        pictures: how many were looked at.
        picture_sizes: (pictures, 2).
    """

    xyxy: Floats
    labels: NDArray[np.int64]
    sizes: Floats
    classes: tuple[str, ...]
    pictures: int
    picture_sizes: Floats

    def at(self, resize: Resize) -> Floats:
        """(N, 4) the boxes in px of the network's input, as they are without crops and other changes by chance."""
        zooms = np.array(resize.size) / self.sizes
        if resize.keep_ratio:
            zooms = np.array([[mmcv.rescale_size(size, resize.size, return_scale=True)[1]] * 2 for size in self.sizes])
        scaled: Floats = self.xyxy * np.tile(zooms.reshape(-1, 2), 2)
        return scaled


def boxes_of(dataset: Any, most: int = MOST_PICTURES) -> Boxes:
    """The boxes of a detector's data set, without those that no loss uses.

    Args:
        dataset: of mmdet, read, with whatever is wrapped around it.
        most: number of pictures that are looked at.
    """
    count = len(dataset)
    xyxy, labels, sizes, pictures = [], [], [], []
    for index in np.unique(np.linspace(0, count - 1, min(count, most)).astype(int)).tolist():
        info = dataset.get_data_info(index)
        size = (info.get('width', 0), info.get('height', 0))
        pictures.append(size)
        for one in info.get('instances', ()):
            if not one.get('ignore_flag') and min(size) > 0:
                xyxy.append(one['bbox'])
                labels.append(one['bbox_label'])
                sizes.append(size)
    boxes = np.array(xyxy, np.float64).reshape(-1, 4)
    sound = (boxes[:, 2:] > boxes[:, :2]).all(axis=1)
    return Boxes(
        boxes[sound],
        np.array(labels, np.int64)[sound],
        np.array(sizes, np.float64).reshape(-1, 2)[sound],
        tuple(dataset.metainfo['classes']),
        len(pictures),
        np.array(pictures, np.float64).reshape(-1, 2),
    )


def resize_of(dataset: Any) -> Resize | None:
    """The last resizing of a data set's pipeline to one size; None where it has none."""
    while not hasattr(dataset, 'pipeline'):
        inner = getattr(dataset, 'datasets', None)
        dataset = inner[0] if inner else getattr(dataset, 'dataset', None)
        if dataset is None:
            return None
    for step in reversed(steps_of(dataset.pipeline)):
        size = getattr(step, 'scale', None)
        if isinstance(size, tuple) and len(size) == 2 and all(isinstance(side, int) for side in size):
            return Resize(size, bool(getattr(step, 'keep_ratio', False)))
    return None
