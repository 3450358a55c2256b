"""The graph against the rows that mmdet's own code gives: the check goes red for what it is there for."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from mobileone_mm.artifact.ladder import require_rungs
from mobileone_mm.artifact.runner import Outputs
from mobileone_mm.errors import ParityError
from mobileone_mm.exporter.model_checks import GRAPH_RUNG
from mobileone_mm.openmmlab import configs
from mobileone_mm.openmmlab.open_model import open_model
from mobileone_mm.pictures.synthetic import drawn_picture
from mobileone_mm.reparam import fuse
from mobileone_mm.tasks.detection import rows
from mobileone_mm.tasks.detection.graph import DetectorGraph
from mobileone_mm.tasks.detection.rows import RAW_CONFIDENCE, RAW_COORDINATES
from mobileone_mm.tasks.task import Pairs, run_graph
from tiny_detector import SIZE, graph_of


@pytest.fixture(scope='module')
def trained(detector: tuple[Path, Path]) -> Outputs:
    model = open_model(configs.load_config(detector[0]), detector[1])[0].double()
    return rows.reference(model, drawn_picture(SIZE))


def rungs_of(pairs: Pairs) -> list[rows.Rung]:
    return rows.compare(GRAPH_RUNG, pairs, SIZE, 'graph')


@pytest.mark.parametrize('columns', [3, 80])
def test_the_graph_agrees(columns: int, detector: tuple[Path, Path], trained: Outputs) -> None:
    graph = graph_of(detector).padded(columns).eval()
    score, box = rungs_of([(trained, run_graph(graph, drawn_picture(SIZE)))])
    assert (score.unit, box.unit) == ('score', 'px')
    assert score.value is not None
    assert 0 < score.value < 1e-5  # not zero: they are two computations
    assert box.value is not None
    assert 0 < box.value < 1e-2


def test_a_bias_of_the_head_that_is_off_shows_in_px(detector: tuple[Path, Path], trained: Outputs) -> None:
    model = fuse(open_model(configs.load_config(detector[0]), detector[1])[0])
    with torch.no_grad():
        model.bbox_head.reg_convs[0][-1].bias[0] += 1.0
    wrong = run_graph(DetectorGraph(model, SIZE).eval(), drawn_picture(SIZE))
    score, box = rungs_of([(trained, wrong)])
    assert score.holds
    assert not box.holds
    with pytest.raises(ParityError, match=r'^exported graph = trained: .* px, limit 0\.5 px'):
        require_rungs([score, box])


def test_the_worst_picture_counts(trained: Outputs) -> None:
    off = {**trained, RAW_CONFIDENCE: trained[RAW_CONFIDENCE] + 0.25}
    score, _ = rungs_of([(trained, trained), (trained, off), (trained, trained)])
    assert score.value == pytest.approx(0.25)


def test_nan_does_not_hold(trained: Outputs) -> None:
    confidence = trained[RAW_CONFIDENCE].copy()
    confidence[5, 1] = math.nan
    rungs = rungs_of([(trained, trained), (trained, {**trained, RAW_CONFIDENCE: confidence})])
    assert not rungs[0].holds
    with pytest.raises(ParityError, match=r'no number, limit 0\.001 score'):
        require_rungs(rungs)


def test_rows_that_differ_are_no_comparison(trained: Outputs) -> None:
    fewer = {name: values[:-1] for name, values in trained.items()}
    with pytest.raises(ParityError, match=r'\(197, 3\) rows given, \(198, 3\) expected'):
        rungs_of([(trained, fewer)])


def test_boxes_are_centres_and_sizes_in_fractions(trained: Outputs) -> None:
    assert {name: values.shape for name, values in trained.items()} == {
        RAW_CONFIDENCE: (198, 3),
        RAW_COORDINATES: (198, 4),
    }
    assert all(values.dtype == np.float64 for values in trained.values())
    assert (trained[RAW_COORDINATES][:, 2:] > 0).all()
    assert (trained[RAW_CONFIDENCE] >= 0).all()
    assert (trained[RAW_CONFIDENCE].sum(axis=1) < 1).all()  # the background is left out
