"""Detections judged by annotations: a table by hand, and pycocotools' own matching."""

from typing import Any

import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from mobileone_mm.tasks.detection.detections import SHOWN_SCORE
from mobileone_mm.tasks.detection.judging import JUDGING
from mobileone_mm.tasks.judging import Judged

CAT, DOG, NOTHING = 0, 1, 2
SIZE = (200, 100)  # width, height
A, B = (10, 10, 50, 50), (100, 10, 140, 50)
NEAR_A = (12, 10, 52, 50)  # overlaps A with an IoU of 0.9
PART_OF_A = (10, 10, 50, 25)  # with 0.375
SURE, UNSURE = 0.9, SHOWN_SCORE / 2

Truth = tuple[tuple[int, ...], int]
Found = tuple[tuple[int, ...], int, float]


def judged(truth: list[Truth], found: list[Found], ignored: list[Truth] = []) -> Judged:  # noqa: B006 - never changed
    entry: dict[str, Any] = {
        'instances': [
            {'bbox': list(box), 'bbox_label': label, 'ignore_flag': flag}
            for flag, boxes in ((0, truth), (1, ignored))
            for box, label in boxes
        ]
    }
    sample = DetDataSample(metainfo={'ori_shape': (SIZE[1], SIZE[0])})
    sample.pred_instances = InstanceData(
        bboxes=torch.tensor([box for box, _, _ in found], dtype=torch.float32).reshape(-1, 4),
        labels=torch.tensor([label for _, label, _ in found], dtype=torch.int64),
        scores=torch.tensor([score for _, _, score in found], dtype=torch.float32),
    )
    result = JUDGING.judge(entry, sample, 2)
    assert result is not None
    return result


@pytest.mark.parametrize(
    ('truth', 'found', 'pairs', 'faults'),
    [
        ([], [], [], 0),
        ([(A, CAT)], [(NEAR_A, CAT, SURE)], [[CAT, CAT, 1]], 0),
        ([(A, CAT)], [], [[CAT, NOTHING, 1]], 1),
        ([], [(A, DOG, SURE)], [[NOTHING, DOG, 1]], 1),
        ([(A, CAT)], [(NEAR_A, DOG, SURE)], [[CAT, DOG, 1]], 1),  # one mistake, not two
        ([(A, CAT)], [(NEAR_A, CAT, UNSURE)], [[CAT, NOTHING, 1]], 1),  # found, but not shown
        ([(A, CAT)], [(A, CAT, SURE), (NEAR_A, CAT, SURE - 0.1)], [[CAT, CAT, 1], [NOTHING, CAT, 1]], 1),  # twice
        ([(A, CAT)], [(PART_OF_A, CAT, SURE)], [[CAT, NOTHING, 1], [NOTHING, CAT, 1]], 2),
        ([(A, CAT), (B, CAT)], [(B, CAT, SURE), (A, DOG, SURE)], [[CAT, CAT, 1], [CAT, DOG, 1]], 1),
        # The right class counts first, though a box of another one overlaps more.
        ([(A, CAT)], [(A, DOG, SURE), (NEAR_A, CAT, SURE)], [[CAT, CAT, 1], [NOTHING, DOG, 1]], 1),
    ],
)
def test_what_is_missed_wrong_or_taken_for_another_class(
    truth: list[Truth], found: list[Found], pairs: list[list[int]], faults: int
) -> None:
    result = judged(truth, found)
    assert (result.pairs.tolist(), result.faults) == (pairs, faults)
    wrong_rows = sum(times for row, column, times in pairs if row != NOTHING and row != column)
    wrong_columns = sum(times for row, column, times in pairs if column != NOTHING and row != column)
    assert (result.missed.sum(), result.wrong.sum()) == (wrong_rows, wrong_columns)


def test_it_is_said_in_words() -> None:
    result = judged([(A, CAT), (B, DOG)], [(NEAR_A, DOG, SURE), ((150, 60, 190, 90), CAT, SURE)])
    assert result.said == '1 missed, 1 wrongly found, 1 taken for another class'
    assert judged([(A, CAT)], [(A, CAT, SURE)]).said == 'nothing missed, nothing wrongly found'


def test_what_is_to_be_ignored_is_neither_missed_nor_wrong() -> None:
    result = judged([(A, CAT)], [(A, CAT, SURE), (B, DOG, SURE), (PART_OF_A, CAT, SURE)], ignored=[(B, DOG)])
    assert result.pairs.tolist() == [[CAT, CAT, 1], [NOTHING, CAT, 1]]
    assert result.ranked is not None
    assert result.ranked.labels.tolist() == [CAT, CAT]


def test_a_picture_without_annotations_is_not_judged() -> None:
    assert JUDGING.judge({}, DetDataSample(metainfo={'ori_shape': (4, 4)}), 2) is None


@pytest.mark.parametrize('seed', range(6))
def test_what_is_right_is_what_pycocotools_matches(seed: int, capsys: pytest.CaptureFixture[str]) -> None:
    generator = np.random.default_rng(seed)

    def boxes(count: int) -> list[tuple[int, ...]]:
        low = generator.integers(0, 40, (count, 2))
        return [(*one, *(one + generator.integers(20, 60, 2))) for one in low]

    truth = [(box, int(generator.integers(2))) for box in boxes(6)]
    found = [(box, int(generator.integers(2)), round(float(generator.random()), 6)) for box in boxes(30)]
    images, categories = [{'id': 1, 'width': SIZE[0], 'height': SIZE[1]}], [{'id': CAT}, {'id': DOG}]
    given = COCO()
    rows = [{**coco(box), 'category_id': label, 'id': n, 'iscrowd': 0} for n, (box, label) in enumerate(truth, 1)]
    given.dataset = {'images': images, 'categories': categories, 'annotations': rows}
    given.createIndex()
    loaded = given.loadRes([{**coco(box), 'category_id': label, 'score': score} for box, label, score in found])
    judge = COCOeval(given, loaded, 'bbox')
    judge.params.iouThrs, judge.params.areaRng, judge.params.areaRngLbl = np.array([0.5]), [[0, 1e9]], ['all']
    judge.evaluate()
    capsys.readouterr()
    expected = sorted(
        (CAT if one['category_id'] == CAT else DOG, round(score, 6), bool(match))
        for one in judge.evalImgs
        for score, match in zip(one['dtScores'], one['dtMatches'][0], strict=True)
    )
    ranked = judged(truth, found).ranked
    assert ranked is not None
    result = zip(ranked.labels.tolist(), ranked.scores.round(6).tolist(), ranked.right.tolist(), strict=True)
    assert any(match for *_, match in expected)
    assert sorted(result) == expected


def coco(box: tuple[int, ...]) -> dict[str, Any]:
    left, top, right, bottom = map(float, box)
    sides = right - left, bottom - top
    return {'image_id': 1, 'bbox': [left, top, *sides], 'area': sides[0] * sides[1]}


def test_mistakes_are_drawn_in_red_and_come_first() -> None:
    picture = np.full((100, 200, 3), 255, np.uint8)
    (title, annotated, said), (other, found, _) = JUDGING.draw(picture, judged([(A, CAT)], []), ['cat', 'dog'])
    assert (title, said, other) == ('annotated', '1 box', 'found')
    red = np.array((224, 0, 36))
    assert (annotated == red).all(axis=-1).any()
    assert (found == picture).all()
