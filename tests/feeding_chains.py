"""The hosts' pipelines and ours side by side, on pictures with boxes or masks that tests draw."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.dataset import Compose
from mmengine.registry import init_default_scope
from numpy.typing import NDArray
from PIL import Image

ONE_WARP = 'mobileone_mm.OneWarp'
MEAN = [123.675, 116.28, 103.53]
LOAD = {'type': 'LoadImageFromFile'}
LOAD_BOXES = {'type': 'LoadAnnotations', 'with_bbox': True}
DISTORT = {'type': 'PhotoMetricDistortion'}


def box_chain(side: int = 48, flips: tuple[str, ...] = ('horizontal',), prob: float = 0.5) -> list[dict[str, Any]]:
    """The base config's pipeline for boxes, without its distortion and its packing."""
    return [
        LOAD,
        LOAD_BOXES,
        {'type': 'Expand', 'mean': MEAN, 'to_rgb': True, 'ratio_range': (1, 4), 'prob': prob},
        {'type': 'MinIoURandomCrop', 'min_ious': (0.1, 0.3, 0.5, 0.7, 0.9), 'min_crop_size': 0.3},
        {'type': 'Resize', 'scale': (side, side), 'keep_ratio': False},
        {'type': 'RandomFlip', 'prob': 0.5, 'direction': list(flips)},
    ]


def written_steps(pipeline: Sequence[Any]) -> list[Any]:
    """The transforms of a config's pipeline; those in one warp one by one."""
    return [inner for step in pipeline for inner in (step.transforms if step.type == ONE_WARP else [step])]


@dataclass(frozen=True)
class Pair:
    """A host's pipeline and ours of the same steps; each call draws from the same seed."""

    theirs: Callable[[dict[str, Any]], Any]
    ours: Callable[[dict[str, Any]], Any]

    def __call__(self, info: Callable[[], dict[str, Any]], seed: int) -> tuple[Any, Any]:
        """What both give, after which both have drawn as often."""
        found, drawn = [], []
        for pipeline in (self.theirs, self.ours):
            np.random.seed(seed)
            found.append(pipeline(info()))
            drawn.append(np.random.random_sample())
        assert drawn[0] == drawn[1]
        return found[0], found[1]


def pair(host: str, steps: list[dict[str, Any]]) -> Pair:
    init_default_scope(host)
    return Pair(Compose(steps), Compose([{'type': ONE_WARP, 'transforms': steps}]))


def boxed(path: Path, boxes: NDArray[Any]) -> Callable[[], dict[str, Any]]:
    """What a data set knows of a picture with boxes (N, 4), anew each time."""
    rows = [
        {'bbox': row, 'bbox_label': index, 'ignore_flag': index % 3 == 2} for index, row in enumerate(boxes.tolist())
    ]
    return lambda: {'img_path': str(path), 'img_id': 7, 'instances': [dict(row) for row in rows]}


def masked(path: Path, mask: Path) -> Callable[[], dict[str, Any]]:
    """What a data set knows of a picture with a mask, anew each time."""
    return lambda: {
        'img_path': str(path),
        'seg_map_path': str(mask),
        'label_map': None,
        'reduce_zero_label': False,
        'seg_fields': [],
    }


def smooth(width: int, height: int, seed: int = 0) -> Image.Image:
    """A picture without edges: neighbouring pixels differ by a few levels."""
    coarse = np.random.default_rng(seed).integers(0, 256, (5, 6, 3), np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


def random_boxes(count: int, width: int, height: int, seed: int = 0) -> NDArray[np.float64]:
    """Boxes of all sizes, as annotations have them: with decimals."""
    rng = np.random.default_rng(seed)
    corners = rng.uniform(0, 1, (count, 2, 2)) * (width, height)
    corners.sort(axis=1)
    return np.concatenate([corners[:, 0], corners[:, 1] + 2], axis=1).clip(max=[width, height] * 2).round(2)
