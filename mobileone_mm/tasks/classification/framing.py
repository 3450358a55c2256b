"""How a picture of any size becomes what an exported classifier takes, by the config's test pipeline."""

import copy
import logging

from mmengine.config import Config

from mobileone_mm.artifact.card import CENTER_CROP, Card
from mobileone_mm.errors import ConfigError, UsageError
from mobileone_mm.openmmlab.centre_crop import CentreCrop, centre_crop_of, see_whole, sizing_steps
from mobileone_mm.openmmlab.inputs import input_size_of
from mobileone_mm.openmmlab.test_data import Samples, open_samples, test_pipeline
from mobileone_mm.pictures.reading import DEFAULT, INTERPOLATIONS, Resampling
from mobileone_mm.tasks.classification.options import NO, YES, ClassificationOptions, FramedOptions
from mobileone_mm.tasks.task import Framed, Size

LOGGER = logging.getLogger(__name__)

TORCHVISION = 'torchvision/'  # how mmpretrain names the transforms that it wraps
CROPS = ('CenterCrop', 'torchvision/CenterCrop')  # which resize nothing


def resampling_of(config: Config) -> Resampling:
    """How the config's test pipeline resizes pictures.

    Raises:
        ConfigError: in a way that mmcv's imresize does not know.
    """
    resizing = [entry for entry in sizing_steps(test_pipeline(config)) if entry[0] not in CROPS]
    name, step = resizing[0] if resizing else ('', {})
    of_torchvision = name.startswith(TORCHVISION)  # which resizes PIL images
    default = 'bicubic' if name == 'EfficientNetCenterCrop' else DEFAULT.interpolation
    given = step.get('interpolation') or default
    backend = 'pillow' if of_torchvision else str(step.get('backend') or DEFAULT.backend)
    found = Resampling(backend, str(getattr(given, 'value', given)))
    if found.interpolation not in INTERPOLATIONS.get(found.backend, ()):
        known = '; '.join(f'{one}: {", ".join(ways)}' for one, ways in INTERPOLATIONS.items())
        raise ConfigError(
            f'{config.filename}: {name} resizes with backend={found.backend!r} and '
            f'interpolation={found.interpolation!r}, expected one of {known}'
        )
    return found


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
    elif crop.short == side:
        _note_a_pixel(crop)
    config = copy.deepcopy(samples.config)
    see_whole(test_pipeline(config), side)
    return open_samples(config, samples.count)


def framed(options: ClassificationOptions, config: Config, size: Size | None) -> Framed:
    """The options for a config, and how pictures are brought to what the export takes: of `size`, where it is given.

    A pipeline that resizes the short side and cuts a square out of the middle gives a square picture whose short side
    is that of the picture, whole, as Vision's `centerCrop` gives it; with `crop_inside`, the rest of the cut is made
    inside, of a given size in the same proportion. Any other pipeline has to stretch. A crop inside that is asked for
    where there is nothing to crop is noted.

    Raises:
        ConfigError: the pipeline has no fixed size, or crops or pads in another way.
        UsageError: the size is not square, where a square is cut out.
    """
    crop, resampling = centre_crop_of(config), resampling_of(config)
    if crop is None:
        _require_stretch(config)
        stretched = size or input_size_of(config)
        _note_nothing_to_crop(options)
        return Framed(FramedOptions(options.crop_inside), stretched, resampling=resampling)
    inside = options.crop_inside != NO and crop.side < crop.short
    width, height = size or ((crop.short if inside else crop.side),) * 2
    if width != height:
        raise UsageError(f'`input_size`: {width}x{height} given, expected a square, as the test pipeline cuts one out')
    seen = round(width * crop.side / crop.short) if inside else None
    if inside and width == crop.short:
        _note_a_pixel(crop)
    if not inside:
        _note_nothing_to_crop(options)
    return Framed(FramedOptions(options.crop_inside, seen), (width, height), CENTER_CROP, resampling)


def _note_nothing_to_crop(options: ClassificationOptions) -> None:
    if options.crop_inside == YES:
        LOGGER.info(
            "note: `crop_inside` %s makes the same file as %s: this config's test pipeline crops nothing off the short "
            'side of a picture',
            YES,
            NO,
        )


def _note_a_pixel(crop: CentreCrop) -> None:
    if not crop.in_two_steps:
        LOGGER.info(
            'note: of some pictures, the crop of the test pipeline and that of an export lie one pixel apart, and '
            'probabilities differ a little; a resize to %d instead of %d px before the crop of %d px avoids that',
            crop.side + max(1, round((crop.short - crop.side) / 4)) * 4,
            crop.short,
            crop.side,
        )


def _require_stretch(config: Config) -> None:
    """Refuse a pipeline whose crops an export cannot repeat, and which it would stretch instead.

    Raises:
        ConfigError: with its steps.
    """
    names = [name for name, _ in sizing_steps(test_pipeline(config))]
    if len(names) > 1 or not set(names) <= {'Resize', f'{TORCHVISION}Resize'}:
        raise ConfigError(
            f'{config.filename}: the test pipeline brings pictures to their size by {", then ".join(names)}, which an '
            'export cannot repeat as they are set; expected ResizeEdge of the short edge, then CenterCrop of a square; '
            'EfficientNetCenterCrop; torchvision/Resize of one length, then torchvision/CenterCrop of a square; or one '
            'Resize to a fixed width and height'
        )
