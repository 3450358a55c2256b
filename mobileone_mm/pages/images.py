"""Pictures in a page."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass

import cv2

from mobileone_mm.pages.parts import plain
from mobileone_mm.pictures.reading import Picture, channels_swapped

JPEG_QUALITY = 88  # of 100


@dataclass(frozen=True)
class Shown:
    """A picture as a page shows it.

    Attributes:
        title: above it, on the left.
        note: above it, on the right.
        picture: uint8 RGB (H, W, 3).
        said: what it shows, for those who cannot see it.
    """

    title: str
    note: str
    picture: Picture
    said: str


def figure(shown: Sequence[Shown], caption: str) -> str:
    """Pictures side by side, or one below the other on a phone; the caption is HTML."""
    images = ''.join(
        f'<div><span>{plain(one.title)}<small>{plain(one.note)}</small></span>{image(one.picture, one.said)}</div>'
        for one in shown
    )
    return f'<figure><div class="beside">{images}</div><figcaption>{caption}</figcaption></figure>'


def image(picture: Picture, said: str) -> str:
    """A picture, held by the page itself."""
    height, width = picture.shape[:2]
    return f'<img src="{_data_uri(picture)}" width="{width}" height="{height}" alt="{plain(said)}">'


def _data_uri(picture: Picture) -> str:
    done, jpeg = cv2.imencode('.jpg', channels_swapped(picture), [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    assert done, 'OpenCV writes JPEG'
    return f'data:image/jpeg;base64,{base64.b64encode(jpeg.tobytes()).decode()}'
