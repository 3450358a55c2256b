"""The ladder's rungs: each goes red for what it is there for."""

import math
from pathlib import Path

import pytest
import torch

from mobileone_mm.artifact.ladder import Boxes, require_rungs
from mobileone_mm.errors import ExportError, ParityError
from mobileone_mm.exporter import verify
from mobileone_mm.exporter.report import Report
from mobileone_mm.openmmlab import configs, open_model
from mobileone_mm.parity import Parity
from mobileone_mm.pictures.reading import drawn_picture
from mobileone_mm.reparam import fuse
from mobileone_mm.tasks.detection.graph import DetectorGraph

SIZE = (96, 64)


@pytest.fixture(scope='module')
def graph(detector: tuple[Path, Path]) -> DetectorGraph:
    config_file, weights = detector
    return DetectorGraph(fuse(open_model.open_model(configs.load_config(config_file), weights)[0]), SIZE, 80).eval()


@pytest.fixture(scope='module')
def trained(detector: tuple[Path, Path]) -> Boxes:
    config_file, weights = detector
    return verify.trained_boxes(
        open_model.open_model(configs.load_config(config_file), weights)[0].double(), drawn_picture(SIZE)
    )


def test_a_graph_computes_with_one_thread_wherever_it_is(graph: DetectorGraph) -> None:
    used = []
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    hook = graph.normalise.register_forward_pre_hook(lambda *_: used.append(torch.get_num_threads()))
    try:
        verify.graph_boxes(graph, drawn_picture(SIZE), 3)
        assert (used, torch.get_num_threads()) == ([1], 2)
    finally:
        hook.remove()
        torch.set_num_threads(before)


def test_graph_rungs_hold(graph: DetectorGraph, trained: Boxes) -> None:
    score, box = verify.graph_rungs([(trained, verify.graph_boxes(graph, drawn_picture(SIZE), 3))], SIZE)
    assert (score.unit, box.unit) == ('score', 'px')
    assert score.value is not None
    assert 0 < score.value < 1e-5  # not zero: they are two computations
    assert box.value is not None
    assert 0 < box.value < 1e-2


def test_a_bias_of_the_head_that_is_off_shows_in_px(detector: tuple[Path, Path], trained: Boxes) -> None:
    config_file, weights = detector
    model = fuse(open_model.open_model(configs.load_config(config_file), weights)[0])
    with torch.no_grad():
        model.bbox_head.reg_convs[0][-1].bias[0] += 1.0
    wrong = verify.graph_boxes(DetectorGraph(model, SIZE, 3).eval(), drawn_picture(SIZE), 3)
    score, box = verify.graph_rungs([(trained, wrong)], SIZE)
    assert score.holds
    assert not box.holds
    with pytest.raises(ParityError, match=r'trained -> graph, float32: .* px, limit 0\.5 px'):
        require_rungs([score, box])


def test_the_worst_picture_counts(trained: Boxes) -> None:
    off = Boxes(trained.confidence + 0.25, trained.coordinates)
    score, _ = verify.graph_rungs([(trained, trained), (trained, off), (trained, trained)], SIZE)
    assert score.value == pytest.approx(0.25)


def test_nan_does_not_hold(trained: Boxes) -> None:
    confidence = trained.confidence.copy()
    confidence[5, 1] = math.nan
    rungs = verify.graph_rungs([(trained, trained), (trained, Boxes(confidence, trained.coordinates))], SIZE)
    assert not rungs[0].holds
    with pytest.raises(ParityError, match='nan score'):
        require_rungs(rungs)


def test_rows_that_differ_are_no_comparison(trained: Boxes) -> None:
    fewer = Boxes(trained.confidence[:-1], trained.coordinates[:-1])
    with pytest.raises(ParityError, match=r'\(197, 3\) rows given, \(198, 3\) expected'):
        verify.graph_rungs([(trained, fewer)], SIZE)


def test_fused_rung() -> None:
    good, bad = (Parity(max_abs=error, scale=100.0, psnr_db=200.0, size=9) for error in (1e-9, 1e-7))
    assert verify.fused_rung(good, 'trained').holds
    assert not verify.fused_rung(bad, 'trained').holds


def test_a_fused_checkpoint_has_no_trained_form_to_be_compared_with() -> None:
    rung = verify.fused_rung(Parity(max_abs=0.0, scale=1.0, psnr_db=float('inf'), size=9), 'fused')
    assert (rung.value, rung.note) == (None, 'not run: the checkpoint was fused before')


def test_verify_opens_and_judges(exported: Report, tmp_path: Path) -> None:
    assert verify.verify(exported.artifact) == exported.info
    with pytest.raises(ExportError, match='no such package folder'):
        verify.verify(tmp_path / 'none.mlpackage')
