"""The pictures of the classification demo: the folder's class on the left, the model's on the right."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from mobileone_mm.demo.classification import CLASSIFICATION, class_pairs
from mobileone_mm.demo.sheet import PANEL
from mobileone_mm.errors import DataError
from mobileone_mm.pictures.lines import draw_lines
from mobileone_mm.pictures.reading import Picture


def ground() -> Picture:
    return np.full((80, 80, 3), 90, np.uint8)


def entry(root: Path, name: str, *found: tuple[str, float]) -> dict[str, Any]:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(root / name), ground())
    return {'file': name, 'classes': [], 'compared': [{'label': label, 'probability': of} for label, of in found]}


def panel(*lines: str, marked: bool = False) -> Picture:
    return draw_lines(np.full((PANEL, PANEL, 3), 90, np.uint8), lines, marked)


def test_the_folder_is_the_truth_and_all_classes_that_were_found_are_named(tmp_path: Path) -> None:
    ((left, right),) = class_pairs([entry(tmp_path, 'val/cup/1.png', ('cup', 0.978), ('spoon', 0.022))], tmp_path)
    np.testing.assert_array_equal(left, panel('cup'))
    np.testing.assert_array_equal(right, panel('cup 98 %', 'spoon 2 %'))


def test_a_wrong_class_is_on_red(tmp_path: Path) -> None:
    ((_, right),) = class_pairs([entry(tmp_path, 'val/cup/1.png', ('spoon', 0.6), ('cup', 0.4))], tmp_path)
    np.testing.assert_array_equal(right, panel('spoon 60 %', 'cup 40 %', marked=True))
    assert (right != panel('spoon 60 %', 'cup 40 %')).any()


def test_the_first_pictures_by_number_whatever_their_folders(tmp_path: Path) -> None:
    names = ['val/cup/1.png', 'val/cup/3.png', 'val/spoon/2.png', 'val/spoon/4.png']
    pairs = class_pairs([entry(tmp_path, name, ('cup', 1.0)) for name in names], tmp_path, count=3)
    for (left, _), truth in zip(pairs, ('cup', 'spoon', 'cup'), strict=True):
        np.testing.assert_array_equal(left, panel(truth))


def test_a_missing_picture_is_named(tmp_path: Path) -> None:
    listed = entry(tmp_path, 'val/cup/1.png', ('cup', 1.0))
    (tmp_path / 'val/cup/1.png').unlink()
    with pytest.raises(DataError, match=r'val/cup/1\.png: no such file, expected a picture'):
        class_pairs([listed], tmp_path)


def test_the_picture_that_the_package_is_least_sure_of_is_shown() -> None:
    sure, unsure = ({'classes': [{'probability': of}]} for of in (0.9, 0.4))
    assert CLASSIFICATION.interest(unsure) > CLASSIFICATION.interest(sure)


def test_agreement_in_words() -> None:
    assert CLASSIFICATION.agreed({'pictures': 150, 'agreeing': 149, 'apart': 0.00321}) == (
        'package and model give 149 of 150 pictures the same class; their probabilities differ by at most 0.0032'
    )
