"""Small sets of boxes with ties of every kind, for whatever suppresses boxes."""

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]
IOU_THRESHOLDS = (0.0, 0.25, 0.45, 0.5, 1.0)  # on this grid, boxes overlap by exactly a quarter and a half too
CONFIDENCE_THRESHOLDS = (0.0, 0.25, 0.5)
SIDE_BY_SIDE = [[0.5, 0.5, 0.5, 0.5], [0.75, 0.5, 0.5, 0.5]]  # they share 1/8 of 3/8


def random_boxes(generator: np.random.Generator, classes: int, count: int) -> tuple[Array, Array]:
    """Few different scores, centres and sizes (0 among them), so that ties are the rule."""
    confidence = generator.integers(0, 5, (count, classes)) / 4
    centre, size = generator.integers(0, 4, (count, 2)) / 4, generator.integers(0, 4, (count, 2)) / 4
    return confidence.astype(np.float32), np.concatenate((centre, size), axis=1).astype(np.float32)
