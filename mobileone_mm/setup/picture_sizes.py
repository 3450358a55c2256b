"""The sizes of pictures, from their headers alone."""

from collections.abc import Sequence

import numpy as np
from PIL import Image

from mobileone_mm.pictures.decoding import SIDEWAYS, no_file, orientation_of

MOST_PICTURES = 500  # whose headers are read


def spread_over(paths: Sequence[str], most: int) -> list[str]:
    """At most so many of the paths, evenly spread over all of them."""
    return [paths[index] for index in np.unique(np.linspace(0, len(paths) - 1, min(len(paths), most)).astype(int))]


def picture_sizes(paths: Sequence[str]) -> list[tuple[int, int]]:
    """Width and height in px of pictures, as OpenCV turns them; of a large set, of some hundred.

    What cannot be read is left out: `mobileone check` names it.
    """
    sizes = []
    for path in spread_over(paths, MOST_PICTURES):
        if no_file(path):
            continue
        try:
            with Image.open(path) as image:
                width, height = image.size
                if image.format == 'PNG':
                    image.load()  # its EXIF data may come last
                turned = orientation_of(image, path) in SIDEWAYS
        except Exception:  # of any kind, for a file that is no picture
            continue
        sizes.append((height, width) if turned else (width, height))
    return sizes
