"""A saved package, executed: whole models, pictures, precision, and what is refused."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from mobileone_mm.errors import DataError, ExportError
from mobileone_mm.exporter.report import Report
from mobileone_mm.pictures.reading import Picture
from mobileone_mm.pictures.synthetic import drawn_picture
from mobileone_mm.targets.coreml.interpreter import Interpreter, Step, open_interpreter
from mobileone_mm.targets.coreml.library import coremltools, silent
from mobileone_mm.targets.coreml.package import open_package
from mobileone_mm.targets.coreml.stored import as_stored
from mobileone_mm.tasks.detection.graph import DetectorGraph
from mobileone_mm.tasks.task import run_graph
from programs import WEIGHTS, Of, changed, convert, operations_of, saved
from tiny_detector import graph_of

SIZE = (96, 64)
PICTURE = drawn_picture(SIZE)


@pytest.fixture(scope='module')
def interpreter(exported: Report) -> Interpreter:
    return open_interpreter(open_package(exported.artifact))


@pytest.fixture(scope='module')
def graph(detector: tuple[Path, Path]) -> DetectorGraph:
    return graph_of(detector).padded(80)


def test_a_detector_in_float32_is_the_graph_with_its_constants(interpreter: Interpreter, graph: DetectorGraph) -> None:
    found = interpreter.raw({'image': PICTURE}, 'float32')
    stored, errors = as_stored(graph, interpreter.program.constants, half=True)
    assert 0 < max(errors.values()) < 2**-11
    expected = run_graph(stored, PICTURE)
    assert list(found) == ['raw_confidence', 'raw_coordinates']
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-5, atol=1e-6)
    assert np.abs(run_graph(graph, PICTURE)['raw_confidence'] - expected['raw_confidence']).max() > 1e-5


def test_a_detector_in_float16_is_near_the_graph(interpreter: Interpreter, graph: DetectorGraph) -> None:
    found = interpreter.raw({'image': PICTURE})
    for name, values in run_graph(graph, PICTURE).items():
        assert found[name].dtype == np.float32
        np.testing.assert_array_equal(found[name], found[name].astype(np.float16))
        np.testing.assert_allclose(found[name], values, rtol=0, atol=0.02)


def test_predict_keeps_rows_of_the_raw_boxes(interpreter: Interpreter) -> None:
    raw, found = interpreter.raw({'image': PICTURE}), interpreter.predict({'image': PICTURE})
    rows = {row.tobytes() for row in np.hstack((raw['raw_confidence'], raw['raw_coordinates']))}
    kept = [row.tobytes() for row in np.hstack((found['confidence'], found['coordinates']))]
    assert 0 < len(kept) < len(rows)
    assert set(kept) <= rows
    assert found['confidence'].shape == (len(kept), 80)
    assert found['confidence'].max(axis=1).min() >= 0.25
    lower = interpreter.predict({'image': PICTURE, 'confidenceThreshold': 0.1, 'iouThreshold': 1})
    assert (lower['confidence'].max(axis=1) >= 0.1).all()
    assert len(lower['confidence']) == (raw['raw_confidence'].max(axis=1) >= 0.1).sum()
    other = interpreter.predict({'image': PICTURE}, 'float32')
    assert not np.array_equal(other['confidence'][:5], found['confidence'][:5])


def test_the_picture_has_to_lie_as_it_is(interpreter: Interpreter) -> None:
    straight = interpreter.raw({'image': PICTURE})['raw_confidence']
    for other in (PICTURE[::-1], PICTURE[:, ::-1], PICTURE[..., ::-1]):
        assert np.abs(interpreter.raw({'image': other})['raw_confidence'] - straight).max() > 0.02


@pytest.mark.parametrize(
    ('inputs', 'message'),
    [
        (
            {'image': PICTURE.transpose(1, 0, 2)},
            r'uint8 of shape \(96, 64, 3\) given, .* of shape \(64, 96, 3\)',
        ),
        ({'image': PICTURE[..., :1]}, r'\(64, 96, 1\) given, expected an RGB picture, uint8 of shape \(64, 96, 3\)'),
        ({'image': PICTURE / 255}, r'image: float64 of shape \(64, 96, 3\) given, expected an RGB picture, uint8'),
        ({}, r'inputs \[\] given, expected image, iouThreshold \(optional\), confidenceThreshold \(optional\)'),
        ({'image': PICTURE, 'iou': 0.5}, r"inputs \['image', 'iou'\] given, expected image, iouThreshold"),
        (
            {'image': PICTURE, 'iouThreshold': [0.5]},
            r'iouThreshold: float64 of shape \(1,\) given, expected one',
        ),
        ({'image': PICTURE, 'iouThreshold': np.nan}, r'iouThreshold: float64 of shape \(\) given, expected one finite'),
    ],
)
def test_wrong_inputs_are_refused(inputs: dict[str, Any], message: str, interpreter: Interpreter) -> None:
    with pytest.raises(DataError, match=message):
        interpreter.predict(inputs)


def test_an_array_of_another_shape_is_refused(tmp_path: Path) -> None:
    program = saved(convert(nn.ReLU(), [torch.zeros(2, 3)]), tmp_path)
    with pytest.raises(DataError, match=r'a: float64 of shape \(3, 2\) given, expected shape \(2, 3\)'):
        program.predict({'a': np.zeros((3, 2))})


def test_an_input_of_float16_is_rounded(tmp_path: Path) -> None:
    program = saved(convert(nn.ReLU(), [torch.zeros(2)], 'iOS16'), tmp_path)
    assert program.raw({'a': [1 + 2**-12, 3]}, 'float32')['out'].tolist() == [1, 3]


def test_scale_and_bias_of_a_picture(tmp_path: Path) -> None:
    picture = PICTURE[:9, :7]
    image = {'scale': 1 / 64, 'bias': [-1.0, 0.5, 2.0]}
    program = saved(convert(nn.ReLU(), [torch.zeros(1, 3, 9, 7)], image=image), tmp_path)
    expected = (picture.transpose(2, 0, 1)[None] / 64 + np.array([-1, 0.5, 2]).reshape(1, 3, 1, 1)).clip(min=0)
    np.testing.assert_allclose(program.predict({'image': picture})['out'], expected, rtol=2**-10)


@pytest.mark.parametrize('layout', ['BGR', 'GRAYSCALE'])
def test_pictures_that_are_not_rgb_are_refused(layout: str, tmp_path: Path) -> None:
    x = torch.zeros(1, 1 if layout == 'GRAYSCALE' else 3, 9, 7)
    model = convert(nn.ReLU(), [x], image={'color_layout': getattr(coremltools().colorlayout, layout)})
    with pytest.raises(ExportError, match=rf'tiny\.mlpackage: input image has colour space {layout}, expected RGB'):
        saved(model, tmp_path)


def test_overflow_is_infinite_in_float16_and_a_number_in_float32(tmp_path: Path) -> None:
    program = saved(convert(Of(lambda a: torch.relu(a * 300.0) - 1e4), [torch.zeros(3)]), tmp_path)
    x = np.array([1.0, 200.0, 300.0], np.float32)
    assert program.predict({'a': x})['out'].tolist() == [-9696.0, 49984.0, np.inf]  # -9700, 50000, 80000
    watched: list[tuple[str, float, bool]] = []

    def watch(step: Step, output: Tensor) -> None:
        watched.append((step.operation, float(output.max()), step.half))

    assert program.raw({'a': x}, 'float32', watch)['out'].tolist() == [-9700.0, 50000.0, 80000.0]
    assert watched == [
        ('mul', 90000.0, True),
        ('relu', 90000.0, True),
        ('sub', 80000.0, True),
        ('cast', 80000.0, False),
    ]


def linear(ct: Any) -> Any:
    return ct.OpLinearQuantizerConfig(mode='linear_symmetric')


def palette(ct: Any) -> Any:
    return ct.OpPalettizerConfig(mode='uniform', nbits=4)


def sparse(ct: Any) -> Any:
    return ct.OpMagnitudePrunerConfig(target_sparsity=0.5)


@pytest.mark.parametrize('target', ['iOS16', 'iOS18'])
@pytest.mark.parametrize(
    ('compress', 'config'),
    [('linear_quantize_weights', linear), ('palettize_weights', palette), ('prune_weights', sparse)],
)
def test_compressed_weights(compress: str, config: Callable[[Any], Any], target: str, tmp_path: Path) -> None:
    """Against the same model, decompressed by coremltools."""
    x = torch.randn(1, 8, 9, 7).half().float()
    plain = convert(nn.Conv2d(8, 64, 3), [x], target)
    optimize = coremltools().optimize.coreml
    with silent():
        model = getattr(optimize, compress)(plain, optimize.OptimizationConfig(global_config=config(optimize)))
        decompressed = optimize.decompress_weights(model)
    folders = [tmp_path / name for name in ('plain', 'compressed', 'decompressed')]
    outputs = []
    for folder, one in zip(folders, (plain, model, decompressed), strict=True):
        folder.mkdir()
        outputs.append(saved(one, folder).predict({'a': x})['out'])
    assert 'constexpr_' in str(open_package(folders[1] / 'tiny.mlpackage').spec)
    np.testing.assert_array_equal(outputs[1], outputs[2])
    assert 1e-3 < np.abs(outputs[1] - outputs[0]).max() < 1


def suppression_alone(spec: Any) -> None:
    del spec.pipeline.models[0]


def no_suppression(spec: Any) -> None:
    del spec.pipeline.models[1]


def text_input(spec: Any) -> None:
    spec.description.input[1].type.stringType.SetInParent()


def operation_of_tomorrow(spec: Any) -> None:
    operations_of(spec)[-1].type = 'cast_tomorrow'


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (
            suppression_alone,
            r"\['nonMaximumSuppression'\] given, expected an ML program, or one and",
        ),
        (text_input, r'input iouThreshold is stringType, expected a picture, an array or a number'),
        (
            operation_of_tomorrow,
            r'no such operation is known here: cast_tomorrow \(it gives raw_co\w+\); known are ',
        ),
    ],
)
def test_what_cannot_be_run_is_refused(
    change: Callable[[Any], None], message: str, exported: Report, tmp_path: Path
) -> None:
    with pytest.raises(ExportError, match=rf'copy\.mlpackage: {message}'):
        open_interpreter(open_package(changed(exported.artifact, tmp_path, change)))


def test_a_pipeline_of_a_program_alone_gives_raw_boxes(
    exported: Report, interpreter: Interpreter, tmp_path: Path
) -> None:
    package = open_package(changed(exported.artifact, tmp_path, no_suppression))
    alone = open_interpreter(package).predict({'image': PICTURE})
    raw = interpreter.raw({'image': PICTURE})
    for name in ('raw_confidence', 'raw_coordinates'):
        np.testing.assert_array_equal(alone[name], raw[name])


def test_missing_weights_are_said(exported: Report, tmp_path: Path) -> None:
    copy = shutil.copytree(exported.artifact, tmp_path / 'copy.mlpackage')
    (copy / WEIGHTS).unlink()
    with pytest.raises(ExportError, match=r'copy\.mlpackage: the program cannot be read: '):
        open_interpreter(open_package(copy))


def numbers(spec: Any, operation: str, argument: str) -> Any:
    """The whole numbers that the first operation of a kind has for an argument."""
    step = next(one for one in operations_of(spec) if one.type == operation)
    (name,) = step.inputs[argument].arguments
    (found,) = (one for one in operations_of(spec) if one.outputs[0].name == name.name)
    return found.attributes['val'].immediateValue.tensor.ints.values


def output_on_its_side(spec: Any) -> None:
    last = operations_of(spec)[-1].outputs[0].type.tensorType.dimensions
    last[0].constant.size, last[1].constant.size = last[1].constant.size, last[0].constant.size


def wider_padding(spec: Any) -> None:
    numbers(spec, 'conv', 'pad')[:] = [2, 2, 2, 2]


def other_axes(spec: Any) -> None:
    numbers(spec, 'transpose', 'perm')[:] = [1, 0, 2]


@pytest.mark.parametrize('change', [output_on_its_side, wider_padding, other_axes])
def test_a_shape_that_is_not_the_programs_is_named(
    change: Callable[[Any], None], exported: Report, tmp_path: Path
) -> None:
    with pytest.raises(ExportError, match=r'copy\.mlpackage: the program cannot be read: Mismatch between var types'):
        open_interpreter(open_package(changed(exported.artifact, tmp_path, change)))


def picture_on_its_side(spec: Any) -> None:
    image = spec.description.input[0].type.imageType
    image.width, image.height = image.height, image.width


def softmax_over_nothing(spec: Any) -> None:
    numbers(spec, 'softmax', 'axis')[:] = [7]


@pytest.mark.parametrize(
    ('change', 'picture', 'message'),
    [
        (
            picture_on_its_side,
            drawn_picture(SIZE[::-1]),
            r'operation \w+ \(cast\) gives shape \(1, 3, 96, 64\), the program says \(1, 3, 64, 96\)$',
        ),
        (softmax_over_nothing, PICTURE, r'operation softmax\w* \(softmax\): \S'),
    ],
)
def test_what_only_shows_when_it_runs_is_named(
    change: Callable[[Any], None], picture: Picture, message: str, exported: Report, tmp_path: Path
) -> None:
    interpreter = open_interpreter(open_package(changed(exported.artifact, tmp_path, change)))
    with pytest.raises(ExportError, match=message):
        interpreter.predict({'image': picture})


def test_a_step_of_another_shape_is_no_output(interpreter: Interpreter) -> None:
    *steps, last = interpreter.program.steps
    wider = replace(last, shape=(last.shape[0], last.shape[1] + 1))
    altered = replace(interpreter, program=replace(interpreter.program, steps=[*steps, wider]))
    with pytest.raises(ExportError, match=r'gives shape \(198, \d+\), the program says \(198, \d+\)$'):
        altered.raw({'image': PICTURE})


def test_torchs_threads_are_given_back(exported: Report) -> None:
    threads, inside = torch.get_num_threads(), set()
    try:
        torch.set_num_threads(2)
        interpreter = open_interpreter(open_package(exported.artifact))
        interpreter.raw({'image': PICTURE}, watch=lambda step, output: inside.add(torch.get_num_threads()))
        assert inside == {1}
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)
