"""Small sets of class folders, in the current folder or another."""

from pathlib import Path

import numpy as np
from PIL import Image

SIDE = 24  # px


def picture(seed: int, side: int = SIDE) -> Image.Image:
    """Noise that no other seed gives."""
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (side, side, 3), np.uint8))


def write(root: Path, *names: str) -> Path:
    """Files below `root`: pictures of which no two are the same, and an empty file for what is named as no picture."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix.lower() in ('.jpg', '.jpeg', '.png'):
            picture(sum(ord(letter) * 31**place for place, letter in enumerate(name))).save(path)
        else:
            path.touch()
    return root


def write_set(root: Path, **counts: int) -> Path:
    """So many pictures of each class: cat/00.png, cat/01.png ..."""
    return write(root, *(f'{name}/{index:02}.png' for name, count in counts.items() for index in range(count)))
