"""A colour for each class, however many there are."""

import colorsys

GOLDEN = 0.6180339887  # steps of this part of a circle come nowhere close to one another
LIGHTNESS = (0.6, 0.45, 0.75)  # one after the other, so that near hues differ in it


def class_colour(index: int) -> tuple[int, int, int]:
    """Red, green and blue, 0..255, of the class with this index."""
    hue, light = (index * GOLDEN) % 1, LIGHTNESS[index % len(LIGHTNESS)]
    red, green, blue = (round(255 * part) for part in colorsys.hls_to_rgb(hue, light, 0.8))
    return red, green, blue
