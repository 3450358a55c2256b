"""The pictures that an export is checked on: those that were given, else some of the config's test data."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.config import Config

from mobileone_mm.artifact.inputs import Picture, fitted
from mobileone_mm.errors import DataError, counted
from mobileone_mm.exporter.page_pictures import PICTURE_SIDE
from mobileone_mm.openmmlab.test_data import Samples, open_samples, read_sample
from mobileone_mm.pictures.drawing import resized
from mobileone_mm.pictures.reading import read_picture
from mobileone_mm.pictures.synthetic import drawn_picture
from mobileone_mm.tasks.task import Framed, Task

LOGGER = logging.getLogger(__name__)
COUNT = 4  # pictures of the test data: the forms of the model are compared on each, one of them in float64

DRAWN = 'a drawn picture'


@dataclass(frozen=True)
class Examples:
    """Pictures to check on and to show.

    Attributes:
        names: of the pictures.
        pictures: uint8 RGB (H, W, 3), brought to one size.
        canvases: the same uint8 RGB (H', W', 3), their longer side `PICTURE_SIDE` and not stretched, to draw on.
        truths: what each shows by its annotations, as its task predicts it; None where that is not known.
        source: what they are, in words.
        lacking: why they are no real ones; empty where they are.
    """

    names: tuple[str, ...]
    pictures: tuple[Picture, ...]
    canvases: tuple[Picture, ...]
    truths: tuple[Any, ...]
    source: str
    lacking: str = ''


def examples_of(
    images: Sequence[str | Path], config: Config, task: Task, frame: Framed, samples: Samples | None = None
) -> Examples:
    """The pictures that were given; without any, some of the config's test data, and a drawn one where that fails.

    Args:
        images: files.
        config: with the test data, of which pictures are taken that are spread over it evenly.
        task: of the config's models.
        frame: how pictures are brought to what is exported.
        samples: the test data, where it is open already.

    Raises:
        DataError: a file that was given cannot be read.
    """
    if images:
        return _examples([Path(image) for image in images], frame, [None] * len(images), 'given')
    try:
        return _of_samples(samples or open_samples(config), task, frame)
    except Exception as error:  # of any kind: an export shall not fail for want of its data, nor of its annotations
        why = f'no picture of the test data can be used: {" ".join(str(error).split()) or type(error).__name__}'
        LOGGER.info('checked on a drawn picture, real ones say more (`images`): %s', why)
        drawn = drawn_picture(frame.size)
        return Examples((DRAWN,), (drawn,), (resized(drawn, PICTURE_SIDE),), (None,), DRAWN, why)


def _of_samples(samples: Samples, task: Task, frame: Framed) -> Examples:
    total = len(samples.dataset)
    count = min(COUNT, total)
    if not count:
        raise DataError('there are none')
    paths, truths = [], []
    for index in (place * total // count for place in range(count)):
        entry = samples.dataset.get_data_info(index)
        paths.append(Path(entry['img_path']))
        truths.append(task.look.truth(entry, read_sample(samples, index)['data_samples']))
    return _examples(paths, frame, truths, "of the config's test data")


def _examples(paths: Sequence[Path], frame: Framed, truths: Sequence[Any], what: str) -> Examples:
    pictures, canvases = [], []
    for path in paths:
        picture = read_picture(path)
        pictures.append(fitted(picture, frame.size, frame.crop, frame.resampling))
        canvases.append(resized(picture, PICTURE_SIDE))  # not as it is: of many pictures from a camera, memory is short
    names = tuple(path.name for path in paths)
    return Examples(names, tuple(pictures), tuple(canvases), tuple(truths), f'{counted(len(paths), "picture")} {what}')
