"""Class weights for the loss from how many pixels each class has in the training masks."""

from collections.abc import Sequence

import numpy as np

from mobileone_mm.errors import DataError

CAP = 10.0  # the most that a rare class weighs against the most frequent one


def class_weights(counts: Sequence[float], cap: float = CAP) -> list[float]:
    """A weight for each class: the rarer, the heavier, with a mean of 1 over the classes that occur.

    With n_c pixels of class c, w_c = min(sqrt(max(n) / n_c), cap), divided by the mean of all w_c. The root stands
    between no weights, where a class of few pixels is never learnt, and 1 / n_c, where a few pixels, often wrongly
    labelled ones at borders, outweigh the rest. The cap keeps a class with a handful of pixels from doing so all the
    same. The mean of 1 leaves the size of the loss, and so the learning rate, about where it was.

    Args:
        counts: pixels of each class in the training masks, ignored pixels left out; or their shares.
        cap: from 1.

    Returns:
        One weight for each count; 1 for a class without pixels, which no pixel will ask for.

    Raises:
        DataError: there is no pixel at all, a count is negative, or the cap is below 1.
    """
    pixels = np.asarray(counts, dtype=np.float64)
    if pixels.ndim != 1 or not pixels.any() or pixels.min() < 0 or not np.isfinite(pixels).all():
        raise DataError(
            f'class_weights: counts={list(counts)!r} given, expected the number of pixels of each class, from 0, and '
            'at least one pixel among all: look at the training masks with `mobileone check`'
        )
    if not cap >= 1:
        raise DataError(f'class_weights: cap={cap!r} given, expected a number from 1, where all classes weigh the same')
    occurs = pixels > 0
    raw = np.minimum(np.sqrt(pixels.max() / pixels[occurs]), cap)
    weights = np.ones_like(pixels)
    weights[occurs] = raw / raw.mean()
    return [float(weight) for weight in weights]
