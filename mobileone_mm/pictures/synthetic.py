"""A picture that is always the same, for want of a real one."""

import numpy as np

from mobileone_mm.pictures.reading import Picture

PROBE_SEED = 0
PROBE_SHAPES = 24
PROBE_NOISE = 20.0  # grey levels, one standard deviation


def drawn_picture(size: tuple[int, int]) -> Picture:
    """Coloured squares and discs on a ramp, with noise."""
    width, height = size
    generator = np.random.default_rng(PROBE_SEED)
    y, x = np.mgrid[:height, :width]
    picture = np.stack((255 * x / width, 255 * y / height, np.full_like(x, 96)), axis=-1).astype(np.float64)
    for shape in range(PROBE_SHAPES):
        centre_x, centre_y = generator.uniform(0, (width, height))
        radius = generator.uniform(0.03, 0.25) * min(size)
        across, down = np.abs(x - centre_x), np.abs(y - centre_y)
        inside = np.maximum(across, down) < radius if shape % 2 else np.hypot(across, down) < radius
        picture[inside] = generator.uniform(0, 255, 3)
    picture += generator.normal(0, PROBE_NOISE, picture.shape)
    return picture.clip(0, 255).astype(np.uint8)
