"""Core ML's runner, without Core ML: `coremltools.models.MLModel` is played by one that is as strict as on macOS."""

import platform
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from mobileone_mm.errors import DataError, ExportError
from mobileone_mm.exporter.report import Report
from mobileone_mm.exporter.verify import verify
from mobileone_mm.pictures.synthetic import drawn_picture
from mobileone_mm.targets.artifact import open_artifact
from mobileone_mm.targets.coreml import runner
from mobileone_mm.targets.coreml.interpreter import Interpreter, open_interpreter
from mobileone_mm.targets.coreml.library import coremltools
from mobileone_mm.targets.coreml.package import open_package
from mobileone_mm.targets.coreml.runner import CoreMLRunner, open_in_core_ml
from mobileone_mm.tasks.detection.suppression_checks import COREML_RUNG
from programs import convert, saved
from tiny_detector import SIZE

PICTURE = drawn_picture(SIZE)


class StandIn:
    """What coremltools' documentation and source say of `MLModel` on macOS; it computes with this package's own torch.

    `predict` takes a dict: a PIL image in mode RGB for a picture, an array for an array, a Python float for a number;
    inputs that are optional may be missing. It gives a dict of NumPy arrays.
    """

    def __init__(self, model: str, compute_units: Any = None, skip_model_load: bool = False) -> None:
        if not isinstance(model, str):
            raise TypeError('Expected model to be a .mlmodel file, .mlpackage file or a Model_pb2 object')
        if not model.endswith('.mlpackage'):
            raise RuntimeError(f'Error compiling model: "{model}" is of no known type')
        self.units = compute_units
        self.package = open_package(model)
        self.given: list[dict[str, Any]] = []

    def predict(self, data: dict[str, Any]) -> dict[str, Any]:
        if type(data) is not dict:
            raise TypeError(f'"data" parameter must be either a dict or list of dict, but got {type(data)}.')
        features = {feature.name: feature for feature in self.package.spec.description.input}
        for name in data:
            if name not in features:
                raise KeyError(f'Provided key "{name}", in the input dict, does not match any of the model input names')
        for name, feature in features.items():
            if name in data:
                _require(name, feature.type, data[name])
            elif not feature.type.isOptional:
                raise RuntimeError(f'Feature {name} is required but not specified.')
        self.given.append(data)
        interpreter = open_interpreter(self.package)
        found: dict[str, Any] = interpreter.predict({name: np.asarray(value) for name, value in data.items()})
        if interpreter.labels is not None:  # a str, and a dict of floats in no order that counts
            label, names = interpreter.labels.label, interpreter.labels.names
            values = dict(zip(names, found[interpreter.labels.dictionary].ravel().tolist(), strict=True))
            found = {label: str(found[label]), interpreter.labels.dictionary: dict(reversed(values.items()))}
        return found


def _require(name: str, kind: Any, value: Any) -> None:
    match kind.WhichOneof('Type'):
        case 'imageType':
            if not isinstance(value, Image.Image) or value.mode != 'RGB':
                raise TypeError(f"RGB/BGR image input, '{name}', must be of type PIL.Image.Image with mode=='RGB'")
            if value.size != (kind.imageType.width, kind.imageType.height):
                raise RuntimeError(f'MLModelErrorDomain Code=1: image {name} is not in the size that is described.')
        case 'doubleType':
            if type(value) is not float:
                raise RuntimeError(f'value type not convertible: {type(value)}')
        case _:
            if not isinstance(value, np.ndarray) or value.shape != tuple(kind.multiArrayType.shape):
                raise RuntimeError(f'MultiArray shape of {name} does not match the shape that is described.')


@pytest.fixture(autouse=True)
def _on_a_mac(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coremltools().models, 'MLModel', StandIn)


@pytest.fixture
def on_core_ml(exported: Report) -> CoreMLRunner:
    return open_in_core_ml(open_package(exported.artifact))


@pytest.fixture(scope='module')
def here(exported: Report) -> Interpreter:
    return open_interpreter(open_package(exported.artifact))


