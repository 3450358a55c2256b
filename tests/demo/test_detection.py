"""The pictures of the detection demo: frames where the boxes are, right scores, nothing below the threshold."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from mobileone_mm.demo.detection import DETECTION, box_pairs, draw_coco
from mobileone_mm.demo.sheet import PANEL
from mobileone_mm.errors import DataError
from mobileone_mm.pictures.reading import Picture

ORANGE = (255, 176, 0)  # the first colour of the palette
NAMES = {7: 'cup', 9: 'spoon'}


def ground(height: int = 80, width: int = 80) -> Picture:
    return np.full((height, width, 3), 90, np.uint8)


def test_a_frame_stands_where_the_box_is_enlarged() -> None:
    drawn = draw_coco(ground(), [{'bbox': [20, 30, 40, 20], 'category_id': 7}], NAMES)
    assert drawn.shape == (PANEL, PANEL, 3)
    for y, x in [(160, 80), (160, 240), (120, 200), (200, 160)]:  # middle of left, right, top, bottom; 4 x enlarged
        assert tuple(drawn[y, x]) == ORANGE
    assert tuple(drawn[160, 160]) == (90, 90, 90)


def test_the_longer_side_fills_the_panel_and_no_box_changes_nothing() -> None:
    drawn = draw_coco(ground(height=40), [], NAMES)
    assert drawn.shape == (PANEL // 2, PANEL, 3)
    assert (drawn == 90).all()


def test_colours_tell_classes_apart() -> None:
    box = [20, 30, 40, 20]
    cup, spoon = (draw_coco(ground(), [{'bbox': box, 'category_id': key}], NAMES) for key in NAMES)
    assert tuple(cup[160, 80]) != tuple(spoon[160, 80])


def write_set(folder: Path, pictures: int, scores: list[float]) -> dict[str, Path]:
    for index in range(pictures):
        assert cv2.imwrite(str(folder / f'{index}.png'), ground())
    truth = {
        'images': [{'id': index, 'file_name': f'{index}.png'} for index in range(pictures)],
        'annotations': [],
        'categories': [{'id': key, 'name': name} for key, name in NAMES.items()],
    }
    found = [{'image_id': 0, 'category_id': 7, 'bbox': [20, 30, 40, 20], 'score': score} for score in scores]
    (folder / 'truth.json').write_text(json.dumps(truth))
    (folder / 'found.json').write_text(json.dumps(found))
    return {'annotations': folder / 'truth.json', 'predictions': folder / 'found.json', 'images': folder}


@pytest.mark.parametrize(('score', 'seen'), [(0.5, True), (0.49, False)])
def test_predictions_are_on_the_right_from_the_score_on(tmp_path: Path, score: float, seen: bool) -> None:
    ((left, right),) = box_pairs(**write_set(tmp_path, 1, [score]), min_score=0.5)
    assert (left == 90).all()
    assert (tuple(right[160, 80]) == ORANGE) is seen


def test_no_more_pairs_than_asked(tmp_path: Path) -> None:
    paths = write_set(tmp_path, 6, [])
    assert [len(box_pairs(**paths, count=count)) for count in (4, 12)] == [4, 6]


def test_a_missing_picture_is_named(tmp_path: Path) -> None:
    paths = write_set(tmp_path, 2, [])
    (tmp_path / '1.png').unlink()
    with pytest.raises(DataError, match=r'1\.png: no such file, expected a picture'):
        box_pairs(**paths)


def test_the_picture_with_the_most_boxes_is_shown() -> None:
    assert DETECTION.interest({'detections': [{}, {}]}) > DETECTION.interest({'detections': [{}]})


def test_agreement_in_words() -> None:
    agreement = {'left': 120, 'right': 119, 'agreeing': 118}
    assert DETECTION.agreed(agreement) == '118 of 120 boxes of the package agree with the model'
