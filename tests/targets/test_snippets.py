"""The lines to use an export: those of the document, and lines that run."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mobileone_mm.exporter.report import Report
from mobileone_mm.pictures.reading import read_picture, stretched, write_picture
from mobileone_mm.pictures.synthetic import drawn_picture
from mobileone_mm.targets.coreml import target as coreml
from mobileone_mm.targets.onnx import target as onnx
from mobileone_mm.tasks.detection.detections import Rules, predict

ROOT = Path(__file__).parents[2]
SCORE_LIMIT = 1e-6  # score; one model, the same picture
MANY = 1000


def test_the_swift_lines_are_those_of_the_document(exported: Report) -> None:
    document = (ROOT / 'docs/swift.md').read_text()
    lines = re.findall(r'```swift\n(.*?)```', document, re.DOTALL)[0]
    settings = {**exported.info.settings, 'iou_threshold': 0.45, 'confidence_threshold': 0.3}
    card = replace(exported.info, settings=settings)
    assert coreml.TARGET.snippet(Path('somewhere/detector.mlpackage'), card)[1] == lines


@pytest.mark.parametrize(('name', 'model'), [('cells', 'cells'), ('my-cells v2.1', 'my_cells_v2_1')])
def test_the_class_in_swift_is_made_of_the_name(exported: Report, name: str, model: str) -> None:
    intro, lines = coreml.TARGET.snippet(Path(f'{name}.mlpackage'), exported.info)
    assert f'for: {model}(configuration:' in lines
    assert intro == f'Drag {name}.mlpackage into Xcode, which generates the class {model} from it.'


@pytest.mark.parametrize('kind', ['raw', 'nms'])
def test_the_python_lines_find_what_this_package_finds(
    kind: str,
    onnx_files: dict[str, Path],
    exported: Report,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path, card = onnx_files[kind], replace(exported.info, classes=("it's", 'b"', 'c\\'))
    write_picture(tmp_path / 'street.jpg', drawn_picture((150, 80)))
    (tmp_path / path.name).symlink_to(path)
    monkeypatch.chdir(tmp_path)
    exec(onnx.TARGET.snippet(path, card)[1], {})
    picture = stretched(read_picture('street.jpg'), card.input_size)
    rules = Rules(card.settings['confidence_threshold'], card.settings['iou_threshold'], MANY)
    found = predict(onnx.TARGET.open(path).runner, picture, rules)
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == len(found.scores) > 2
    rows = sorted(((card.classes[label], score) for label, score in zip(found.labels, found.scores, strict=True)))
    shown = sorted((name, float(score)) for name, score in (line.split(' [')[0].rsplit(' ', 1) for line in printed))
    assert [name for name, _ in shown] == [name for name, _ in rows]
    np.testing.assert_allclose([score for _, score in shown], [score for _, score in rows], rtol=0, atol=SCORE_LIMIT)
