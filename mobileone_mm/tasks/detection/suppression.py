"""Which rows of a detector stay: Core ML's rule, as coremltools' NonMaximumSuppression.proto describes it. NumPy only.

Assumed where the proto is silent or contradicts itself, until a Mac says otherwise:

- A box has one label, the class of its largest confidence; of equal ones, the first.
- A box stays if that confidence is at or above the confidence threshold, both as doubles.
- Of two boxes with one label, the less confident goes if their IoU is above (not at) the IoU threshold; a box that is
  gone suppresses no other. Boxes are not clipped before; two boxes without area have no overlap.
- Boxes come out by falling confidence; of equal ones, the one with the smaller row first, which also wins.

Letters: N boxes in, K confidence columns.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

CONFIDENCE, COORDINATES = 'confidence', 'coordinates'  # outputs behind the suppression
IOU_THRESHOLD, CONFIDENCE_THRESHOLD = 'iouThreshold', 'confidenceThreshold'  # its inputs


def rows_to_keep(
    confidence: npt.NDArray[Any],
    coordinates: npt.NDArray[Any],
    iou_threshold: float,
    confidence_threshold: float,
    per_class: bool = True,
) -> npt.NDArray[np.intp]:
    """Rows that stay, in the order they come out.

    Args:
        confidence: (N, K), 0..1.
        coordinates: (N, 4) centre x, centre y, width, height.
        iou_threshold: 0..1.
        confidence_threshold: 0..1.
        per_class: whether only boxes with one label suppress each other.
    """
    best = confidence.max(axis=1).astype(np.float64)
    order = np.argsort(-best, kind='stable')
    order = order[best[order] >= confidence_threshold]
    labels = confidence[order].argmax(axis=1) if per_class else np.zeros(len(order), np.intp)
    # Columns lie side by side in memory; class by class, each loop is over few boxes.
    boxes = np.ascontiguousarray(coordinates[order].T, np.float64)
    stays = np.zeros(len(order), np.bool_)
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        stays[rows[_unsuppressed(boxes[:, rows], iou_threshold)]] = True
    staying: npt.NDArray[np.intp] = order[stays]
    return staying


def _unsuppressed(boxes: npt.NDArray[np.float64], iou_threshold: float) -> npt.NDArray[np.intp]:
    """Columns that stay of (4, n) centre x, centre y, width, height, of one label and best first."""
    centres, sizes = boxes[:2], boxes[2:]
    low, high, areas = centres - sizes / 2, centres + sizes / 2, sizes.prod(axis=0)
    left = np.arange(boxes.shape[1])
    kept = []
    while len(left):
        kept.append(left[0])
        shared = (np.minimum(high[:, :1], high) - np.maximum(low[:, :1], low)).clip(min=0).prod(axis=0)
        union = areas[0] + areas - shared
        # Two boxes without area have no overlap.
        overlaps = np.divide(shared, union, out=np.zeros_like(union), where=union > 0)
        other = overlaps <= iou_threshold
        other[0] = False
        left, low, high, areas = left[other], low[:, other], high[:, other], areas[other]
    return np.array(kept, np.intp)
