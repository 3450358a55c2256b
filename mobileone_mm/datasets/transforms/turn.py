"""mmseg's RandomRotate with its own draws, in less time."""

from typing import Any

import cv2

from mobileone_mm.datasets.transforms.moves import Results
from mobileone_mm.datasets.transforms.view import warped


def rotate(step: Any, results: Results) -> Results:
    """Turn picture and masks, or neither; those that `auto_bound` makes larger as the host does it."""
    if step.auto_bound:
        turned: Results = step(results)
        return turned
    turns, degrees = step.generate_degree()
    if not turns:
        return results
    height, width = results['img'].shape[:2]
    matrix = cv2.getRotationMatrix2D(step.center or ((width - 1) * 0.5, (height - 1) * 0.5), -degrees, 1.0)
    results['img'] = warped(results['img'], matrix, (width, height), flags=0, borderValue=step.pal_val)
    for key in results.get('seg_fields', ()):
        results[key] = cv2.warpAffine(
            results[key], matrix, (width, height), flags=cv2.INTER_NEAREST, borderValue=step.seg_pad_val
        )
    return results
