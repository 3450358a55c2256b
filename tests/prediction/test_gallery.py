"""Pictures in, drawn pictures and their list out, by detectors that find what the test says."""

import json
import os
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from mobileone_mm import __version__
from mobileone_mm.errors import ConfigError, DataError, UsageError
from mobileone_mm.pictures.drawing import HEADER, MARK, SEAM
from mobileone_mm.pictures.reading import Picture
from mobileone_mm.prediction.gallery import LEAST_SIDE, Outcome, predict, summary
from mobileone_mm.prediction.predictors import Predictor
from mobileone_mm.tasks.by_name import task_named
from mobileone_mm.tasks.detection.detections import Detections, Rules
from mobileone_mm.tasks.detection.task import TASK

CLASSES = ('cup', 'spoon')
RULES = Rules(0.3, 0.45, 100)
GREY = 120
NOISE = 40  # grey levels; what JPEG leaves
SQUARE, CORNER = (0.2, 0.3, 0.5, 0.6), (0.7, 0.7, 0.9, 0.9)
SIZE = (600, 500)  # width, height


def finder(*rows: tuple[Sequence[float], float, int], path: str = 'a.mlpackage', classes: Any = CLASSES) -> Predictor:
    """Finds the same in every picture."""
    boxes, scores, labels = zip(*rows, strict=True) if rows else ((), (), ())
    found = Detections(np.array(boxes).reshape(-1, 4), np.array(scores, dtype=float), np.array(labels, dtype=np.int64))
    return Predictor(path, 'a.py', TASK, classes, RULES, lambda picture, rules: found)


def write(path: Path, size: tuple[int, int] = SIZE) -> Path:
    path.parent.mkdir(exist_ok=True)
    assert cv2.imwrite(str(path), np.full((size[1], size[0], 3), GREY, np.uint8))
    return path


def drawn(path: Path) -> 'np.ndarray[Any, Any]':
    picture = cv2.imread(str(path))
    assert picture is not None
    return picture.astype(int)


def changed(picture: 'np.ndarray[Any, Any]') -> 'np.ndarray[Any, Any]':
    """(n, 2) y, x of what is not as it was."""
    return np.argwhere(np.abs(picture - GREY).max(axis=2) > NOISE)


def reddish(picture: 'np.ndarray[Any, Any]') -> 'np.ndarray[Any, Any]':
    rgb = [int(MARK[start : start + 2], 16) for start in (1, 3, 5)]
    return np.argwhere(np.abs(picture - rgb[::-1]).max(axis=2) < NOISE)


def test_a_picture_keeps_its_size_and_has_frames_where_boxes_are(tmp_path: Path) -> None:
    outcome = predict(finder((SQUARE, 0.9, 0)), None, [write(tmp_path / 'in/a.png')], RULES, tmp_path / 'out')
    assert outcome == Outcome(1, {'cup': 1}, 'boxes: 1 (cup 1)', None)
    assert sorted(file.name for file in (tmp_path / 'out').iterdir()) == ['.mobileone_mm', 'a.jpg', 'predictions.json']
    picture = drawn(tmp_path / 'out/a.jpg')
    assert picture.shape == (500, 600, 3)
    low, high = changed(picture).min(axis=0), changed(picture).max(axis=0)
    assert np.abs(high - (300, 300)).max() <= 4  # 0.6 of 500, 0.5 of 600; half a line and what JPEG smears
    assert abs(low[1] - 120) <= 4
    assert 110 <= low[0] <= 150  # the label is above
    assert (picture[170:290, 140:280] - GREY).max() < NOISE  # nothing inside


