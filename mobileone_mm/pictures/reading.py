"""The pictures an export is checked on, at the size the package takes: uint8 RGB arrays (H, W, 3)."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
from mmengine.config import Config

from mobileone_mm.errors import ConfigError, DataError
from mobileone_mm.openmmlab import configs

Picture = npt.NDArray[np.uint8]

PROBE_SEED = 0
PROBE_SHAPES = 24
PROBE_NOISE = 20.0  # grey levels, one standard deviation


def input_size_of(config: Config) -> tuple[int, int]:
    """(width, height) in pixels that the config's test pipeline resizes every picture to.

    Raises:
        ConfigError: the pipeline has no fixed size: no Resize with a scale, or one that keeps the aspect ratio.
    """
    for step in (configs.test_dataset(config) or {}).get('pipeline', ()):
        if str(step.get('type')).rpartition('.')[2] != 'Resize':
            continue
        if step.get('keep_ratio'):
            raise ConfigError(
                f'{config.filename}: the test pipeline resizes with keep_ratio=True, so its pictures have no fixed '
                'size, and a package needs one; train and test with keep_ratio=False, or give --input-size WxH'
            )
        scale = step.get('scale')
        if isinstance(scale, int):
            return scale, scale
        if isinstance(scale, tuple | list) and len(scale) == 2:
            return int(scale[0]), int(scale[1])
    raise ConfigError(
        f'{config.filename}: the test pipeline has no Resize with a scale of (width, height); give --input-size WxH'
    )


def read_picture(path: str | Path, size: tuple[int, int]) -> Picture:
    """Read a picture and stretch it to `size` (width, height), as the test pipeline does.

    Raises:
        DataError: the file is missing or no picture.
    """
    return stretched(read_bgr(path), size)


def read_bgr(path: str | Path) -> Picture:
    """Read a picture (H, W, 3) as training does: BGR of 8 bits, whatever the file holds, upright by its EXIF data.

    Raises:
        DataError: the file is missing or no picture.
    """
    import cv2
    import mmcv

    if Path(path).is_dir():
        raise DataError(f'{path}: a folder given, expected a picture; give its files: {path}/*')
    if not Path(path).is_file():
        raise DataError(f'{path}: no such file, expected a picture')
    try:
        picture: Picture | None = mmcv.imread(str(path))
    except cv2.error:  # an empty file
        picture = None
    if picture is None:
        raise DataError(f'{path}: cannot be decoded as a picture')
    return picture


def stretched(bgr: Picture, size: tuple[int, int]) -> Picture:
    """A picture in BGR as RGB, at `size` (width, height)."""
    import mmcv

    resized: Picture = mmcv.bgr2rgb(mmcv.imresize(bgr, size))
    return resized


def drawn_picture(size: tuple[int, int]) -> Picture:
    """A picture that is always the same, for want of a real one: coloured squares and discs on a ramp, with noise."""
    width, height = size
    generator = np.random.default_rng(PROBE_SEED)
    y, x = np.mgrid[:height, :width]
    picture = np.stack((255 * x / width, 255 * y / height, np.full_like(x, 96)), axis=-1).astype(np.float64)
    for shape in range(PROBE_SHAPES):
        centre_x, centre_y = generator.uniform(0, (width, height))
        radius = generator.uniform(0.03, 0.25) * min(size)
        across, down = np.abs(x - centre_x), np.abs(y - centre_y)
        inside = np.maximum(across, down) < radius if shape % 2 else np.hypot(across, down) < radius
        picture[inside] = generator.uniform(0, 255, 3)
    picture += generator.normal(0, PROBE_NOISE, picture.shape)
    return picture.clip(0, 255).astype(np.uint8)
