"""A colour for each class, however many there are."""

from collections.abc import Sequence

import cv2
import numpy as np

# Of few classes. Distances alone would take cyan beside this blue, which look alike over a picture.
FIRST = ((0, 128, 255), (255, 212, 0), (255, 42, 42), (0, 170, 42), (212, 0, 255), (128, 85, 42))
LEVELS = 7  # of each channel, in those that follow
DARK = 120  # a colour whose channels are all below is nearly black, and hides what it is painted over
GREY = 100  # a colour whose channels differ by less is nearly grey, which is for what has no class


def distinct_colours(count: int) -> list[list[int]]:
    """RGB colours: after `FIRST`, each as far in CIELAB from all before it as can be. mmseg's are drawn by chance."""
    levels = np.linspace(0, 255, LEVELS).round()
    every = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(-1, 3)
    every = every[(np.ptp(every, axis=-1) > GREY) & (every.max(axis=-1) > DARK)]
    every = np.concatenate([FIRST, every])
    seen = cv2.cvtColor(every[None].astype(np.float32) / 255, cv2.COLOR_RGB2Lab)[0]
    chosen = list(range(len(FIRST)))
    apart = np.linalg.norm(seen[:, None] - seen[None, chosen], axis=-1).min(axis=-1)
    while len(chosen) < count:
        chosen.append(int(apart.argmax()))
        apart = np.minimum(apart, np.linalg.norm(seen - seen[chosen[-1]], axis=-1))
    found: list[list[int]] = every[chosen[:count]].astype(int).tolist()
    return found


def hexadecimal(colour: Sequence[int]) -> str:
    """Red, green and blue, 0..255, as #RRGGBB."""
    return '#' + ''.join(f'{level:02X}' for level in colour)