def test_the_list_is_in_pixels_of_the_file(tmp_path: Path) -> None:
    predict(
        finder((SQUARE, 0.98765, 1), (CORNER, 0.5, 0)), None, [write(tmp_path / 'in/a.png')], RULES, tmp_path / 'out'
    )
    assert json.loads((tmp_path / 'out/predictions.json').read_text()) == {
        'written_by': f'mobileone_mm {__version__}',
        'detector': 'a.mlpackage',
        'score_threshold': 0.3,
        'iou_threshold': 0.45,
        'limit': 100,
        'pictures': [
            {
                'file': str(tmp_path / 'in/a.png'),
                'picture': 'a.jpg',
                'width': 600,
                'height': 500,
                'detections': [
                    {'label': 'spoon', 'score': 0.9877, 'box': [120, 150, 300, 300]},
                    {'label': 'cup', 'score': 0.5, 'box': [420, 350, 540, 450]},
                ],
            }
        ],
    }


def test_small_pictures_are_enlarged_and_their_list_is_not(tmp_path: Path) -> None:
    predict(finder((SQUARE, 0.9, 0)), None, [write(tmp_path / 'in/a.png', (40, 20))], RULES, tmp_path / 'out')
    assert drawn(tmp_path / 'out/a.jpg').shape == (LEAST_SIDE // 2, LEAST_SIDE, 3)
    (entry,) = json.loads((tmp_path / 'out/predictions.json').read_text())['pictures']
    assert (entry['width'], entry['height'], entry['detections'][0]['box']) == (40, 20, [8, 6, 20, 12])


@pytest.mark.parametrize('size', [(480, 360), (4000, 400)])
def test_lines_and_labels_are_legible_at_any_size(size: tuple[int, int], tmp_path: Path) -> None:
    predict(finder((SQUARE, 0.9, 0)), None, [write(tmp_path / 'in/a.png', size)], RULES, tmp_path / 'out')
    picture = drawn(tmp_path / 'out/a.jpg')
    seen = np.abs(picture - GREY).max(axis=2) > NOISE
    left, middle = int(0.2 * size[0]), int(0.45 * size[1])
    line = int(seen[middle, left - 40 : left + 40].sum())
    label = int(0.3 * size[1]) - int(np.argwhere(seen[:, left + line + 2])[0, 0])
    assert max(size) / 500 < line < max(size) / 60
    assert max(size) / 80 < label < max(size) / 15


def write_exif(path: Path) -> None:
    """60 x 30 as stored; its EXIF data say that it is to be turned by 90 degrees."""
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new('RGB', (60, 30), (GREY, GREY, GREY)).save(path, exif=exif)


def write_palette(path: Path) -> None:
    Image.new('P', (60, 30)).save(path)


def write_alpha(path: Path) -> None:
    Image.new('RGBA', (60, 30), (GREY, GREY, GREY, 20)).save(path)


def write_grey(path: Path) -> None:
    cv2.imwrite(str(path), np.full((30, 60), GREY, np.uint8))


def write_grey16(path: Path) -> None:
    cv2.imwrite(str(path), np.full((30, 60), GREY << 8, np.uint16))


@pytest.mark.parametrize(
    ('name', 'save', 'size'),
    [
        ('a.jpg', write_exif, (30, 60)),
        ('a.png', write_palette, (60, 30)),
        ('a.png', write_alpha, (60, 30)),
        ('a.png', write_grey, (60, 30)),
        ('a.tif', write_grey16, (60, 30)),
    ],
)
def test_any_picture_arrives_as_in_training(name: str, save: Any, size: tuple[int, int], tmp_path: Path) -> None:
    seen = []

    def look(picture: Picture, rules: Rules) -> Detections:
        seen.append(picture)
        found: Detections = finder().predict(picture, rules)
        return found

    (tmp_path / 'in').mkdir()
    save(tmp_path / 'in' / name)
    predictor = Predictor('a', 'a.py', TASK, CLASSES, RULES, look)
    predict(predictor, None, [tmp_path / 'in' / name], RULES, tmp_path / 'out')
    assert [(picture.shape, picture.dtype) for picture in seen] == [((size[1], size[0], 3), np.uint8)]
    (entry,) = json.loads((tmp_path / 'out/predictions.json').read_text())['pictures']
    assert (entry['width'], entry['height']) == size


def test_comparing_marks_exactly_what_differs(tmp_path: Path) -> None:
    left = finder((SQUARE, 0.9, 0), (CORNER, 0.6, 1), path='left.mlpackage')
    right = finder((SQUARE, 0.88, 0), path='right.pth')
    outcome = predict(left, right, [write(tmp_path / 'in/a.png')], RULES, tmp_path / 'out')
    sheet = drawn(tmp_path / 'out/a.jpg')
    width, height = SIZE
    assert sheet.shape == (HEADER + height, 2 * width + SEAM, 3)
    assert (sheet[:HEADER, 10:300].min(), sheet[:HEADER, width + 10 :].min()) < (100, 100)  # both headers
    marks = reddish(sheet)
    assert (marks >= (HEADER + 0.6 * height, 0.5 * width)).all()
    assert (marks[:, 1] < width).all()
    assert len(marks) > 200
    assert outcome.compared is not None
    assert (outcome.compared.left, outcome.compared.right, outcome.compared.agreeing) == (2, 1, 1)
    written = json.loads((tmp_path / 'out/predictions.json').read_text())
    assert written['compared_with'] == 'right.pth'
    assert written['agreement'] == {'left': 2, 'right': 1, 'agreeing': 1, 'score': pytest.approx(0.02), 'pixels': 0}
    assert written['pictures'][0]['compared'] == [{'label': 'cup', 'score': 0.88, 'box': [120, 150, 300, 300]}]
    assert list(summary(outcome)) == [
        'pictures: 1, boxes: 2 (cup 1, spoon 1)',
        'boxes: left 2, right 1, in agreement 1; largest difference 0.02 in score, 0 px',
    ]


def test_a_box_with_another_score_is_marked_on_both_sides(tmp_path: Path) -> None:
    predict(finder((SQUARE, 0.9, 0)), finder((SQUARE, 0.8, 0)), [write(tmp_path / 'in/a.png')], RULES, tmp_path / 'out')
    columns = reddish(drawn(tmp_path / 'out/a.jpg'))[:, 1]
    assert (columns < SIZE[0]).any()
    assert (columns > SIZE[0]).any()


def test_detectors_of_other_classes_cannot_be_compared(tmp_path: Path) -> None:
    other = finder(path='b.onnx', classes=('cup', 'fork'))
    with pytest.raises(ConfigError, match=r"b\.onnx has the classes \('cup', 'fork'\), a\.mlpackage has"):
        predict(finder(), other, [write(tmp_path / 'in/a.png')], RULES, tmp_path / 'out')
    assert not (tmp_path / 'out').exists()


def test_models_for_other_tasks_cannot_be_compared(tmp_path: Path) -> None:
    other = replace(finder(path='b.onnx'), task=task_named('classification'))
    with pytest.raises(ConfigError, match=r'^b\.onnx is a classifier, a\.mlpackage a detector; only two of a kind'):
        predict(finder(), other, [write(tmp_path / 'in/a.png')], RULES, tmp_path / 'out')
    assert not (tmp_path / 'out').exists()


def test_a_broken_picture_is_named_before_anything_is_written(tmp_path: Path) -> None:
    good, bad = write(tmp_path / 'in/a.png'), tmp_path / 'in/b.png'
    bad.write_bytes(good.read_bytes()[:40])
    with pytest.raises(DataError, match=r'b\.png: cannot be decoded'):
        predict(finder(), None, [good, bad], RULES, tmp_path / 'out')
    assert not (tmp_path / 'out').exists()


def test_an_earlier_run_is_drawn_over_and_nothing_of_the_users(tmp_path: Path) -> None:
    files, out = [write(tmp_path / f'in/{name}.png') for name in 'ab'], tmp_path / 'out'
    predict(finder(), None, files[:1], RULES, out)
    (out / 'mine.jpg').write_bytes(b'precious')
    predict(finder((SQUARE, 0.9, 0)), None, files[:1], RULES, out)
    assert len(changed(drawn(out / 'a.jpg'))) > 0
    (out / 'b.jpg').write_bytes(files[1].read_bytes())  # his own, under a name that is to be written
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    with pytest.raises(
        UsageError, match=r'out/b\.jpg: this file is not a picture with boxes written by mobileone_mm; mo'
    ):
        predict(finder(), None, files, RULES, out)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_nothing_of_an_earlier_run_is_left(tmp_path: Path) -> None:
    files, out = [write(tmp_path / f'in/{name}.png') for name in 'abc'], tmp_path / 'out'
    predict(finder(), None, files, RULES, out)
    (out / 'kept').mkdir()
    (out / 'b.jpg').rename(out / 'kept/b.jpg')  # put aside by the user
    (out / 'mine.jpg').write_bytes(b'precious')
    (out / 'link.jpg').symlink_to('kept/b.jpg')
    os.mkfifo(out / 'pipe.jpg')
    predict(finder(), None, files[:1], RULES, out)
    left = {'.mobileone_mm', 'a.jpg', 'kept', 'link.jpg', 'mine.jpg', 'pipe.jpg', 'predictions.json'}
    assert {path.name for path in out.iterdir()} == left
    assert (out / 'kept/b.jpg').is_file()
    (out / 'predictions.json').unlink()
    (tmp_path / 'in/a.png').rename(tmp_path / 'in/d.png')
    predict(finder(), None, [tmp_path / 'in/d.png'], RULES, out)  # after a run that was stopped, without a list
    assert {path.name for path in out.iterdir()} == left - {'a.jpg'} | {'d.jpg'}


def test_the_folder_of_the_pictures_is_refused(tmp_path: Path) -> None:
    file = write(tmp_path / 'in/a.jpg')
    before = file.read_bytes()
    (tmp_path / 'link').symlink_to(tmp_path / 'in')
    for out in (tmp_path / 'in', tmp_path / 'link', tmp_path / 'in/../in'):
        with pytest.raises(UsageError, match=r'holds .*in/a\.jpg, which is read; choose another folder'):
            predict(finder(), None, [file], RULES, out)
    with pytest.raises(UsageError, match=r'would replace .*a\.jpg, which is read'):
        predict(finder(), None, [file], RULES, file)
    assert file.read_bytes() == before


def test_nothing_found_is_said(tmp_path: Path) -> None:
    outcome = predict(finder(), finder(), [write(tmp_path / 'in/a.png')], RULES, tmp_path / 'out')
    assert list(summary(outcome)) == ['pictures: 1, boxes: 0', 'no boxes on either side']
    assert not re.search('label', (tmp_path / 'out/predictions.json').read_text())


def test_a_folder_in_folders_that_are_not_there_is_made(tmp_path: Path) -> None:
    predict(finder(), None, [write(tmp_path / 'in/a.png')], RULES, tmp_path / 'new/sub/out')
    assert {file.name for file in (tmp_path / 'new/sub/out').iterdir()} == {
        '.mobileone_mm',
        'a.jpg',
        'predictions.json',
    }


def test_a_picture_reaches_the_model_in_rgb(tmp_path: Path) -> None:
    seen = []

    def look(picture: Picture, rules: Rules) -> Detections:
        seen.append(picture[0, 0].tolist())
        found: Detections = finder().predict(picture, rules)
        return found

    (tmp_path / 'in').mkdir()
    Image.new('RGB', (60, 30), (10, 20, 200)).save(tmp_path / 'in/a.png')
    predict(Predictor('a', 'a.py', TASK, CLASSES, RULES, look), None, [tmp_path / 'in/a.png'], RULES, tmp_path / 'out')
    assert seen == [[10, 20, 200]]
    blue, green, red = drawn(tmp_path / 'out/a.jpg')[200, 200]
    assert max(abs(red - 10), abs(green - 20), abs(blue - 200)) < NOISE
