"""Running a `.onnx` file: the checks of a package's interpreter, and files that cannot be opened."""

import re
import shutil
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import pytest

from mobileone_mm.artifact.runner import Runner
from mobileone_mm.errors import DataError, ExportError
from mobileone_mm.exporter.report import Report
from mobileone_mm.pictures.reading import read_picture, stretched
from mobileone_mm.pictures.synthetic import drawn_picture
from mobileone_mm.targets.coreml.interpreter import open_interpreter
from mobileone_mm.targets.coreml.package import open_package
from mobileone_mm.targets.onnx.target import TARGET
from mobileone_mm.tasks.by_name import read_card
from mobileone_mm.tasks.detection.suppression import rows_to_keep
from tiny_detector import SIZE

ROOT = Path(__file__).parents[3]
PICTURE = drawn_picture(SIZE)


def opened(path: Path) -> Runner:
    return TARGET.open(path).runner


@pytest.mark.parametrize('thresholds', [{}, {'iouThreshold': 0.2, 'confidenceThreshold': 0.4}])
def test_boxes_that_stay_are_those_of_the_raw_file(onnx_files: dict[str, Path], thresholds: dict[str, float]) -> None:
    raw = opened(onnx_files['raw']).predict({'image': PICTURE})
    given = {'iouThreshold': 0.45, 'confidenceThreshold': 0.25, **thresholds}
    rows = rows_to_keep(*raw.values(), *given.values())
    assert 3 < len(rows) < len(raw['raw_confidence'])
    found = opened(onnx_files['nms']).predict({'image': PICTURE, **thresholds})
    assert list(found) == ['confidence', 'coordinates']
    np.testing.assert_array_equal(found['confidence'], raw['raw_confidence'][rows])
    np.testing.assert_array_equal(found['coordinates'], raw['raw_coordinates'][rows])


def test_the_suppression_can_be_cut_off(onnx_files: dict[str, Path]) -> None:
    found = TARGET.open(onnx_files['nms']).raw.predict({'image': PICTURE})
    expected = TARGET.open(onnx_files['raw']).raw.predict({'image': PICTURE})
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values)


def test_metadata_and_inputs_and_no_remarks(
    onnx_files: dict[str, Path], exported: Report, capfd: pytest.CaptureFixture[str]
) -> None:
    saved = TARGET.open(onnx_files['nms'])
    assert saved.runner.inputs == ['image', 'iouThreshold', 'confidenceThreshold']
    assert capfd.readouterr() == ('', '')
    assert read_card(saved.metadata).classes == exported.info.classes
    assert opened(onnx_files['raw']).inputs == ['image']


@pytest.mark.parametrize(
    'inputs',
    [
        pytest.param({}, id='nothing'),
        pytest.param({'image': PICTURE, 'threshold': 0.5}, id='unknown'),
        pytest.param({'image': PICTURE[:5]}, id='size'),
        pytest.param({'image': PICTURE.astype(np.float32)}, id='type'),
        pytest.param({'image': PICTURE.transpose(2, 0, 1)}, id='order'),
        pytest.param({'image': PICTURE, 'iouThreshold': [0.5, 0.5]}, id='two numbers'),
        pytest.param({'image': PICTURE, 'confidenceThreshold': np.nan}, id='no number'),
    ],
)
def test_what_it_refuses_is_what_the_interpreter_refuses(
    inputs: dict[str, Any], onnx_files: dict[str, Path], exported: Report
) -> None:
    with pytest.raises(DataError, match='given, expected') as refusal:
        opened(onnx_files['nms']).predict(inputs)
    with pytest.raises(DataError) as expected:
        open_interpreter(open_package(exported.artifact)).predict(inputs)
    assert str(refusal.value) == str(expected.value)


@pytest.mark.parametrize('name', ['iouThreshold', 'confidenceThreshold'])
def test_thresholds_are_fractions(name: str, onnx_files: dict[str, Path]) -> None:
    with pytest.raises(DataError, match=rf'^{name}: 45 given, expected 0\.\.1$'):
        opened(onnx_files['nms']).predict({'image': PICTURE, name: 45})


