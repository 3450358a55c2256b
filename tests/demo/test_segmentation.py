"""The pictures of the segmentation demo: classes where the masks have them, truth on the left."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from mobileone_mm.demo.segmentation import CLASSES, SEGMENTATION, draw_classes, mask_pairs
from mobileone_mm.demo.sheet import PANEL
from mobileone_mm.errors import DataError
from mobileone_mm.pictures.colours import distinct_colours
from mobileone_mm.pictures.labels import STRENGTH

GREY, SIDE = 90, 80
NAMES = ('ground', 'cup')


def painted(label: int) -> tuple[float, ...]:
    """A grey pixel under a class's colour."""
    return tuple((1 - STRENGTH) * GREY + STRENGTH * level for level in distinct_colours(len(NAMES))[label])


def square() -> NDArray[np.uint8]:
    """A mask whose middle is of the second class."""
    ids = np.zeros((SIDE, SIDE), np.uint8)
    ids[20:60, 20:60] = 1
    return ids


def write_set(folder: Path, pictures: int) -> dict[str, Path]:
    paths = {name: folder / name for name in ('images', 'masks', 'predictions')}
    for path in paths.values():
        path.mkdir()
    for index in range(pictures):
        name = f'{index:02}.png'
        assert cv2.imwrite(str(paths['images'] / name), np.full((SIDE, SIDE, 3), GREY, np.uint8))
        assert cv2.imwrite(str(paths['masks'] / name), square())
        assert cv2.imwrite(str(paths['predictions'] / name), np.zeros((SIDE, SIDE), np.uint8))
    return paths


def test_a_class_is_painted_where_the_mask_has_it_enlarged() -> None:
    drawn = draw_classes(np.full((SIDE, SIDE, 3), GREY, np.uint8), square(), NAMES)
    assert drawn.shape == (PANEL, PANEL, 3)
    for (y, x), label in {(100, 100): 1, (220, 220): 1, (10, 310): 0, (260, 100): 0}.items():  # 4 x enlarged
        assert drawn[y, x] == pytest.approx(painted(label), abs=1)


def test_the_longer_side_fills_the_panel() -> None:
    ids = np.zeros((SIDE // 2, SIDE), np.uint8)
    assert draw_classes(np.zeros((*ids.shape, 3), np.uint8), ids, NAMES).shape == (PANEL // 2, PANEL, 3)


def test_masks_are_on_the_left_and_what_was_found_on_the_right(tmp_path: Path) -> None:
    ((left, right),) = mask_pairs(**write_set(tmp_path, 1), names=NAMES)
    assert left[100, 100] == pytest.approx(painted(1), abs=1)
    assert right[100, 100] == pytest.approx(painted(0), abs=1)


def test_the_first_pictures_and_no_more_than_asked(tmp_path: Path) -> None:
    paths = write_set(tmp_path, 6)
    assert cv2.imwrite(str(paths['predictions'] / '03.png'), square())
    pairs = mask_pairs(**paths, names=NAMES, count=4)
    assert [bool((left == right).all()) for left, right in pairs] == [False, False, False, True]
    assert len(mask_pairs(**paths, names=NAMES)) == 6


def test_what_is_no_picture_is_named(tmp_path: Path) -> None:
    paths = write_set(tmp_path, 2)
    (paths['images'] / '01.png').write_text('no picture')
    with pytest.raises(DataError, match=r'01\.png: cannot be decoded as a picture'):
        mask_pairs(**paths, names=NAMES)


def test_the_picture_with_the_most_classes_is_shown() -> None:
    assert SEGMENTATION.interest({'classes': [{}, {}]}) > SEGMENTATION.interest({'classes': [{}]})


def test_agreement_in_words() -> None:
    agreement = {'pixels': 1_536_000, 'agreeing': 1_535_900, 'ious': [1.0] * len(CLASSES)}
    assert SEGMENTATION.agreed(agreement) == (
        '1,535,900 of 1,536,000 pixels of the package agree with the model (99.993 %)'
    )
