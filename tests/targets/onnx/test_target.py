"""ONNX files by the ladder: what an export says of one, and that one which computes something else is refused."""

import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import onnx
import pytest

from mobileone_mm.artifact import digest, ladder
from mobileone_mm.errors import ExportError, MobileOneError, ParityError
from mobileone_mm.exporter.report import Report
from mobileone_mm.exporter.verify import verify
from mobileone_mm.pictures.synthetic import drawn_picture
from mobileone_mm.targets.onnx import target
from mobileone_mm.targets.onnx.file import file_digest, read_onnx, save_onnx
from mobileone_mm.targets.onnx.target import LAYERS_RUNG, ONNX_RUNG, TARGET
from mobileone_mm.tasks.detection.suppression_checks import SUPPRESSION_RUNG
from mobileone_mm.tasks.task import run_graph
from programs import save_changed_onnx
from tiny_detector import CLASSES, SIZE, export_tiny, graph_of

EXACT = 1e-5  # score; the same float32 numbers, added in another order, showed 8e-7

Change = Callable[[Any], None]


@pytest.mark.parametrize('form', ['raw', 'nms'])
def test_what_an_export_says_of_a_file(form: str, onnx_reports: dict[str, Report], exported: Report) -> None:
    report = onnx_reports[form]
    info = report.info
    assert (info.target, info.precision, info.weights, info.layers) == ('ONNX opset 18', 'float32', 'float32', {})
    assert {'onnx', 'onnxruntime', 'onnxscript'} <= set(info.versions)
    assert 'coremltools' not in info.versions
    assert (info.probe, info.checkpoint_sha256) == (exported.info.probe, exported.info.checkpoint_sha256)
    assert report.facts == {**exported.facts, 'columns': len(CLASSES)}
    assert report.bytes == report.artifact.stat().st_size
    assert ('NonMaxSuppression' in report.operations) == (form == 'nms')


@pytest.mark.parametrize(('form', 'behind'), [('raw', []), ('nms', [(SUPPRESSION_RUNG, 'rows')])])
def test_the_rungs_of_a_file(form: str, behind: list[tuple[str, str]], onnx_reports: dict[str, Report]) -> None:
    report = onnx_reports[form]
    rungs = report.rungs[5:]
    assert [(rung.name, rung.unit) for rung in rungs] == [(ONNX_RUNG, 'score'), (ONNX_RUNG, 'px'), *behind]
    assert all(rung.holds for rung in report.rungs)
    assert rungs[0].value is not None
    assert 0 < rungs[0].value < EXACT

    card, again = verify(report.artifact)
    assert card == report.info
    expected = [(ladder.PROBE_RUNG, 'score'), (ladder.PROBE_RUNG, 'px'), *behind]
    assert [(rung.name, rung.unit) for rung in again] == expected
    assert all(rung.holds for rung in again)
    assert again[0].value is not None
    assert 0 < again[0].value < EXACT


def attribute(node: Any, name: str) -> Any:
    return next(one for one in node.attribute if one.name == name)


def of_a_kind(model: Any, kind: str) -> list[Any]:
    return [node for node in model.graph.node if node.op_type == kind]


def depthwise(model: Any) -> Any:
    """A convolution of 3 x 3 that moves by one pixel: other padding can leave its shapes as they are."""
    return next(
        node
        for node in of_a_kind(model, 'Conv')
        if list(attribute(node, 'strides').ints) == [1, 1] and attribute(node, 'group').i > 1
    )


def shifted(model: Any) -> None:
    attribute(depthwise(model), 'pads').ints[:] = [2, 2, 0, 0]


def dilated(model: Any) -> None:
    for name in ('dilations', 'pads'):
        values = attribute(depthwise(model), name).ints
        values[:] = [2] * len(values)


def in_other_groups(model: Any) -> None:
    attribute(depthwise(model), 'group').i //= 2


def without_activation(model: Any) -> None:
    of_a_kind(model, 'Relu')[-1].op_type = 'Identity'


def softmax_over_boxes(model: Any) -> None:
    (softmax,) = of_a_kind(model, 'Softmax')
    attribute(softmax, 'axis').i = 0


def scaled_weights(model: Any) -> None:
    constant = next(one for one in model.graph.initializer if one.name == 'model.backbone.stage0.reparam_conv.weight')
    constant.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(constant) * 1.1, constant.name))


