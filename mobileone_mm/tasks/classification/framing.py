"""How a picture of any size becomes what an exported classifier takes, by the config's test pipeline."""

import copy
import logging
from dataclasses import dataclass
from typing import Any

from mmengine.config import Config

from mobileone_mm.artifact.card import CENTER_CROP, Card
from mobileone_mm.errors import UsageError
from mobileone_mm.openmmlab.inputs import input_size_of
from mobileone_mm.openmmlab.test_data import Samples, open_samples, test_dataset
from mobileone_mm.tasks.classification.options import YES, ClassificationOptions, FramedOptions
from mobileone_mm.tasks.task import Framed, Size

LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True)
class CentreCrop:
    """How a test pipeline brings pictures of any size to one, their aspect ratio kept.

    Attributes:
        short: px of the shorter side after the resize.
        side: px of the square that is then cut out of the middle.
    """

    short: int
    side: int


def centre_crop_of(config: Config) -> CentreCrop | None:
    """What the config's test pipeline cuts out of the middle; None where it cuts no square out after such a resize."""
    resize, cut = _centre_crop_steps(config)
    if resize is None or cut is None or resize.get('edge', 'short') != 'short':
        return None
    side = cut.get('crop_size')
    if isinstance(side, tuple | list) and len(side) == 2 and side[0] == side[1]:
        side = side[0]
    return CentreCrop(int(resize['scale']), side) if isinstance(side, int) else None


def _centre_crop_steps(config: Config) -> tuple[Any, Any]:
    pipeline = (test_dataset(config) or {}).get('pipeline', ())
    steps = {str(step.get('type')).rpartition('.')[2]: step for step in pipeline}
    return steps.get('ResizeEdge'), steps.get('CenterCrop')


def samples_for(samples: Samples, card: Card) -> Samples | None:
    """The same test data as pictures that an export takes, the shorter side whole; None where the test gives them.

    Raises:
        ConfigError, DataError: as `open_samples`.
    """
    crop, side = centre_crop_of(samples.config), card.input_size[0]
    if crop is None or card.crop != CENTER_CROP or crop == CentreCrop(side, side):
        return None
    if crop.side < crop.short and card.settings['crop_inside'] is None:
        LOGGER.info(
            'note: the export sees the shorter side of each picture whole, the model in its own test %d of %d px of it',
            crop.side,
            crop.short,
        )
    config = copy.deepcopy(samples.config)
    resize, cut = _centre_crop_steps(config)
    resize['scale'] = cut['crop_size'] = side
    return open_samples(config, samples.count)


def framed(options: ClassificationOptions, config: Config, size: Size | None) -> Framed:
    """The options for a config, and how pictures are brought to what the export takes: of `size`, where it is given.

    A pipeline that resizes the short side and cuts a square out of the middle gives a square picture whose short side
    is that of the picture, whole, as Vision's `centerCrop` gives it; with `crop_inside`, the rest of the cut is made
    inside, of a given size in the same proportion. Any other pipeline has to stretch.

    Raises:
        ConfigError: the pipeline has no fixed size.
        UsageError: the size is not square, where a square is cut out.
    """
    crop = centre_crop_of(config)
    if crop is None:
        return Framed(FramedOptions(options.crop_inside), size or input_size_of(config))
    inside = options.crop_inside == YES and crop.side < crop.short
    width, height = size or ((crop.short if inside else crop.side),) * 2
    if width != height:
        raise UsageError(f'`input_size`: {width}x{height} given, expected a square, as the test pipeline cuts one out')
    seen = round(width * crop.side / crop.short) if inside else None
    return Framed(FramedOptions(options.crop_inside, seen), (width, height), CENTER_CROP)
