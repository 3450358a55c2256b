"""A picture file's bytes: how large the picture is before it is decoded, and decoded smaller than it is stored."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from mobileone_mm.pictures.decoding import FROM_BELOW, FROM_THE_RIGHT, SIDEWAYS, orientation_in

# How many times smaller JPEG is decoded at no cost, and OpenCV's flags for it, which turn pictures as EXIF data say.
REDUCED = {
    1: cv2.IMREAD_COLOR,
    2: cv2.IMREAD_REDUCED_COLOR_2,
    4: cv2.IMREAD_REDUCED_COLOR_4,
    8: cv2.IMREAD_REDUCED_COLOR_8,
}
# JPEG's markers: of a file's first segment, what may stand before a marker, of a frame (its height and width in px), of
# EXIF data, of the pixels, of the end, and those that are no more than a marker; 0 is none.
START, FILLING, SCAN, APPLICATION, END = b'\xff\xd8', b'\xff', 0xDA, 0xE1, b'\xff\xd9'
ALONE = {0x00, 0x01, *range(0xD0, 0xD9)}
FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
HEAD = 4  # bytes of a segment: its marker, and its length


@dataclass(frozen=True)
class Encoded:
    """The bytes of a JPEG file.

    Attributes:
        data: all of them.
        size: width and height in px, as OpenCV turns it.
        orientation: 1 to 8 by EXIF, 1 where OpenCV turns and mirrors nothing.
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
    if not data.startswith(START):
        return None
    size, place = (0, 0), len(START)
    blocks: list[bytes] = []
    while (place := data.find(FILLING, place)) >= 0 and place + HEAD <= len(data):  # decoders pass over stray bytes
        marker, begin = data[place + 1], place + HEAD
        if marker == FILLING[0]:
            place += 1
            continue
        if marker in ALONE:
            place += 2
            continue
        if marker == SCAN:  # pixels begin; an end before them is that of a preview
            if data.rfind(END, place) < 0:
                break
            turned = orientation_in(blocks)
            return Encoded(data, size[::-1] if turned in SIDEWAYS else size, turned) if all(size) else None
        if marker in FRAMES:
            size = (
                int.from_bytes(data[begin + 3 : begin + 5], 'big'),
                int.from_bytes(data[begin + 1 : begin + 3], 'big'),
            )
        end = place + 2 + int.from_bytes(data[place + 2 : begin], 'big')
        if marker == APPLICATION:
            blocks.append(data[begin:end])
        place = max(begin, end)
    raise ValueError('the file was cut short')
