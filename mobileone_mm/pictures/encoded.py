"""A picture file's bytes: how large the picture is before it is decoded, and decoded smaller than it is stored."""

import io
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from mobileone_mm.pictures.decoding import JPEG, SIDEWAYS, orientation_of

# How many times smaller JPEG is decoded at no cost, and OpenCV's flags for it, which turn pictures as EXIF data say.
REDUCED = {
    1: cv2.IMREAD_COLOR,
    2: cv2.IMREAD_REDUCED_COLOR_2,
    4: cv2.IMREAD_REDUCED_COLOR_4,
    8: cv2.IMREAD_REDUCED_COLOR_8,
}
FROM_THE_RIGHT, FROM_BELOW = (2, 3, 6, 7), (3, 4, 7, 8)  # EXIF's orientations that turn an axis of the upright picture
SCAN, END = b'\xda', b'\xff\xd9'  # markers of JPEG: pixels begin; the picture ends
SECOND_BYTE = 2  # of a file, after which its first segment begins


@dataclass(frozen=True)
class Encoded:
    """The bytes of a JPEG file.

    Attributes:
        data: all of them.
        size: width and height in px, upright by its EXIF data.
        orientation: 1 to 8, by EXIF.
    """

    data: bytes
    size: tuple[int, int]
    orientation: int

    def reduced(self, by: int) -> tuple[npt.NDArray[np.uint8], tuple[float, float]]:
        """The picture, smaller by a key of `REDUCED`: BGR (H, W, 3), and what it begins with that is no part of it.

        A side that cannot be divided ends with a pixel that is only in part inside of the picture. Where EXIF data turn
        that side, it begins with it: the second value is how much of that pixel lies outside, in px, by x and y.

        Raises:
            ValueError: OpenCV cannot decode it.
        """
        picture = cv2.imdecode(np.frombuffer(self.data, np.uint8), REDUCED[by])
        if picture is None:
            raise ValueError('OpenCV cannot decode it')
        height, width = picture.shape[:2]
        return picture.astype(np.uint8, copy=False), (
            width - self.size[0] / by if self.orientation in FROM_THE_RIGHT else 0.0,
            height - self.size[1] / by if self.orientation in FROM_BELOW else 0.0,
        )


def encoded(data: bytes) -> Encoded | None:
    """What the header of a JPEG file says; None of other files, whose pixels are not decoded smaller at a lower cost.

    Raises:
        ValueError: the file was cut short, which OpenCV passes over and fills with grey.
    """
    try:
        with Image.open(io.BytesIO(data)) as image:
            if image.format not in JPEG:
                return None
            width, height = image.size
            turned = orientation_of(image)
    except Exception:  # of many kinds, for what Pillow does not know and OpenCV may
        return None
    if not _has_end(data):
        raise ValueError('the file was cut short')
    return Encoded(data, (height, width) if turned in SIDEWAYS else (width, height), turned)


def _has_end(data: bytes) -> bool:
    """Whether the pixels of a JPEG file are followed by the marker that ends them: one of a preview says nothing."""
    place = SECOND_BYTE
    while place + 4 <= len(data) and data[place] == 0xFF:
        if data[place + 1] == 0xFF:  # a byte that fills up
            place += 1
        elif data[place + 1 : place + 2] == SCAN:
            return data.find(END, place) >= 0
        else:
            place += 2 + int.from_bytes(data[place + 2 : place + 4], 'big')
    return False
