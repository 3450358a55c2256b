"""Picture files: read as RGB, brought to the size that a model takes, and written.

A picture is uint8 RGB (H, W, 3) wherever it is handed on.
"""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mobileone_mm.atomic import replacing
from mobileone_mm.errors import DataError

Picture = npt.NDArray[np.uint8]

# What mmcv's imresize knows, by backend.
INTERPOLATIONS = {
    'cv2': ('nearest', 'bilinear', 'bicubic', 'area', 'lanczos'),
    'pillow': ('nearest', 'bilinear', 'bicubic', 'box', 'lanczos', 'hamming'),
}


def read_picture(path: str | Path) -> Picture:
    """Read a picture as training does: 8 bits a channel, whatever the file holds, upright by its EXIF data.

    Raises:
        DataError: the file is missing, was cut short, or is no picture.
    """
    import mmcv

    from mobileone_mm.pictures.decoding import decoded

    if Path(path).is_dir():
        raise DataError(f'{path}: a folder given, expected a picture; give its files: {path}/*')
    if not os.path.exists(path):
        raise DataError(f'{path}: no such file, expected a picture')
    try:
        decoded(path)
    except ValueError as error:
        raise DataError(f'{path}: cannot be decoded as a picture: {error}') from error
    bgr: Picture | None = mmcv.imread(str(path))  # asked for RGB, it fails where OpenCV gives nothing
    if bgr is None:
        raise DataError(f'{path}: cannot be decoded as a picture by OpenCV')
    return channels_swapped(bgr)


@dataclass(frozen=True)
class Resampling:
    """How a picture is resized, in mmcv's words.

    Attributes:
        backend: 'cv2' or 'pillow', which smooths what it makes smaller.
        interpolation: one of `INTERPOLATIONS` of the backend.
    """

    backend: str = 'cv2'
    interpolation: str = 'bilinear'


DEFAULT = Resampling()  # mmcv's, where a pipeline says nothing


def stretched(picture: Picture, size: tuple[int, int], resampling: Resampling = DEFAULT) -> Picture:
    """A picture at `size` (width, height), its aspect ratio not kept, as the test pipeline does it."""
    import mmcv

    way = {'interpolation': resampling.interpolation, 'backend': resampling.backend}
    resized: Picture = mmcv.imresize(picture, size, **way)
    return resized


def middle(whole: tuple[int, int], part: tuple[int, int]) -> tuple[slice, slice]:
    """Rows and columns of a part in the middle of a picture, both (width, height), as mmcv's CenterCrop takes them."""
    left, top = (max(0, round((long - short) / 2)) for long, short in zip(whole, part, strict=True))
    return slice(top, top + part[1]), slice(left, left + part[0])


def centre_cropped(picture: Picture, size: tuple[int, int], resampling: Resampling = DEFAULT) -> Picture:
    """A picture at `size` (width, height), its aspect ratio kept: resized to fill that, and what is over cut off."""
    (width, height), (rows, columns) = size, picture.shape[:2]
    if columns * height < rows * width:
        filling = width, max(height, int(width * rows / columns))
    else:
        filling = max(width, int(height * columns / rows)), height
    cut: Picture = np.ascontiguousarray(stretched(picture, filling, resampling)[middle(filling, size)])
    return cut


def write_picture(path: Path, picture: Picture) -> None:
    """Write a picture in the format that the path's ending names; it appears whole or not at all."""
    import cv2

    done, data = cv2.imencode(path.suffix, channels_swapped(picture))
    if not done:
        raise OSError(f'{path}: cannot be written')
    with replacing(path) as fresh:
        fresh.write_bytes(data.tobytes())  # OpenCV's own writing of a name that is no UTF-8 ends the process


def channels_swapped(picture: Picture) -> Picture:
    """RGB as the BGR that OpenCV writes and draws in, or the way back."""
    return np.ascontiguousarray(picture[..., ::-1])
