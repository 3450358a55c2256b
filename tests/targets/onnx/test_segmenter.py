"""A segmenter as an ONNX file, in ONNX Runtime."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from mobileone_mm.artifact import ladder
from mobileone_mm.errors import ExportError, UsageError
from mobileone_mm.exporter.verify import verify
from mobileone_mm.pictures.synthetic import drawn_picture
from mobileone_mm.targets.artifact import open_artifact
from mobileone_mm.tasks.segmentation.graph import CLASS_MAP, LOGITS
from mobileone_mm.tasks.task import run_graph
from programs import save_changed_onnx
from tiny_segmenter import SIZE, export_segmenter, graph_of

PICTURE = drawn_picture(SIZE)
FLOAT32 = 1e-5  # of the range of the logits


@pytest.mark.parametrize('options', [{}, {'logits': True}, {'map_stride': 4}], ids=str)
def test_a_file_gives_what_its_graph_gives(
    options: dict[str, Any], segmenter: tuple[Path, Path], tmp_path: Path
) -> None:
    report = export_segmenter(segmenter, tmp_path / 'seg.onnx', **options)
    assert ladder.first_failed(report.rungs) is None
    found = open_artifact(report.artifact).predict({'image': PICTURE})
    assert set(found) == ({LOGITS, CLASS_MAP} if options.get('logits') else {CLASS_MAP})
    expected = run_graph(graph_of(segmenter, **options), PICTURE)
    assert found[CLASS_MAP].dtype == np.int32
    assert np.array_equal(found[CLASS_MAP], expected[CLASS_MAP])
    if LOGITS in found:
        spread = expected[LOGITS].max() - expected[LOGITS].min()
        assert np.abs(found[LOGITS] - expected[LOGITS]).max() <= FLOAT32 * spread
    card, rungs = verify(report.artifact)
    assert card == report.info
    assert ladder.first_failed(rungs) is None


def test_what_onnx_has_not_is_refused(segmenter: tuple[Path, Path], tmp_path: Path) -> None:
    for options, message in (
        ({'nms': True}, '`nms`: for detectors, a segmenter given'),
        ({'map': 'image'}, r'`map` image: for \.mlpackage alone'),
    ):
        with pytest.raises(UsageError, match=message):
            export_segmenter(segmenter, tmp_path / 'seg.onnx', **options)
    assert not list(tmp_path.iterdir())


def test_a_map_that_is_shifted_fails(segmenter: tuple[Path, Path], tmp_path: Path) -> None:
    report = export_segmenter(segmenter, tmp_path / 'seg.onnx')
    model = onnx.load(report.artifact)
    resize = [node for node in model.graph.node if node.op_type == 'Resize'][-1]
    for attribute in resize.attribute:
        if attribute.name == 'coordinate_transformation_mode':
            attribute.s = b'asymmetric'
    save_changed_onnx(model, report.artifact)
    _, rungs = verify(report.artifact)
    assert ladder.first_failed(rungs) is not None


def test_a_broken_rule_is_named(segmenter: tuple[Path, Path], tmp_path: Path) -> None:
    report = export_segmenter(segmenter, tmp_path / 'seg.onnx')
    model = onnx.load(report.artifact)
    for entry in model.metadata_props:
        if entry.key == 'mobileone_mm.logits':
            entry.value = 'true'
    save_changed_onnx(model, report.artifact)
    with pytest.raises(ExportError, match=r"the outputs are \['semanticPredictions'\], the metadata say logits: True"):
        verify(report.artifact)
