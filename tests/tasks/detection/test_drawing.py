"""What is drawn of many boxes, and what is said of the others; and a picture's annotations as boxes to draw."""

from types import SimpleNamespace

import numpy as np
import pytest

from mobileone_mm.tasks.detection.agreement import agreement, most_telling
from mobileone_mm.tasks.detection.detections import Detections, truth
from mobileone_mm.tasks.detection.drawing import MOST_DRAWN, as_json, drawn_beside, said

SIZE = (400, 300)  # width, height
CLASSES = ('cat', 'dog')


def grid(count: int, scores: float | np.ndarray = 0.9) -> Detections:  # type: ignore[type-arg]
    """Boxes that do not overlap, each a little larger than the one before."""
    place = np.arange(count)
    low = np.stack([place % 10 / 10, place // 10 / 10], axis=1)
    boxes = np.concatenate([low, low + 0.05 + place[:, None] / count / 30], axis=1)
    return Detections(boxes, np.broadcast_to(scores, count).astype(np.float64), place % 2)


def test_the_surest_stay_and_partners_stay_together() -> None:
    left = grid(40, np.linspace(0.9, 0.4, 40))
    right = Detections(left.boxes[::-1], left.scores[::-1] + 0.01, left.labels[::-1])
    few, others = most_telling(left, right, agreement(left, right, SIZE), 8)
    assert few.scores.tolist() == left.scores[:8].tolist()
    assert others.boxes.tolist() == left.boxes[:8][::-1].tolist()
    assert agreement(few, others, SIZE).partners.shape == (8, 2)


def test_what_differs_stays_first() -> None:
    left, right = grid(40), grid(40)
    right = Detections(right.boxes[:-1], right.scores[:-1], right.labels[:-1])  # the last is on the left alone
    right.scores[30] -= 0.2
    few, others = most_telling(left, right, agreement(left, right, SIZE), 5)
    compared = agreement(few, others, SIZE)
    assert (len(few.scores), len(others.scores)) == (5, 4)
    assert (compared.left_differs.sum(), compared.right_differs.sum()) == (2, 1)
    assert left.boxes[39].tolist() in few.boxes.tolist()
    assert left.boxes[30].tolist() in others.boxes.tolist()


@pytest.mark.parametrize('count', [0, 1, MOST_DRAWN, MOST_DRAWN + 57])
def test_as_many_are_drawn_as_can_be_read_and_the_rest_is_counted(count: int) -> None:
    picture = np.full((*SIZE[::-1], 3), 200, np.uint8)
    found, shown = grid(count), grid(count, np.nan)
    drawn = drawn_beside(picture, shown, found, found, CLASSES, agreement(found, found, SIZE))
    expected = {0: '0 boxes', 1: '1 box', 20: '20 boxes', 77: '20 boxes and 57 more'}[count]
    assert [what for _, what in drawn] == [expected] * 3
    assert [image.shape for image, _ in drawn] == [picture.shape] * 3
    assert all((image == picture).all() == (count == 0) for image, _ in drawn)
    assert (picture == 200).all()


def test_of_what_is_annotated_the_largest_are_drawn() -> None:
    picture = np.full((*SIZE[::-1], 3), 200, np.uint8)
    shown, nothing = grid(MOST_DRAWN + 20, np.nan), grid(0)
    (image, _), *_ = drawn_beside(picture, shown, nothing, nothing, CLASSES, agreement(nothing, nothing, SIZE))
    largest = Detections(shown.boxes[-MOST_DRAWN:], shown.scores[-MOST_DRAWN:], shown.labels[-MOST_DRAWN:])
    (expected, _), *_ = drawn_beside(picture, largest, nothing, nothing, CLASSES, agreement(nothing, nothing, SIZE))
    assert (image == expected).all()


def test_without_annotations_there_are_two() -> None:
    picture, found = np.zeros((*SIZE[::-1], 3), np.uint8), grid(2)
    assert len(drawn_beside(picture, None, found, found, CLASSES, agreement(found, found, SIZE))) == 2


def test_annotated_boxes_have_no_score_to_be_said() -> None:
    assert said(grid(2, np.nan), CLASSES) == 'cat, dog'
    assert said(grid(1), CLASSES) == 'cat 0.90'


def test_annotations_are_in_fractions_of_the_file() -> None:
    entry = {
        'instances': [
            {'bbox': [40, 30, 200, 150], 'bbox_label': 1, 'ignore_flag': 0},
            {'bbox': [0, 0, 400, 300], 'bbox_label': 0, 'ignore_flag': 1},  # a crowd, which counts for nothing
        ]
    }
    # Resized by the pipeline; boxes are in px of the file nevertheless.
    found = truth(entry, SimpleNamespace(ori_shape=(300, 400), img_shape=(320, 320)))
    assert found is not None
    assert found.boxes.tolist() == [[0.1, 0.1, 0.5, 0.5]]
    assert found.labels.tolist() == [1]
    assert np.isnan(found.scores).all()
    assert as_json(grid(1), CLASSES, SIZE)[0]['label'] == 'cat'


def test_a_picture_without_anything_is_not_one_without_annotations() -> None:
    sample = SimpleNamespace(ori_shape=(300, 400))
    nothing = truth({'instances': []}, sample)
    assert nothing is not None
    assert nothing.boxes.shape == (0, 4)
    assert truth({}, sample) is None
