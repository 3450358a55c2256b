"""A model that is weak by its own scores, and one that is not."""

import pytest

from mobileone_mm.evaluation.scores import Row, Scores
from mobileone_mm.evaluation.weakness import MOST_NAMED, weakness


def scores_of(main: float | None, classes: dict[str, float], pictures: int = 50, percent: bool = False) -> Scores:
    metrics = {} if main is None else {'coco/bbox_mAP': main}
    row = Row('model', 'r', metrics, 0.1, classes)
    better = Row('file', 'r', {'coco/bbox_mAP': 0.9}, 0.1, dict.fromkeys(classes, 0.9))
    return Scores('a', 'c.py', 'coco/bbox_mAP', (row, better), pictures, 99, {}, percent, (), class_metric='AP')


@pytest.mark.parametrize(
    ('main', 'classes', 'said'),
    [
        (0.05, {'cat': 0.05}, 'a weak model: bbox_mAP 0.05, on 50 pictures'),
        (0.5, {'cat': 0.5, 'dog': 0.2}, ''),
        (0.5, {}, ''),
        (None, {}, ''),
        # Less than a third of what the classes have on average.
        (
            0.5,
            {'cat': 0.8, 'dog': 0.7, 'owl': 0.15},
            'a model that is weak in places: owl AP 0.15, on 50 pictures; the mean over its classes is 0.55',
        ),
        # Next to nothing, however low the others are, and one that is not in the pictures.
        (
            0.12,
            {'cat': 0.15, 'dog': 0.09, 'owl': -1.0},
            'a model that is weak in places: dog AP 0.09, on 50 pictures; the mean over its classes is 0.12',
        ),
    ],
)
def test_weakness(main: float | None, classes: dict[str, float], said: str) -> None:
    assert weakness(scores_of(main, classes)) == said


def test_the_weakest_are_named_and_the_rest_counted() -> None:
    classes = {f'class {index}': index / 100 for index in range(MOST_NAMED + 2)} | {'cat': 0.9}
    said = weakness(scores_of(0.5, classes, pictures=1))
    assert said.startswith(
        'a model that is weak in places: class 0 AP 0.00, class 1 AP 0.01, class 2 AP 0.02 and 2 more, on 1 picture; '
    )


def test_scores_in_percent_are_points_already() -> None:
    assert weakness(scores_of(50.0, {'cat': 50.0}, percent=True)) == ''
    assert weakness(scores_of(5.0, {}, percent=True)) == 'a weak model: bbox_mAP 5.00, on 50 pictures'
