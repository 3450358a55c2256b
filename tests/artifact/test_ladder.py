"""The ladder's comparison of rows, its table, and where it stops."""

import math

import numpy as np
import pytest

from mobileone_mm.artifact.ladder import FLOAT16_LIMITS, FLOAT32_LIMITS, Boxes, Rung, require_rungs, row_rungs, table
from mobileone_mm.errors import ParityError

SIZE = (96, 64)
GRAPH = Boxes(np.array([[0.5, 0.25], [0.04, 0.01]]), np.array([[0.5, 0.5, 0.25, 0.25], [0.25, 0.25, 0.5, 0.5]]))


def found(row: int, score: float = 0.0, width: float = 0.0) -> Boxes:
    """GRAPH in a padded package, with one row off."""
    confidence, coordinates = np.pad(GRAPH.confidence, ((0, 0), (0, 2))), GRAPH.coordinates.copy()
    confidence[row, 0] += score
    coordinates[row, 2] += width
    return Boxes(confidence, coordinates)


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
def test_rows_above_a_score(boxes: Boxes, score: float, box: float) -> None:
    rungs = row_rungs('a -> b', [(GRAPH, found(0)), (GRAPH, boxes)], SIZE, FLOAT16_LIMITS, 0.05)
    assert [rung.value for rung in rungs] == pytest.approx([score, box], abs=1e-9, nan_ok=True)
    assert [rung.holds for rung in rungs] == [score <= 0.02, box <= 1]


def test_every_row_counts_without_a_score() -> None:
    rungs = row_rungs('a -> b', [(GRAPH, found(1, 2e-4, 0.5 / 96))], SIZE, FLOAT32_LIMITS)
    assert [rung.value for rung in rungs] == pytest.approx([2e-4, 0.5])
    assert [rung.holds for rung in rungs] == [False, False]


def test_background_only_is_said() -> None:
    nothing = Boxes(GRAPH.confidence / 20, GRAPH.coordinates)
    score, box = row_rungs('a -> b', [(nothing, nothing)], SIZE, FLOAT16_LIMITS, 0.05)
    assert score.holds
    assert (box.value, box.note) == (None, 'not run: no score above 0.05 in these pictures')


def test_confidence_in_a_padding_column_shows() -> None:
    boxes = found(0)
    boxes.confidence[1, 3] = 0.5
    assert not row_rungs('a -> b', [(GRAPH, boxes)], SIZE, FLOAT16_LIMITS, 0.05)[0].holds


def test_psnr_is_of_all_rows() -> None:
    # Scores 0.5, 0.25, 0.04, 0.01 and four padding zeros a picture: a range of 0.5, and one error in 16 entries.
    score, box = row_rungs('a -> b', [(GRAPH, found(0, 0.01)), (GRAPH, found(0))], SIZE, FLOAT16_LIMITS)
    assert score.psnr_db == pytest.approx(20 * math.log10(0.5 / (0.01 / math.sqrt(16))))
    assert box.psnr_db is None  # equal
    assert np.isfinite(score.psnr_db)


def test_a_rung_that_was_not_made_stops_nothing_and_one_that_is_off_does() -> None:
    require_rungs([Rung('a', None, 1.0, 'px', 'not run'), Rung('b', 1.0, 1.0, 'px')])
    with pytest.raises(ParityError, match=r'^b: 2\.00e\+00 px, limit 1 px \(why\)$'):
        require_rungs([Rung('a', 1.0, 1.0, 'px'), Rung('b', 2.0, 1.0, 'px', 'why'), Rung('c', 9.0, 1.0, 'px')])


def test_table_has_a_line_a_rung() -> None:
    lines = table([Rung('a -> b', 0.25, 1.0, 'px'), Rung('b -> c', None, 1.0, 'px', 'not run', 81.4)]).splitlines()
    assert [line.split() for line in lines[1:]] == [
        ['a', '->', 'b', '2.5e-01', '1.0e+00', 'px'],
        ['b', '->', 'c', '-', '1.0e+00', 'px', '81', '(not', 'run)'],
    ]
