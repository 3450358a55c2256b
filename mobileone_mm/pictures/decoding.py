"""Whether a picture file can be decoded, all of it: OpenCV fills what a file that was cut short lacks with grey."""

import os
import stat
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from PIL import Image

UPRIGHT, SIDEWAYS = 1, (5, 6, 7, 8)  # EXIF's orientations: nothing to be done; those that swap width and height
EXIF = b'Exif\0'  # what a block of EXIF data begins with, and a byte that is zero as well
LONGEST = 0xFFFF - 2  # bytes that a segment of a JPEG file holds beside its length
# Where the quarters of a picture lie once it is turned by each orientation: top left and right, bottom left and right.
TURNED = {
    (0, 1, 2, 3): 1,
    (1, 0, 3, 2): 2,
    (3, 2, 1, 0): 3,
    (2, 3, 0, 1): 4,
    (0, 2, 1, 3): 5,
    (2, 0, 3, 1): 6,
    (3, 1, 2, 0): 7,
    (1, 3, 0, 2): 8,
}
STEP = 80  # from the grey level of one quarter to that of the next
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
    """By which orientation OpenCV, which training loads with, turns a picture with a block of EXIF data.

    OpenCV itself is asked, with a picture of a few pixels. Readers differ where a file keeps no rule: OpenCV takes two
    bytes for the number whatever type it is said to be of, and Pillow would take the one of XMP data where EXIF has
    none.
    """
    if not exif:
        return UPRIGHT
    block = (exif if exif.startswith(EXIF) else EXIF + b'\0' + exif)[:LONGEST]
    start, rest = _quarters()
    data = start + b'\xff\xe1' + (2 + len(block)).to_bytes(2, 'big') + block + rest
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if picture is None:
        return UPRIGHT
    corners = picture[[0, 0, -1, -1], [0, -1, 0, -1], 0].astype(float) / STEP
    return TURNED[tuple(corners.round().astype(int).tolist())]


@cache
def _quarters() -> tuple[bytes, bytes]:
    """A JPEG file of four quarters, in two parts between which EXIF data may stand."""
    levels = np.array([[0, 1], [2, 3]], np.uint8) * STEP
    _, data = cv2.imencode('.jpg', levels.repeat(8, 0).repeat(8, 1))
    whole = data.tobytes()
    return whole[:2], whole[2:]
