"""A classifier as an ONNX file, in ONNX Runtime."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from mobileone_mm.artifact import ladder
from mobileone_mm.errors import ExportError, UsageError
from mobileone_mm.exporter.verify import verify
from mobileone_mm.pictures.reading import read_picture, write_picture
from mobileone_mm.pictures.synthetic import drawn_picture
from mobileone_mm.targets.artifact import open_artifact
from mobileone_mm.targets.onnx.target import TARGET
from mobileone_mm.tasks.classification.graph import LOGITS, PROBABILITIES
from mobileone_mm.tasks.task import run_graph
from programs import save_changed_onnx
from tiny_classifier import CLASSES, RESIZED, SHORT, SIDE, STRETCH, export_classifier, graph_of, new_classifier

FLOAT32 = 1e-5  # of a probability


@pytest.fixture(scope='module')
def onnx_file(classifier: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export_classifier(classifier, tmp_path_factory.mktemp('onnx') / 'cls.onnx').artifact


@pytest.mark.parametrize(('crop_inside', 'side', 'seen'), [('yes', SHORT, SIDE), ('no', SIDE, None)])
def test_a_file_gives_what_its_graph_gives(
    crop_inside: str, side: int, seen: int | None, classifier: tuple[Path, Path], tmp_path: Path
) -> None:
    report = export_classifier(classifier, tmp_path / 'cls.onnx', crop_inside=crop_inside)
    assert ladder.first_failed(report.rungs) is None
    artifact, picture = open_artifact(report.artifact), drawn_picture((side, side))
    found = artifact.predict({'image': picture})
    assert list(found) == [PROBABILITIES]
    expected = run_graph(graph_of(classifier, side, seen), picture)[PROBABILITIES]
    assert np.abs(found[PROBABILITIES] - expected).max() <= FLOAT32
    named = artifact.classify(picture)
    assert named == pytest.approx(dict(zip(CLASSES, expected[0].tolist(), strict=True)), abs=FLOAT32)
    assert list(named.values()) == sorted(named.values(), reverse=True)
    card, rungs = verify(report.artifact)
    assert card == report.info
    assert (card.input_size, card.crop, card.settings) == (
        (side, side),
        'centerCrop',
        {'crop_inside': seen, 'resize': RESIZED},
    )
    assert ladder.first_failed(rungs) is None


def test_what_onnx_has_not_is_refused(classifier: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match='`nms`: for detectors, a classifier given'):
        export_classifier(classifier, tmp_path / 'cls.onnx', nms=True)
    assert not list(tmp_path.iterdir())


def other_crop(model: Any) -> None:
    """The first of the numbers where a cut begins or ends, moved."""
    cut = next(node for node in model.graph.node if node.op_type == 'Slice')
    start = next(constant for constant in model.graph.initializer if constant.name == cut.input[1])
    start.CopyFrom(onnx.numpy_helper.from_array(np.array([0], np.int64), start.name))
    end = next(constant for constant in model.graph.initializer if constant.name == cut.input[2])
    end.CopyFrom(onnx.numpy_helper.from_array(np.array([SIDE], np.int64), end.name))


def test_another_crop_is_told_by_the_digest(onnx_file: Path, tmp_path: Path) -> None:
    model = onnx.load(onnx_file)
    other_crop(model)
    onnx.save(model, tmp_path / 'cls.onnx')
    with pytest.raises(ExportError, match='it was changed or damaged since'):
        verify(tmp_path / 'cls.onnx')


def of_other_axis(model: Any) -> None:
    model.graph.node[-1].attribute[0].i = 0


def test_a_softmax_over_something_else_fails(onnx_file: Path, tmp_path: Path) -> None:
    model = onnx.load(onnx_file)
    of_other_axis(model)
    save_changed_onnx(model, tmp_path / 'cls.onnx')
    _, rungs = verify(tmp_path / 'cls.onnx')
    assert ladder.first_failed(rungs) is not None


def another_name(model: Any) -> None:
    model.graph.output[0].name = model.graph.node[-1].output[0] = 'scores'


def without_softmax(model: Any) -> None:
    model.graph.node[-1].op_type = 'Sigmoid'
    del model.graph.node[-1].attribute[:]


def of_five_classes(model: Any) -> None:
    for entry in model.metadata_props:
        if entry.key == 'mobileone_mm.classes':
            entry.value = '["a", "b", "c", "d", "e"]'


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (another_name, r"the outputs are \['scores'\], expected \['classLabelProbs'\]"),
        (without_softmax, r"the last operation is \[\('Sigmoid', .*, expected Softmax of logits"),
        (of_five_classes, 'logits has shape 1x6, the metadata say 1x5'),
    ],
)
def test_a_broken_rule_is_named(change: Callable[[Any], None], message: str, onnx_file: Path, tmp_path: Path) -> None:
    model = onnx.load(onnx_file)
    change(model)
    save_changed_onnx(model, tmp_path / 'cls.onnx')
    with pytest.raises(ExportError, match=message):
        verify(tmp_path / 'cls.onnx')


@pytest.mark.parametrize('size', [(150, 90), (90, 150), (100, 100)])
@pytest.mark.parametrize('pipeline', ['crop', 'stretch'])
def test_the_python_lines_find_what_this_package_finds(
    pipeline: str,
    size: tuple[int, int],
    onnx_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if pipeline == 'stretch':
        (tmp_path / 'stretch').mkdir()
        onnx_file = export_classifier(
            new_classifier(tmp_path / 'stretch', pipeline=STRETCH), tmp_path / 's.onnx'
        ).artifact
    write_picture(tmp_path / 'street.jpg', drawn_picture(size))
    monkeypatch.chdir(onnx_file.parent)
    lines = TARGET.snippet(onnx_file, open_artifact(onnx_file).card)[1]
    assert 'street.jpg' in lines
    exec(lines.replace("'street.jpg'", repr(str(tmp_path / 'street.jpg'))), {})
    found = open_artifact(onnx_file).classify(read_picture(tmp_path / 'street.jpg'))
    printed = capsys.readouterr().out.splitlines()
    assert printed == [f'{name} {share:.1%}' for name, share in list(found.items())[:5]]
    assert LOGITS not in lines
