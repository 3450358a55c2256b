"""The sheet of pictures: frames where the boxes are, right scores, nothing below the threshold."""

import json
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from mobileone_mm.errors import DataError, MobileOneError
from mobileone_mm.pictures.drawing import GAP, HEADER, PANEL, SEAM, beside, draw_boxes, draw_coco, resized, write_sheet

ORANGE_BGR = (0, 176, 255)  # the first colour of the palette
NAMES = {7: 'cup', 9: 'spoon'}


def ground(height: int = 80, width: int = 80) -> 'np.ndarray[tuple[int, ...], np.dtype[np.uint8]]':
    return np.full((height, width, 3), 90, np.uint8)


def test_a_frame_stands_where_the_box_is_enlarged() -> None:
    drawn = draw_coco(ground(), [{'bbox': [20, 30, 40, 20], 'category_id': 7}], NAMES)
    assert drawn.shape == (PANEL, PANEL, 3)
    for y, x in [(160, 80), (160, 240), (120, 200), (200, 160)]:  # middle of left, right, top, bottom; 4 x enlarged
        assert tuple(drawn[y, x]) == ORANGE_BGR
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
        cv2.imwrite(str(folder / f'{index}.png'), ground())
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
    write_sheet(tmp_path / 'sheet.png', **write_set(tmp_path, 1, [score]), min_score=0.5)
    sheet = cv2.imread(str(tmp_path / 'sheet.png'))
    assert sheet is not None
    left = sheet[HEADER : HEADER + PANEL, GAP : GAP + PANEL]
    right = sheet[HEADER : HEADER + PANEL, GAP + PANEL + SEAM : GAP + 2 * PANEL + SEAM]
    assert (left == 90).all()
    assert (tuple(right[160, 80]) == ORANGE_BGR) is seen


def test_rows_of_three_and_no_more_than_asked(tmp_path: Path) -> None:
    write_sheet(tmp_path / 'sheet.png', **write_set(tmp_path, 6, []), count=4)
    sheet = cv2.imread(str(tmp_path / 'sheet.png'))
    assert sheet is not None
    assert sheet.shape == (HEADER + 2 * (PANEL + GAP), GAP + 3 * (2 * PANEL + SEAM + GAP), 3)


def test_a_missing_picture_is_named_and_leaves_no_file(tmp_path: Path) -> None:
    paths = write_set(tmp_path, 2, [])
    (tmp_path / '1.png').unlink()
    with pytest.raises(DataError, match=r'1\.png: cannot be read as a picture'):
        write_sheet(tmp_path / 'sheet.png', **paths)
    assert not (tmp_path / 'sheet.png').exists()


def test_without_supervision_it_is_said_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, 'supervision', None)
    with pytest.raises(
        MobileOneError, match=r"supervision cannot be imported .*pip install 'mobileone-mm\[pictures\]'"
    ):
        draw_coco(ground(), [], NAMES)


@pytest.mark.parametrize('text', ['ößñ', 'Ψ', 'Жук'])
def test_labels_know_more_than_ascii(text: str) -> None:
    box = np.array([[20.0, 100, 300, 300]])
    drawn, tofu = (draw_boxes(ground(400, 400), box, [0], [label], [False]) for label in (text, '\uffff' * len(text)))
    assert (drawn != tofu).any()


@pytest.mark.parametrize(('height', 'side', 'shape'), [(40, 320, (160, 320)), (40, 20, (10, 20))])
def test_resized(height: int, side: int, shape: tuple[int, int]) -> None:
    picture = resized(ground(height=height), side)
    assert picture.shape == (*shape, 3)
    assert (picture == 90).all()


def test_two_pictures_beside_each_other_have_headers_that_fit() -> None:
    left, right = ground(100, 200), ground(100, 200) + np.uint8(9)
    sheet = beside(left, right, ('a' * 100, 'b.onnx'))
    assert sheet.shape == (HEADER + 100, 400 + SEAM, 3)
    assert (sheet[HEADER:, :200] == left).all()
    assert (sheet[HEADER:, 200 + SEAM :] == right).all()
    ink = np.argwhere(sheet[:HEADER] < 128)
    for start, end in ((0, 200), (200 + SEAM, 400 + SEAM)):
        columns = ink[(ink[:, 1] >= start) & (ink[:, 1] < end), 1]
        assert start + 5 <= columns.min()
        assert columns.max() <= end - 5


def test_a_marked_box_has_a_red_label_and_a_red_frame_around_its_own() -> None:
    box = np.array([[100.0, 100, 300, 300]])
    plain, marked = (draw_boxes(ground(400, 400), box, [0], ['cup'], [mark]) for mark in (False, True))
    assert tuple(plain[90, 103]) == tuple(plain[200, 100]) == tuple(marked[200, 100]) == ORANGE_BGR
    assert tuple(marked[90, 103]) == tuple(marked[200, 96]) == (0x24, 0x00, 0xE0)
    assert tuple(plain[200, 96]) == (90, 90, 90)