@pytest.mark.parametrize(
    'thresholds',
    [
        {},
        {'iouThreshold': 0.2, 'confidenceThreshold': 0.4},
        {'confidenceThreshold': 1},
        {'iouThreshold': np.float32(0.25)},
        {'confidenceThreshold': np.array(0.5)},
    ],
    ids=['none', 'floats', 'int', 'float32', 'array'],
)
def test_core_ml_is_given_what_it_takes(
    thresholds: Mapping[str, Any], on_core_ml: CoreMLRunner, here: Interpreter
) -> None:
    inputs = {'image': PICTURE, **thresholds}
    found, expected = on_core_ml.predict(inputs), here.predict(inputs)
    assert list(found) == list(expected) == ['confidence', 'coordinates']
    for name, values in expected.items():
        assert type(found[name]) is np.ndarray
        np.testing.assert_array_equal(found[name], values)
    (given,) = on_core_ml.model.given
    assert list(given) == list(inputs)
    np.testing.assert_array_equal(np.asarray(given['image']), PICTURE)
    assert {name: given[name] for name in thresholds} == {name: float(value) for name, value in thresholds.items()}


def test_its_inputs_have_the_names_of_the_package(on_core_ml: CoreMLRunner, here: Interpreter) -> None:
    assert on_core_ml.inputs == here.inputs == ['image', 'iouThreshold', 'confidenceThreshold']


def test_a_picture_may_lie_in_memory_as_it_likes(on_core_ml: CoreMLRunner) -> None:
    mirrored = PICTURE[:, ::-1, ::-1]
    on_core_ml.predict({'image': mirrored})
    np.testing.assert_array_equal(np.asarray(on_core_ml.model.given[-1]['image']), mirrored)


