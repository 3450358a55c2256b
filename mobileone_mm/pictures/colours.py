"""A colour for each class, however many there are."""

from collections.abc import Sequence

import numpy as np

# Levels of each channel, what the first colour is near to, and below what all three channels are too dark.
LEVELS, FIRST, DARK = 7, (0, 128, 255), 120


def distinct_colours(count: int) -> list[list[int]]:
    """RGB colours that are told apart, unlike mmseg's, which are drawn by chance: each is far from all before it."""
    levels = np.linspace(0, 255, LEVELS).round()
    every = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(-1, 3)
    # Grey is for what has no class, and what is nearly black hides what it is painted over.
    every = every[(np.ptp(every, axis=-1) > 0) & (every.max(axis=-1) > DARK)]
    chosen = [int(np.abs(every - FIRST).sum(axis=-1).argmin())]
    apart = np.abs(every - every[chosen[0]]).sum(axis=-1)
    while len(chosen) < count:
        chosen.append(int(apart.argmax()))
        apart = np.minimum(apart, np.abs(every - every[chosen[-1]]).sum(axis=-1))
    found: list[list[int]] = every[chosen[:count]].astype(int).tolist()
    return found


def hexadecimal(colour: Sequence[int]) -> str:
    """Red, green and blue, 0..255, as #RRGGBB."""
    return '#' + ''.join(f'{level:02X}' for level in colour)
