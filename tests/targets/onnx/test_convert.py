"""The tiny SSD as ONNX in ONNX Runtime, which is nobody's here: it judges the graph, and the package's interpreter."""

import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mobileone_mm.artifact.inputs import Array
from mobileone_mm.artifact.runner import Outputs
from mobileone_mm.errors import ExportError
from mobileone_mm.exporter.report import Report
from mobileone_mm.pictures.synthetic import drawn_picture
from mobileone_mm.targets.coreml.interpreter import open_interpreter
from mobileone_mm.targets.coreml.package import open_package
from mobileone_mm.targets.coreml.stored import as_stored
from mobileone_mm.targets.onnx.convert import operations, to_onnx
from mobileone_mm.targets.onnx.file import read_onnx, save_onnx
from mobileone_mm.targets.onnx.target import TARGET
from mobileone_mm.tasks.detection.graph import DetectorGraph
from mobileone_mm.tasks.task import run_graph
from tiny_detector import CLASSES, MIXED_RATIOS, SIZE, export_tiny, graph_of

ONNX_SCORE_LIMIT = 1e-5  # score; float32 in ONNX Runtime against float32 in torch (1e-6 was seen)
ONNX_BOX_LIMIT = 1e-3  # px; the same (2e-5)
INTERPRETER_SCORE_LIMIT = 1e-5  # score; the package's program without rounding, the same constants (3e-6 was seen)
INTERPRETER_BOX_LIMIT = 1e-3  # px; the same (5e-5)
PICTURE = drawn_picture(SIZE)


def require_close(found: Outputs, confidence: Array, coordinates: Array, score: float, pixels: float) -> None:
    assert list(found) == ['raw_confidence', 'raw_coordinates']
    assert {values.dtype for values in found.values()} == {np.dtype(np.float32)}
    np.testing.assert_allclose(found['raw_confidence'], confidence, rtol=0, atol=score)
    sides = np.array((*SIZE, *SIZE))
    np.testing.assert_allclose(found['raw_coordinates'] * sides, coordinates * sides, rtol=0, atol=pixels)


def test_onnx_runtime_gives_what_torch_gives(detector: tuple[Path, Path], onnx_files: dict[str, Path]) -> None:
    confidence, coordinates = run_graph(graph_of(detector), PICTURE).values()
    assert confidence.std() > 0.1
    found = TARGET.open(onnx_files['raw']).runner.predict({'image': PICTURE})
    require_close(found, confidence, coordinates, ONNX_SCORE_LIMIT, ONNX_BOX_LIMIT)


def judge_interpreter(package: Path, detector: tuple[Path, Path], path: Path) -> None:
    """The package's program without rounding, by the graph with the package's own constants in ONNX Runtime."""
    interpreter = open_interpreter(open_package(package))
    stored, _ = as_stored(graph_of(detector), interpreter.program.constants, half=True)
    save_onnx(to_onnx(stored, 'stored'), {}, path)
    judge = TARGET.open(path).runner.predict({'image': PICTURE})
    raw = interpreter.raw({'image': PICTURE}, 'float32')
    confidence = raw['raw_confidence'][:, : len(CLASSES)]
    require_close(judge, confidence, raw['raw_coordinates'], INTERPRETER_SCORE_LIMIT, INTERPRETER_BOX_LIMIT)


def test_onnx_runtime_gives_what_the_interpreter_gives(
    detector: tuple[Path, Path], exported: Report, tmp_path: Path
) -> None:
    judge_interpreter(exported.artifact, detector, tmp_path / 'tiny.onnx')


def test_and_so_it_does_of_levels_that_differ(make_detector: Callable[..., tuple[Path, Path]], tmp_path: Path) -> None:
    detector = make_detector(tmp_path, ratios=MIXED_RATIOS, means=[0.1, -0.2, 0.3, -0.4], to_rgb=False)
    package = export_tiny(detector, tmp_path / 'tiny.mlpackage').artifact
    judge_interpreter(package, detector, tmp_path / 'tiny.onnx')


def test_the_graph_is_plain(onnx_files: dict[str, Path]) -> None:
    found = operations(read_onnx(onnx_files['raw']))
    convolutions, activations = found.pop('Conv'), found.pop('Relu') + found.pop('Clip')
    assert 0 < activations <= convolutions
    # Listed in docs/onnx.md; an exporter may need fewer. One Clip more is in the count of activations: that of the box
    # sizes.
    most = {
        'Sub': 1,
        'Mul': 4,
        'Reshape': 12,
        'Concat': 3,
        'Softmax': 1,
        'Slice': 3,
        'Exp': 1,
        'Add': 1,
        'Transpose': 2,
    }
    assert found <= Counter(most)


def test_nothing_of_this_machine_is_in_the_file(onnx_files: dict[str, Path]) -> None:
    model = read_onnx(onnx_files['nms'])
    model.ClearField('metadata_props')  # that one names the config and the checkpoint, as they were given
    text = model.SerializeToString()
    assert b'.py' not in text
    assert str(Path.cwd()).encode() not in text


def test_the_same_graph_gives_the_same_file_and_no_remarks(
    detector: tuple[Path, Path], onnx_files: dict[str, Path], capfd: pytest.CaptureFixture[str]
) -> None:
    again = to_onnx(graph_of(detector), 'detector')
    assert capfd.readouterr() == ('', '')
    assert again.graph == read_onnx(onnx_files['raw']).graph


@pytest.mark.parametrize('package', ['onnx', 'onnxscript'])
def test_a_missing_package_is_named(package: str, monkeypatch: pytest.MonkeyPatch, detector: tuple[Path, Path]) -> None:
    monkeypatch.setitem(sys.modules, package, None)  # makes its import fail
    with pytest.raises(ExportError, match=rf"^{package} cannot be imported .*pip install 'mobileone-mm\[onnx\]'$"):
        to_onnx(graph_of(detector), 'detector')


def test_what_torch_cannot_convert(detector: tuple[Path, Path]) -> None:
    class Asking(DetectorGraph):
        def forward(self, image: torch.Tensor) -> Any:
            return super().forward(image) if image.sum() > 0 else image

    graph = graph_of(detector)
    graph.__class__ = Asking
    with pytest.raises(ExportError, match=r'^torch cannot convert this model to ONNX: ') as error:
        to_onnx(graph, 'asking')
    assert '\n' not in str(error.value)
