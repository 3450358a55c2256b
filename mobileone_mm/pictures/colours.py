"""A colour for each class, however many there are."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

MARK = (224, 0, 36)  # where two models differ; white text reads on it
MARKED = 40  # a colour that is nearer to it in CIELAB would hide what is marked
# Of few classes. Distances alone would take cyan beside this blue, which look alike over a picture.
FIRST = ((0, 128, 255), (255, 212, 0), (170, 0, 255), (0, 170, 42), (128, 85, 42), (128, 255, 255))
LEVELS = 7  # of each channel, in those that follow
DARK = 120  # a colour whose channels are all below is nearly black, and hides what it is painted over
GREY = 100  # a colour whose channels differ by less is nearly grey, which is for what has no class


def distinct_colours(count: int) -> list[list[int]]:
    """RGB colours: after `FIRST`, each as far in CIELAB from all before it as can be. mmseg's are drawn by chance."""
    levels = np.linspace(0, 255, LEVELS).round()
    every = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(-1, 3)
    every = every[(np.ptp(every, axis=-1) > GREY) & (every.max(axis=-1) > DARK)]
    every = np.concatenate([FIRST, every[np.linalg.norm(_lab(every) - _lab(MARK), axis=-1) > MARKED]])
    seen = _lab(every)
    chosen = list(range(len(FIRST)))
    apart = np.linalg.norm(seen[:, None] - seen[None, chosen], axis=-1).min(axis=-1)
    while len(chosen) < count:
        chosen.append(int(apart.argmax()))
        apart = np.minimum(apart, np.linalg.norm(seen - seen[chosen[-1]], axis=-1))
    found: list[list[int]] = every[chosen[:count]].astype(int).tolist()
    return found


def _lab(rgb: ArrayLike) -> NDArray[np.float32]:
    """CIELAB of colours (N, 3) of 0..255, or of one."""
    colours = np.asarray(rgb, np.float32).reshape(1, -1, 3)
    return np.asarray(cv2.cvtColor(colours / 255, cv2.COLOR_RGB2Lab)[0], np.float32)


def hexadecimal(colour: Sequence[int]) -> str:
    """Red, green and blue, 0..255, as #RRGGBB."""
    return '#' + ''.join(f'{level:02X}' for level in colour)
