"""Whether a picture file can be decoded, all of it: OpenCV fills what a file that was cut short lacks with grey."""

import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

# EXIF's orientations: all of them; nothing to be done; those that swap width and height; those that turn an axis of the
# upright picture, by x and by y.
ORIENTATIONS, UPRIGHT, SIDEWAYS = range(1, 9), 1, (5, 6, 7, 8)
FROM_THE_RIGHT, FROM_BELOW = (2, 3, 6, 7), (3, 4, 7, 8)
STEP = 80  # from the grey level of one quarter of a picture to that of the next
JPEG = ('JPEG', 'MPO')  # Pillow's names; the second is of cameras
SURE = (*JPEG, 'WEBP')  # Pillow's names of what OpenCV, which training loads with, reads wherever Pillow does
TURNED_WHEN_READ = 'TIFF'  # Pillow and OpenCV turn it in any case
HOLDS_EXIF = 'APP1'  # Pillow's name of the segments of a JPEG file in which EXIF data are
SIDE = 0.125  # of a picture's side is enough to see that all of it is there, and JPEG decodes that faster


@dataclass(frozen=True)
class Decoded:
    """What a picture file is.

    Attributes:
        size: width and height in px, as OpenCV turns it.
        mode: Pillow's name of the kind of pixels.
        orientation: 1 to 8 by EXIF, 1 where OpenCV turns and mirrors nothing.
    """

    size: tuple[int, int]
    mode: str
    orientation: int


def decoded(path: str | os.PathLike[str]) -> Decoded:
    """Look at a picture, all of it.

    Raises:
        ValueError: it cannot be decoded, with the reason.
    """
    if fault := no_file(path):
        raise ValueError(fault)
    try:
        with Image.open(path) as image:
            width, height = image.size
            mode, kind = image.mode, image.format
            image.draft('RGB', (max(1, int(width * SIDE)), max(1, int(height * SIDE))))
            image.load()
            orientation = orientation_of(image, path)
        read = kind in SURE or _by_opencv(path) is not None
    except Exception as error:  # of any kind, for a file that is no picture
        raise ValueError(reason(error)) from error
    if not read:
        raise ValueError(f'OpenCV, which training loads with, cannot decode this {kind}; save it anew, as JPEG or PNG')
    return Decoded((height, width) if orientation in SIDEWAYS else (width, height), mode, orientation)


def no_file(path: str | os.PathLike[str]) -> str:
    """Why there is nothing to be decoded, or empty; a pipe would keep whoever opens it waiting."""
    try:
        status = os.stat(path)
    except OSError as error:
        return error.strerror or str(error)
    if not stat.S_ISREG(status.st_mode):
        return 'no regular file'
    return '' if status.st_size else 'the file is empty'


def reason(error: Exception) -> str:
    """Pillow's reason why a file cannot be decoded, without the address of an object."""
    text = str(error) or type(error).__name__
    return 'no picture that Pillow knows' if 'cannot identify' in text else text


def orientation_of(image: Image.Image, path: str | os.PathLike[str]) -> int:
    """By which orientation OpenCV, which training loads with, turns a file that Pillow has opened; of a PNG, loaded.

    Readers differ in what they take of EXIF data, so OpenCV itself is asked: of a JPEG file by its header, and of
    others by the pixels of those that have such data. OpenCV 5.0, for one, turns no animated PNG, and an AVIF only by
    its EXIF data, where Pillow goes by the format's own turns.

    Raises:
        OSError, cv2.error: it cannot be read.
    """
    if image.format in JPEG:
        return orientation_in(data for name, data in getattr(image, 'applist', ()) if name == HOLDS_EXIF)
    if image.format == TURNED_WHEN_READ or not image.info.get('exif'):
        return UPRIGHT
    stored, shown = _by_opencv(path, cv2.IMREAD_IGNORE_ORIENTATION), _by_opencv(path)
    return UPRIGHT if stored is None or shown is None else _turn_between(stored, shown)


def _by_opencv(path: str | os.PathLike[str], flag: int = 0) -> NDArray[Any] | None:
    """The picture, BGR (H, W, 3); None where OpenCV cannot decode it."""
    found: NDArray[Any] | None = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR | flag)
    return found


def orientation_in(segments: Iterable[bytes]) -> int:
    """By which orientation OpenCV turns a JPEG file.

    OpenCV is given these segments with a picture of a few pixels: it has rules of its own where a file keeps none. It
    takes two bytes for the number whatever type it is said to be of, passes over blocks without one, and goes by no XMP
    data.

    Args:
        segments: the APP1 segments of the header in their order, without marker and length.
    """
    blocks = b''.join(b'\xff\xe1' + (2 + len(data)).to_bytes(2, 'big') + data for data in segments)
    if not blocks:
        return UPRIGHT
    start, rest, layouts = _quarters()
    picture = cv2.imdecode(np.frombuffer(start + blocks + rest, np.uint8), cv2.IMREAD_GRAYSCALE)
    if picture is None:
        return UPRIGHT
    return layouts[_layout((picture[[0, 0, -1, -1], [0, -1, 0, -1]].astype(float) / STEP).round())]


def _turn_between(stored: NDArray[Any], shown: NDArray[Any]) -> int:
    """Which orientation makes what is shown of what a file holds: the first one, where several do."""
    return next((way for way in ORIENTATIONS if np.array_equal(_turned(stored, way), shown)), UPRIGHT)


def _turned(stored: NDArray[Any], orientation: int) -> NDArray[Any]:
    lying = stored.swapaxes(0, 1) if orientation in SIDEWAYS else stored
    return lying[:: -1 if orientation in FROM_BELOW else 1, :: -1 if orientation in FROM_THE_RIGHT else 1]


@cache
def _quarters() -> tuple[bytes, bytes, dict[tuple[int, ...], int]]:
    """A JPEG file of four quarters, in two parts between which EXIF data may stand; and what its turns look like."""
    quarters = np.array([[0, 1], [2, 3]], np.uint8)
    _, data = cv2.imencode('.jpg', (quarters * STEP).repeat(8, 0).repeat(8, 1))
    whole = data.tobytes()
    return whole[:2], whole[2:], {_layout(_turned(quarters, way)): way for way in ORIENTATIONS}


def _layout(quarters: NDArray[Any]) -> tuple[int, ...]:
    """Which quarter lies at the top left and right, and at the bottom left and right."""
    return tuple(quarters.astype(int).ravel().tolist())