@pytest.mark.parametrize('form', ['raw', 'nms'])
@pytest.mark.parametrize(
    ('change', 'error', 'message'),
    [
        (shifted, ParityError, f'^{ladder.plain_name(ladder.PROBE_RUNG)}: '),
        (dilated, ParityError, f'^{ladder.plain_name(ladder.PROBE_RUNG)}: '),
        (in_other_groups, ExportError, r'changed\.onnx: ONNX Runtime cannot run it: .*group'),
        (without_activation, ParityError, f'^{ladder.plain_name(ladder.PROBE_RUNG)}: '),
        (softmax_over_boxes, ParityError, f'^{ladder.plain_name(ladder.PROBE_RUNG)}: '),
        (scaled_weights, ParityError, f'^{ladder.plain_name(ladder.PROBE_RUNG)}: '),
    ],
)
def test_a_file_that_computes_something_else_is_refused(
    form: str,
    change: Change,
    error: type[MobileOneError],
    message: str,
    onnx_files: dict[str, Path],
    tmp_path: Path,
) -> None:
    model = read_onnx(onnx_files[form])
    change(model)
    save_changed_onnx(model, tmp_path / 'changed.onnx')
    with pytest.raises(error, match=message) as caught:
        ladder.require_rungs(verify(tmp_path / 'changed.onnx')[1])
    assert '\n' not in str(caught.value)


@pytest.mark.parametrize('changes', [{'iou_threshold': 0.2}, {'confidence_threshold': 0.5}])
def test_the_suppression_is_judged_by_the_thresholds(
    changes: dict[str, float], onnx_reports: dict[str, Report], detector: tuple[Path, Path]
) -> None:
    report, graph, picture = onnx_reports['nms'], graph_of(detector), drawn_picture(SIZE)
    card = replace(report.info, settings={**report.info.settings, **changes})
    *_, rung = TARGET.rungs(TARGET.open(report.artifact), card, graph, [picture], [run_graph(graph, picture)])
    assert rung.name == SUPPRESSION_RUNG
    assert rung.value is not None
    assert rung.value > 0


@contextmanager
def saved_wrong(monkeypatch: pytest.MonkeyPatch, change: Change) -> Iterator[None]:
    """On its way to the disk, a model changes: only what reads the file can see that."""

    def save(model: Any, metadata: dict[str, str], path: Path) -> None:
        change(model)
        save_onnx(model, metadata | digest.entry(file_digest(model, metadata.items())), path)

    with monkeypatch.context() as faulty:
        faulty.setattr(target, 'save_onnx', save)
        yield


@pytest.mark.parametrize(
    ('change', 'error', 'message'),
    [
        pytest.param(shifted, ParityError, f'^{ladder.plain_name(LAYERS_RUNG)}: ', id='a rung'),
        pytest.param(
            lambda model: attribute(of_a_kind(model, 'NonMaxSuppression')[0], 'center_point_box').__setattr__('i', 0),
            ExportError,
            'operations are not the suppression that this version writes',
            id='the contract',
        ),
    ],
)
def test_an_older_file_stays_whole_when_the_export_fails(
    change: Change,
    error: type[MobileOneError],
    message: str,
    detector: tuple[Path, Path],
    onnx_files: dict[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = shutil.copy(onnx_files['raw'], tmp_path / 'd.onnx')
    for path in (out, tmp_path / 'new.onnx'):
        with saved_wrong(monkeypatch, change), pytest.raises(error, match=message):
            export_tiny(detector, path, nms=True)
    assert list(tmp_path.iterdir()) == [out]
    assert out.read_bytes() == onnx_files['raw'].read_bytes()


@pytest.mark.parametrize(
    ('package', 'extra'),
    [('onnx', 'onnx'), ('onnxscript', 'onnx'), ('onnxruntime', 'onnx'), ('supervision', 'pictures')],
)
def test_what_is_missing_is_said_before_anything_is_made(
    package: str,
    extra: str,
    detector: tuple[Path, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(sys.modules, package, None)  # makes its import fail
    with pytest.raises(
        MobileOneError, match=rf"^{package} cannot be imported .*: pip install 'mobileone-mm\[{extra}\]'$"
    ):
        export_tiny(detector, tmp_path / 'd.onnx')
    assert list(tmp_path.iterdir()) == []
    assert capsys.readouterr().err == ''
