"""Raw rows of a detector against those of another form of it: which differences count, and in which unit."""

import math

import numpy as np
import pytest

from mobileone_mm.artifact.inputs import Array
from mobileone_mm.errors import ParityError
from mobileone_mm.tasks.detection.rows import compare

SIZE = (96, 64)
GRAPH = {
    'raw_confidence': np.array([[0.5, 0.25], [0.04, 0.01]]),
    'raw_coordinates': np.array([[0.5, 0.5, 0.25, 0.25], [0.25, 0.25, 0.5, 0.5]]),
}


def found(row: int, score: float = 0.0, width: float = 0.0) -> dict[str, Array]:
    """GRAPH in a padded package, with one row off."""
    confidence, coordinates = np.pad(GRAPH['raw_confidence'], ((0, 0), (0, 2))), GRAPH['raw_coordinates'].copy()
    confidence[row, 0] += score
    coordinates[row, 2] += width
    return {'raw_confidence': confidence, 'raw_coordinates': coordinates}


@pytest.mark.parametrize(
    ('boxes', 'score', 'box'),
    [
        pytest.param(found(0), 0, 0, id='nothing is off'),
        pytest.param(found(0, 0.01, 0.5 / 96), 0.01, 0.5, id='a row that counts'),
        pytest.param(found(1, 0.005, 0.5 / 96), 0.005, 0, id='where background lies says nothing'),
        pytest.param(found(1, 0.5, 0.5 / 96), 0.5, 0.5, id='background for the graph alone'),
        pytest.param(found(0, math.nan), math.nan, 0, id='NaN in score'),
        pytest.param(found(1, 0, math.inf), 0, math.nan, id='infinity in a box of background'),
    ],
)
def test_rows_above_a_score(boxes: dict[str, Array], score: float, box: float) -> None:
    rungs = compare('a -> b', [(GRAPH, found(0)), (GRAPH, boxes)], SIZE, 'float16')
    assert [rung.value for rung in rungs] == pytest.approx([score, box], abs=1e-9, nan_ok=True)
    assert [rung.holds for rung in rungs] == [score <= 0.02, box <= 1]


def test_every_row_counts_without_a_score() -> None:
    rungs = compare('a -> b', [(GRAPH, found(1, 2e-4, 0.5 / 96))], SIZE, 'float32')
    assert [rung.value for rung in rungs] == pytest.approx([2e-4, 0.5])
    assert [rung.holds for rung in rungs] == [False, False]


def test_background_only_is_said() -> None:
    nothing = {**GRAPH, 'raw_confidence': GRAPH['raw_confidence'] / 20}
    score, box = compare('a -> b', [(nothing, nothing)], SIZE, 'float16')
    assert score.holds
    assert (box.value, box.note) == (None, 'not run: no score above 0.05 in these pictures')


def test_confidence_in_a_padding_column_shows() -> None:
    boxes = found(0)
    boxes['raw_confidence'][1, 3] = 0.5
    assert not compare('a -> b', [(GRAPH, boxes)], SIZE, 'float16')[0].holds


def test_psnr_is_of_all_rows() -> None:
    # Scores 0.5, 0.25, 0.04, 0.01 and four padding zeros a picture: a range of 0.5, and one error in 16 entries.
    score, box = compare('a -> b', [(GRAPH, found(0, 0.01)), (GRAPH, found(0))], SIZE, 'float16')
    assert score.psnr_db == pytest.approx(20 * math.log10(0.5 / (0.01 / math.sqrt(16))))
    assert box.psnr_db is None  # equal
    assert np.isfinite(score.psnr_db)


def test_other_rows_or_classes_are_no_comparison() -> None:
    fewer = {name: values[:1] for name, values in GRAPH.items()}
    with pytest.raises(ParityError, match=r'^a -> b: \(1, 2\) rows given, \(2, 2\) expected$'):
        compare('a -> b', [(GRAPH, fewer)], SIZE, 'graph')
    one_class = {**GRAPH, 'raw_confidence': GRAPH['raw_confidence'][:, :1]}
    with pytest.raises(ParityError, match=r'\(2, 1\) rows given, \(2, 2\) expected'):
        compare('a -> b', [(GRAPH, one_class)], SIZE, 'graph')
