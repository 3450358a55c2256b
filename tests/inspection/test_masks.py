"""What a segmenter's data hold: pixels of each class, as the training reads them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from listed_sets import CLASSES, Listed
from PIL import Image

from mobileone_mm.inspection.by_task import content_of
from mobileone_mm.inspection.content import PIXELS, Spread


def masks(folder: Path, rows: Sequence[Sequence[int]], **info: Any) -> Listed:
    """One picture, whose mask has these values."""
    mask = np.array(rows, np.uint8)
    Image.fromarray(mask).save(folder / 'mask.png')
    Image.fromarray(np.zeros((*mask.shape, 3), np.uint8)).save(folder / 'image.png')
    entry = {'img_path': str(folder / 'image.png'), 'seg_map_path': str(folder / 'mask.png'), **info}
    return Listed([entry], {'classes': CLASSES, 'palette': [(1, 2, 3), (4, 5, 6), (7, 8, 9)]})


@pytest.mark.parametrize(
    ('info', 'rows', 'counts', 'ignored'),
    [
        ({}, [[0, 0, 2], [0, 255, 2]], (3, 0, 2), 1),
        ({'reduce_zero_label': True}, [[1, 1, 3], [1, 0, 3]], (3, 0, 2), 1),
        ({'label_map': {7: 0, 9: 2, 8: 255}}, [[7, 7, 9], [7, 8, 9]], (3, 0, 2), 1),
    ],
    ids=['as they are', 'zero is no class', 'by a map'],
)
def test_pixels_are_counted_as_the_training_reads_them(
    info: dict[str, Any], rows: list[list[int]], counts: tuple[int, ...], ignored: int, tmp_path: Path
) -> None:
    content = content_of(masks(tmp_path, rows, **info), 'segmentation')
    assert (content.unit, content.images, content.counts, content.ignored) == (PIXELS, 1, counts, ignored)
    assert content.images_with == (1, 0, 1)
    assert content.image_size == (Spread(3, 3, 3), Spread(2, 2, 2))
    assert (content.box_size, content.faults) == (None, '')
    assert content.palette == ((1, 2, 3), (4, 5, 6), (7, 8, 9))


def test_an_id_that_is_no_class_is_a_fault(tmp_path: Path) -> None:
    content = content_of(masks(tmp_path, [[0, 0], [1, 5]]), 'segmentation')
    assert 'id 5 (1 px)' in content.faults