def test_a_raw_file_takes_no_threshold(onnx_files: dict[str, Path]) -> None:
    with pytest.raises(DataError, match=r"inputs \['image', 'iouThreshold'\] given, expected image$"):
        opened(onnx_files['raw']).predict({'image': PICTURE, 'iouThreshold': 0.5})


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        pytest.param(None, 'no such file; expected a .onnx file as an export writes it', id='missing'),
        pytest.param(b'', 'cannot be read as an ONNX model: ', id='empty'),
        pytest.param(b'a letter to a friend', 'cannot be read as an ONNX model: ', id='no ONNX'),
        pytest.param(0.5, 'cannot be read as an ONNX model: ', id='truncated'),
        pytest.param('no text', 'it was changed or damaged since its export wrote it', id='a name that is no text'),
    ],
)
def test_files_that_cannot_be_opened(
    content: bytes | float | str | None,
    message: str,
    tmp_path: Path,
    onnx_files: dict[str, Path],
    capfd: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / 'bad.onnx'
    whole = onnx_files['raw'].read_bytes()
    if isinstance(content, float):
        content = whole[: int(len(whole) * content)]
    if isinstance(content, str):
        content = whole.replace(b'raw_coordinates', b'raw_\xffoordinates')
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ExportError) as error:
        opened(path)
    assert str(error.value).startswith(f'{path}: {message}')
    assert '\n' not in str(error.value)
    assert capfd.readouterr() == ('', '')


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match='no such file'):
        opened(tmp_path)


@pytest.mark.parametrize('shape', [(1, 3, 'height', 'width'), (2, 3, 64, 96), (1, 4, 64, 96), (64, 96)])
def test_a_model_that_takes_something_else(shape: tuple[Any, ...], tmp_path: Path) -> None:
    tensor, kind = onnx.helper.make_tensor_value_info, onnx.TensorProto.FLOAT
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node('Relu', ['photo'], ['out'])],
        'other',
        [tensor('photo', kind, shape)],
        [tensor('out', kind, shape)],
    )
    opsets = [onnx.helper.make_opsetid('', 18)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=opsets, ir_version=8), tmp_path / 'other.onnx')
    with pytest.raises(ExportError, match=r'input photo is tensor\(float\) of shape .*, expected a picture, tensor'):
        opened(tmp_path / 'other.onnx')


@pytest.mark.parametrize('package', ['onnx', 'onnxruntime'])
def test_a_missing_package_is_named(package: str, monkeypatch: pytest.MonkeyPatch, onnx_files: dict[str, Path]) -> None:
    monkeypatch.setitem(sys.modules, package, None)  # makes its import fail
    with pytest.raises(ExportError, match=rf"^{package} cannot be imported .*pip install 'mobileone-mm\[onnx\]'$"):
        opened(onnx_files['raw'])


def test_the_lines_of_the_documentation_run(
    onnx_files: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (lines,) = re.findall(r'```python\n(.*?)```', (ROOT / 'docs/onnx.md').read_text(), re.DOTALL)
    shutil.copy(onnx_files['nms'], tmp_path / 'detector.onnx')
    picture = cv2.resize(PICTURE[..., ::-1], (150, 110))
    cv2.imwrite(str(tmp_path / 'photo.jpg'), picture)
    monkeypatch.chdir(tmp_path)
    exec(lines, {})
    saved = TARGET.open(Path('detector.onnx'))
    found = saved.runner.predict({'image': stretched(read_picture('photo.jpg'), SIZE), 'confidenceThreshold': 0.4})
    best, (x, y, width, height) = found['confidence'][0], found['coordinates'][0]
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == len(found['confidence']) > 3
    assert printed[0] == (
        f'{read_card(saved.metadata).classes[best.argmax()]} {best.max():.2f}: '
        f'centre {x:.3f}, {y:.3f}, size {width:.3f} x {height:.3f}'
    )