@pytest.fixture(scope='module')
def of_arrays(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A package that takes an array; made before there is a stand-in, since the converter needs the real one."""
    folder = tmp_path_factory.mktemp('arrays')
    saved(convert(nn.ReLU(), [torch.zeros(2, 3)]), folder)
    return folder / 'tiny.mlpackage'


def test_an_array_goes_as_the_package_declares_it(of_arrays: Path) -> None:
    program = open_in_core_ml(open_package(of_arrays))
    found = program.predict({'a': [[1, -2, 3], [-4, 5, -6]]})
    assert found['out'].tolist() == [[1, 0, 3], [0, 5, 0]]
    (given,) = program.model.given
    assert (type(given['a']), given['a'].shape) == (np.ndarray, (2, 3))


@pytest.mark.parametrize(
    'inputs',
    [
        {},
        {'image': PICTURE, 'threshold': 0.5},
        {'image': PICTURE[:5]},
        {'image': PICTURE.transpose(1, 0, 2)},
        {'image': PICTURE[..., 0]},
        {'image': PICTURE.astype(np.float32)},
        {'image': PICTURE, 'iouThreshold': [0.5, 0.5]},
        {'image': PICTURE, 'iouThreshold': np.nan},
    ],
    ids=['nothing', 'unknown', 'size', 'on its side', 'grey', 'type', 'two numbers', 'no number'],
)
def test_what_it_refuses_is_what_the_interpreter_refuses(
    inputs: dict[str, Any], on_core_ml: CoreMLRunner, here: Interpreter
) -> None:
    with pytest.raises(DataError, match='given, expected') as refusal:
        on_core_ml.predict(inputs)
    with pytest.raises(DataError) as expected:
        here.predict(inputs)
    assert str(refusal.value) == str(expected.value)
    assert on_core_ml.model.given == []


def test_the_stand_in_refuses_what_core_ml_refuses(exported: Report) -> None:
    model, picture = StandIn(str(exported.artifact)), Image.fromarray(PICTURE)
    refused: list[tuple[type[Exception], Any]] = [
        (TypeError, [picture]),
        (TypeError, {'image': PICTURE}),
        (TypeError, {'image': picture.convert('L')}),
        (RuntimeError, {'image': picture.resize(SIZE[::-1])}),
        (RuntimeError, {}),
        (RuntimeError, {'image': picture, 'iouThreshold': np.float64(0.5)}),
        (KeyError, {'image': picture, 'iou': 0.5}),
    ]
    for error, data in refused:
        with pytest.raises(error):
            model.predict(data)
    assert len(model.predict({'image': picture, 'iouThreshold': 0.5})['confidence']) > 3


def fails(*_: Any, **__: Any) -> Any:
    raise RuntimeError('Error in declaring network.\n\n  Unsupported operation')


def test_an_error_of_core_ml_is_one_line_with_the_path(
    on_core_ml: CoreMLRunner, exported: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    says = r': Error in declaring network\. Unsupported operation$'
    monkeypatch.setattr(on_core_ml.model, 'predict', fails)
    with pytest.raises(ExportError, match=rf'tiny\.mlpackage: Core ML cannot run it{says}'):
        on_core_ml.predict({'image': PICTURE})
    monkeypatch.setattr(coremltools().models, 'MLModel', fails)
    with pytest.raises(ExportError, match=rf'tiny\.mlpackage: Core ML cannot open it{says}'):
        open_in_core_ml(open_package(exported.artifact))


def test_a_link_may_be_called_anything(exported: Report, here: Interpreter, tmp_path: Path) -> None:
    (tmp_path / 'latest').symlink_to(exported.artifact)
    found = open_in_core_ml(open_package(tmp_path / 'latest')).predict({'image': PICTURE})
    np.testing.assert_array_equal(found['confidence'], here.predict({'image': PICTURE})['confidence'])


def test_not_all_units_are_asked_for(on_core_ml: CoreMLRunner) -> None:
    assert on_core_ml.model.units == coremltools().ComputeUnit.CPU_AND_NE


@pytest.mark.parametrize(('system', 'runs'), [('Darwin', True), ('Linux', False), ('Windows', False)])
def test_core_ml_is_on_macos_alone(system: str, runs: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, 'system', lambda: system)
    assert runner.runs_here() == runs


@pytest.fixture
def _darwin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, 'system', lambda: 'Darwin')


@pytest.mark.usefixtures('_darwin')
def test_there_an_artifact_is_run_by_it(exported: Report, here: Interpreter) -> None:
    artifact = open_artifact(exported.artifact)
    assert isinstance(artifact.saved.runner, CoreMLRunner)
    found = artifact.predict({'image': PICTURE})
    np.testing.assert_array_equal(found['coordinates'], here.predict({'image': PICTURE})['coordinates'])


def moved(values: dict[str, Any]) -> dict[str, Any]:
    return {**values, 'coordinates': values['coordinates'] + np.float32([2 / SIZE[0], 0, 0, 0])}


def surer(values: dict[str, Any]) -> dict[str, Any]:
    return {**values, 'confidence': values['confidence'] * np.float32(0.9)}


@pytest.mark.usefixtures('_darwin')
@pytest.mark.parametrize(
    ('change', 'holds'),
    [(dict, [True, True]), (moved, [True, False]), (surer, [False, True])],
    ids=['as it is', 'boxes 2 px off', 'scores a tenth off'],
)
def test_there_a_package_is_checked_in_it(
    change: Callable[[dict[str, Any]], dict[str, Any]],
    holds: list[bool],
    exported: Report,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Device(StandIn):
        def predict(self, data: dict[str, Any]) -> dict[str, Any]:
            return change(super().predict(data))

    monkeypatch.setattr(coremltools().models, 'MLModel', Device)
    score, box = verify(exported.artifact)[1][-2:]
    assert [(score.name, score.unit), (box.name, box.unit)] == [(COREML_RUNG, 'score'), (COREML_RUNG, 'px')]
    assert score.value is not None
    assert box.value is not None
    assert [score.holds, box.holds] == holds


def test_a_classifiers_dictionary_comes_in_the_order_of_its_labels(
    classifier_package: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = drawn_picture(classifier_package.info.input_size)
    saved_package = open_package(classifier_package.artifact)
    found = open_in_core_ml(saved_package).predict({'image': picture})
    expected = open_interpreter(saved_package).predict({'image': picture})
    assert list(found) == list(expected) == ['classLabel', 'classLabelProbs']
    assert str(found['classLabel']) == str(expected['classLabel'])
    np.testing.assert_array_equal(found['classLabelProbs'], expected['classLabelProbs'])
    monkeypatch.setattr(platform, 'system', lambda: 'Darwin')
    _, rungs = verify(classifier_package.artifact)
    (rung,) = (rung for rung in rungs if rung.name == COREML_RUNG)
    assert rung.value == 0
    assert open_artifact(classifier_package.artifact).classify(picture) == pytest.approx(
        dict(zip(classifier_package.info.classes, expected['classLabelProbs'][0].tolist(), strict=True))
    )
