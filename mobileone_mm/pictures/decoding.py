"""Whether a picture file can be decoded, all of it: OpenCV fills what a file that was cut short lacks with grey."""

import os
import stat
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image

UPRIGHT, SIDEWAYS = 1, (5, 6, 7, 8)  # EXIF's orientations: nothing to be done; those that swap width and height
ORIENTATION = 0x0112  # their tag
JPEG = ('JPEG', 'MPO')  # Pillow's names; the second is of cameras
SURE = (*JPEG, 'WEBP')  # Pillow's names of what OpenCV, which training loads with, reads wherever Pillow does
SIDE = 0.125  # of a picture's side is enough to see that all of it is there, and JPEG decodes that faster


@dataclass(frozen=True)
class Decoded:
    """What a picture file is.

    Attributes:
        size: width and height in px, upright by its EXIF data.
        mode: Pillow's name of the kind of pixels.
        orientation: 1 to 8 by EXIF, 1 where nothing is turned or mirrored.
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
            orientation = orientation_of(image)  # of a PNG, reading it loads: an error there is not one of EXIF data
        read = kind in SURE or cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR) is not None
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


def orientation_of(image: Image.Image) -> int:
    """The orientation that a loader still has to apply, of a picture that is loaded."""
    if image.format == 'TIFF':  # Pillow and OpenCV turn it in any case
        return UPRIGHT
    return orientation_in(image.info.get('exif') or b'')


def orientation_in(exif: bytes) -> int:
    """The orientation in a block of EXIF data; data that cannot be read say nothing.

    Pillow's own `getexif` would take the one of XMP data where EXIF has none, and OpenCV does not.
    """
    block = Image.Exif()
    try:
        block.load(exif)
        found = block.get(ORIENTATION)
    except Exception:  # of many kinds, and no reader of pixels minds
        return UPRIGHT
    return found if isinstance(found, int) and UPRIGHT <= found <= max(SIDEWAYS) else UPRIGHT
