"""Between pictures and what an OpenMMLab model takes: sizes, channel order, normalisation, layout.

mmcv loads BGR, so data preprocessors take BGR planes; everywhere else in this package a picture is uint8 RGB (H, W, 3).
"""

from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.structures import BaseDataElement
from torch import Tensor, nn

from mobileone_mm.errors import ConfigError
from mobileone_mm.openmmlab.test_data import test_pipeline
from mobileone_mm.pictures.reading import Picture

SEED = 0
DEFAULT_SIDE = 224  # px; ImageNet's, where a config's test pipeline fixes no size
SAME = 1e-4  # of a normalised value: what float32 rounds


class Normalise(nn.Module):
    """What a model's data preprocessor does to a picture loaded as BGR, for one that comes as RGB, 0..255.

    Raises:
        ConfigError: the preprocessor does anything but change the order of channels, subtract a mean and divide by a
            standard deviation.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, data_preprocessor: Any) -> None:
        super().__init__()
        self.enabled: bool = isinstance(getattr(data_preprocessor, 'mean', None), Tensor)
        if self.enabled:
            self.register_buffer('mean', data_preprocessor.mean[None].clone(), persistent=False)
            self.register_buffer('scale', 1 / data_preprocessor.std[None], persistent=False)
        self.flip = False
        # Asked for an answer, since each host calls these settings something else. No two numbers are the same, so that
        # what goes elsewhere shows.
        rgb = torch.linspace(0, 255, 3 * 4 * 6).view(1, 3, 4, 6)
        expected = _prepared(data_preprocessor, rgb.flip(1))[..., :4, :6].to(rgb)  # the rest may be padding
        self.flip = not _same(self(rgb), expected)
        if not _same(self(rgb), expected):
            raise ConfigError(
                f'{type(data_preprocessor).__name__}: does more to a picture than to change the order of its channels, '
                'subtract a mean and divide by a standard deviation, which is all that is exported'
            )

    def forward(self, image: Tensor) -> Tensor:
        if self.flip:
            image = image.flip(1)
        return (image - self.mean) * self.scale if self.enabled else image


def _same(one: Tensor, other: Tensor) -> bool:
    return one.shape == other.shape and bool((one - other).abs().max() <= SAME * other.abs().max().clamp(min=1))


def _prepared(data_preprocessor: Any, bgr: Tensor) -> Tensor:
    """What a data preprocessor makes of BGR planes (1, 3, H, W): (1, 3, H', W')."""
    data = {'inputs': [bgr[0]], 'data_samples': [BaseDataElement()]}  # mmseg's notes there how it pads
    inputs: Tensor = data_preprocessor(data)['inputs']
    return inputs


def preprocessed(model: Any, picture: Picture) -> Tensor:
    """A picture as the model's own data preprocessor gives it to the network: (1, 3, H, W), in the model's dtype."""
    bgr = torch.from_numpy(np.ascontiguousarray(picture[..., ::-1].transpose(2, 0, 1)))
    return _prepared(model.data_preprocessor, bgr[None]).to(next(model.parameters()))


def picture_of(inputs: Tensor) -> Picture:
    """The picture in an item of a test data set, whose `inputs` are BGR planes (3, H, W).

    Raises:
        ConfigError: they are not uint8.
    """
    if inputs.dtype != torch.uint8:
        raise ConfigError(
            f'the test pipeline gives pictures of {inputs.dtype}, expected torch.uint8, which an export takes; '
            'remove to_float32 from LoadImageFromFile'
        )
    picture: Picture = np.ascontiguousarray(inputs.numpy()[::-1].transpose(1, 2, 0))
    return picture


def require_size(model: Any, size: tuple[int, int]) -> None:
    """Refuse an input size (width, height) that the model's data preprocessor would pad.

    Raises:
        ConfigError: with the size that it would become.
    """
    width, height = size
    padded = _prepared(model.data_preprocessor, torch.zeros(1, 3, height, width, dtype=torch.uint8)).shape[-2:]
    if tuple(padded) != (height, width):
        raise ConfigError(
            f'input size {width}x{height}: the data preprocessor pads it to {padded[1]}x{padded[0]}, which an exported '
            'model cannot; choose that with `input_size`'
        )


def input_size_of(config: Config) -> tuple[int, int]:
    """(width, height) in pixels that the config's test pipeline resizes every picture to.

    Raises:
        ConfigError: the pipeline has no fixed size: no Resize with a scale, or one that keeps the aspect ratio.
    """
    for step in test_pipeline(config):
        name = str(step.get('type')).rpartition('.')[2]
        if name == 'torchvision/Resize' and isinstance(step.get('size'), tuple | list) and len(step['size']) == 2:
            return int(step['size'][1]), int(step['size'][0])  # (height, width)
        if name != 'Resize':
            continue
        if step.get('keep_ratio'):
            raise ConfigError(
                f'{config.filename}: the test pipeline resizes with keep_ratio=True, so its pictures have no fixed '
                'size, and a package needs one; train and test with keep_ratio=False, or give `input_size`'
            )
        scale = step.get('scale')
        if isinstance(scale, int):
            return scale, scale
        if isinstance(scale, tuple | list) and len(scale) == 2:
            return int(scale[0]), int(scale[1])
    raise ConfigError(
        f'{config.filename}: the test pipeline has no Resize with a scale of (width, height); add one in '
        'test_dataloader, or give `input_size`'
    )


def example_images(config: Config, count: int = 2) -> Tensor:
    """Normal noise (count, 3, H, W), float32: what normalised images look like to a model's arithmetic."""
    generator = torch.Generator().manual_seed(SEED)
    return torch.randn(count, 3, *test_size_hw(config), generator=generator)


def test_size_hw(config: Config) -> tuple[int, int]:
    """(height, width) that the config's test pipeline brings images to: its last resize or crop, else 224."""
    height, width = DEFAULT_SIDE, DEFAULT_SIDE
    for transform in test_pipeline(config):
        of_torchvision = str(transform.get('type')).rpartition('.')[2].startswith('torchvision/')
        cut = transform.get('size' if of_torchvision else 'crop_size')
        size = cut or transform.get('scale')
        if isinstance(size, int):
            height, width = size, size
        elif isinstance(size, tuple | list) and len(size) == 2 and all(isinstance(side, int) for side in size):
            # mm's scale is (width, height), its crop_size, and torchvision's size, (height, width)
            height, width = size if cut else size[::-1]
    return height, width
