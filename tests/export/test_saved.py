"""The rungs of the saved package: each goes red for what it is there for, and a package that fails one is not left."""

import math
import platform
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mobileone_mm import checkpoint, hosts, models
from mobileone_mm.errors import ExportError, ParityError
from mobileone_mm.export import run, saved, verify
from mobileone_mm.export.options import DetectorOptions
from mobileone_mm.export.package import open_package
from mobileone_mm.export.saved import Peak
from mobileone_mm.export.suppress import read_suppression
from mobileone_mm.export.verify import Boxes, Rung
from mobileone_mm.reparam import fuse

SIZE = (96, 64)
MODEL = Path('Data/com.apple.CoreML/model.mlmodel')


def by_name(rungs: Any) -> dict[tuple[str, str], Rung]:
    return {(rung.name, rung.unit): rung for rung in rungs}


def test_every_export_climbs_the_saved_package(exported: run.Report) -> None:
    rungs = by_name(exported.rungs)
    for name in (saved.FLOAT32_RUNG, saved.FLOAT16_RUNG):
        for unit in ('score', 'px'):
            assert rungs[name, unit].holds
    # Rounding shows, and it is rounding alone.
    score, exact = rungs[saved.FLOAT16_RUNG, 'score'].value, rungs[saved.FLOAT32_RUNG, 'score'].value
    assert score is not None
    assert exact is not None
    assert exact < 1e-6
    assert score > 1e-5
    overflow = rungs[saved.OVERFLOW_RUNG, 'magnitude']
    assert overflow.holds
    assert overflow.note == 'in operation image_to_fp16 (cast)'  # a picture's 255 is the largest number in a small net
    assert overflow.value == 255
    assert rungs[saved.SUPPRESSION_RUNG, 'rows'].value == 0


def scaled(folder: Path, detector: tuple[Path, Path], factor: float) -> tuple[Path, Path]:
    """The same detector, its first unit's output times `factor` and the next unit's weights divided by it."""
    config_file, weights = detector
    source = checkpoint.read_checkpoint(weights)
    state = fuse(models.open_model(hosts.load_config(config_file), weights)[0].double()).float().state_dict()
    for name in ('weight', 'bias'):
        state[f'backbone.stage0.reparam_conv.{name}'] *= factor
    state['backbone.stage1.0.reparam_conv.weight'] /= factor
    checkpoint.save_checkpoint(folder / 'scaled.pth', state, source.meta)
    return config_file, folder / 'scaled.pth'


@pytest.mark.parametrize(
    ('factor', 'place'),
    [
        pytest.param(
            2.0**15,
            r'operation conv2d_cast_fp16 \(conv with p_model_backbone_stage0_reparam_conv_weight_to_fp16\)',
            id='a layer',
        ),
        pytest.param(2.0**22, r'operation conv2d\w*_to_fp16 \(cast\)', id='weights that stay float32'),
    ],
)
def test_an_overflow_is_named_and_leaves_nothing(
    factor: float, place: str, detector: tuple[Path, Path], tmp_path: Path
) -> None:
    (tmp_path / 'out').mkdir()
    message = rf'saved package, largest value: \S+ magnitude, limit 65504 magnitude \(in {place}: it overflows float16'
    with pytest.raises(ParityError, match=message):
        run.export(*scaled(tmp_path, detector, factor), DetectorOptions(), tmp_path / 'out' / 'd.mlpackage')
    assert list((tmp_path / 'out').iterdir()) == []


@pytest.mark.parametrize(
    ('peaks', 'value', 'holds', 'note'),
    [
        ([[('a', 3.0), ('b', 9.0)], [('a', 4.0), ('b', 2.0)]], 9.0, True, 'in b'),
        ([[('a', 3.0), ('b', 16384.0)]], 16384.0, True, 'in b: above a quarter of the limit'),
        ([[('a', 3.0), ('b', 7e4), ('c', math.inf)]], 7e4, False, 'in b: it overflows float16'),
        ([[('a', math.inf), ('b', 7e4)]], math.inf, False, 'in a: it overflows float16'),
        ([[('a', 3.0), ('b', 9.0)], [('a', 7e4), ('b', 8e4)]], 7e4, False, 'in a: it overflows float16'),
    ],
)
def test_overflow_rung(peaks: list[list[tuple[str, float]]], value: float, holds: bool, note: str) -> None:
    rung = saved.overflow_rung([[Peak(*peak) for peak in picture] for picture in peaks])
    assert (rung.value, rung.holds) == (value, holds)
    assert rung.note.startswith(note)


GRAPH = Boxes(np.array([[0.5, 0.25], [0.04, 0.01]]), np.array([[0.5, 0.5, 0.25, 0.25], [0.25, 0.25, 0.5, 0.5]]))


def found(row: int, score: float = 0.0, width: float = 0.0) -> Boxes:
    """GRAPH in a padded package, with one row off."""
    confidence, coordinates = np.pad(GRAPH.confidence, ((0, 0), (0, 2))), GRAPH.coordinates.copy()
    confidence[row, 0] += score
    coordinates[row, 2] += width
    return Boxes(confidence, coordinates)


@pytest.mark.parametrize(
    ('boxes', 'score', 'box'),
    [
        pytest.param(found(0), 0, 0, id='nothing is off'),
        pytest.param(found(0, 0.01, 0.5 / 96), 0.01, 0.5, id='a row that counts'),
        pytest.param(found(1, 0.005, 0.5 / 96), 0.005, 0, id='where background lies says nothing'),
        pytest.param(found(1, 0.5, 0.5 / 96), 0.5, 0.5, id='background for the graph alone'),
        pytest.param(found(0, math.nan), math.nan, 0, id='NaN in score'),
        pytest.param(found(1, 0, math.inf), 0, math.nan, id='infinity in a box of background'),
    ],
)
def test_float16_rungs(boxes: Boxes, score: float, box: float) -> None:
    rungs = saved.float16_rungs('a -> b', [(GRAPH, found(0)), (GRAPH, boxes)], SIZE)
    assert [rung.value for rung in rungs] == pytest.approx([score, box], abs=1e-9, nan_ok=True)
    assert [rung.holds for rung in rungs] == [score <= 0.02, box <= 1]


def test_float32_rungs_take_every_row() -> None:
    rungs = saved.float32_rungs([(GRAPH, found(1, 2e-4, 0.5 / 96))], SIZE)
    assert [rung.value for rung in rungs] == pytest.approx([2e-4, 0.5])
    assert [rung.holds for rung in rungs] == [False, False]


def test_background_only_is_said() -> None:
    nothing = Boxes(GRAPH.confidence / 20, GRAPH.coordinates)
    score, box = saved.float16_rungs('a -> b', [(nothing, nothing)], SIZE)
    assert score.holds
    assert (box.value, box.note) == (None, 'not run: no score above 0.05 in these pictures')


def test_confidence_in_a_padding_column_shows() -> None:
    boxes = found(0)
    boxes.confidence[1, 3] = 0.5
    assert not saved.float16_rungs('a -> b', [(GRAPH, boxes)], SIZE)[0].holds


def test_suppression_rung_takes_the_documented_thresholds(exported: run.Report) -> None:
    spec = open_package(exported.package).spec.pipeline.models[1]
    generator = np.random.default_rng(0)
    raw = {
        'raw_confidence': generator.dirichlet([0.3] * 4, 200)[:, :3].astype(np.float32),
        'raw_coordinates': generator.uniform(0.2, 0.6, (200, 4)).astype(np.float32),
    }
    assert saved.suppression_rung(read_suppression(spec), [raw, raw], exported.info).value == 0
    for field, value in (('iouThreshold', 0.6), ('confidenceThreshold', 0.3)):
        other = type(spec).FromString(spec.SerializeToString())
        setattr(other.nonMaximumSuppression, field, value)
        assert not saved.suppression_rung(read_suppression(other), [raw], exported.info).holds
    across = type(spec).FromString(spec.SerializeToString())
    across.nonMaximumSuppression.pickTop.perClass = False
    assert not saved.suppression_rung(read_suppression(across), [raw], exported.info).holds


def test_no_boxes_are_suppressed_alike(exported: run.Report) -> None:
    spec = open_package(exported.package).spec.pipeline.models[1]
    raw = {'raw_confidence': np.zeros((9, 3), np.float32), 'raw_coordinates': np.zeros((9, 4), np.float32)}
    assert saved.suppression_rung(read_suppression(spec), [raw], exported.info).value == 0


def broken_program(package: Path, folder: Path, change: Callable[[Any], None]) -> Path:
    copy = shutil.copytree(package, folder / 'copy.mlpackage')
    spec = open_package(copy).spec
    (block,) = spec.pipeline.models[0].mlProgram.functions['main'].block_specializations.values()
    change(block.operations)
    (copy / MODEL).write_bytes(spec.SerializeToString())
    return copy


def test_reclimb_needs_the_package_alone(exported: run.Report, tmp_path: Path) -> None:
    copy = shutil.copytree(exported.package, tmp_path / 'copy.mlpackage')
    info, rungs = saved.reclimb(copy)
    assert info == exported.info
    assert [rung.name for rung in rungs] == [
        saved.OVERFLOW_RUNG,
        saved.ROUNDING_RUNG,
        saved.ROUNDING_RUNG,
        saved.SUPPRESSION_RUNG,
    ]
    assert all(rung.holds for rung in rungs)
    assert rungs[1].value != 0


def test_reclimb_judges_the_contract(exported: run.Report, tmp_path: Path) -> None:
    def no_fixed_shape(operations: Any) -> None:
        operations[-1].outputs[0].type.tensorType.dimensions[0].unknown.variadic = False

    with pytest.raises(ExportError, match='has a shape that is not fixed'):
        saved.reclimb(broken_program(exported.package, tmp_path, no_fixed_shape))


@pytest.mark.parametrize('gain', [6e4, np.nan])
def test_reclimb_sees_what_is_no_number(gain: float, exported: run.Report, tmp_path: Path) -> None:
    def other_scale(operations: Any) -> None:
        (scale,) = (one for one in operations if one.outputs[0].name == 'b_normalise_scale_to_fp16')
        value = scale.attributes['val']
        halves = np.full((1, 3, 1, 1), gain, np.float16)
        value.immediateValue.tensor.bytes.values = halves.tobytes()

    _, rungs = saved.reclimb(broken_program(exported.package, tmp_path, other_scale))
    assert not rungs[0].holds
    assert rungs[0].note.startswith('in operation mul_cast_fp16 (mul): it overflows float16')


RAW = Boxes(
    np.array([[0.9, 0.05], [0.2, 0.7], [0.2, 0.7]]),
    np.array([[0.5, 0.5, 0.2, 0.2], [0.3, 0.3, 0.1, 0.1], [0.7, 0.3, 0.1, 0.1]]),
)


@pytest.mark.parametrize(
    ('confidence', 'coordinates', 'expected'),
    [
        pytest.param(np.empty((0, 4)), np.empty((0, 4)), (0, 0), id='nothing detected'),
        pytest.param([[0.2, 0.7, 0, 0]], [[0.7, 0.3, 0.1, 0.1]], (0, 0), id='the row itself, padding left out'),
        pytest.param([[0.2, 0.69, 0, 0]], [[0.7, 0.3, 0.1, 0.11]], (0.01, 0.64), id='near the third row'),
        pytest.param([[0.9, 0.55]], [[0.5, 0.5, 0.2, 0.2]], (0.5, 0), id='another score'),
    ],
)
def test_distance(confidence: object, coordinates: object, expected: tuple[float, float]) -> None:
    found = saved.distance(Boxes(np.asarray(confidence), np.asarray(coordinates)), RAW, SIZE)
    assert found == pytest.approx(expected, abs=1e-9)


def test_detection_rungs_take_the_worst_picture() -> None:
    score, box = saved.detection_rungs([(0.001, 0.9), (0.03, 0.1)], 'not run')
    assert (score.value, score.holds, score.note) == (0.03, False, '')
    assert (box.value, box.holds, box.note) == (0.9, True, '')
    assert not saved.detection_rungs([(0.0, math.nan), (0.0, 0.0)], 'not run')[1].holds
    assert [(rung.value, rung.note) for rung in saved.detection_rungs([], 'no box')] == [(None, 'no box')] * 2


@pytest.mark.skipif(platform.system() == 'Darwin', reason='Core ML predicts here')
def test_core_mls_rung_says_that_it_was_not_run(exported: run.Report) -> None:
    skipped = exported.rungs[-2:]
    assert [rung.value for rung in skipped] == [None, None]
    assert not any(rung.holds for rung in skipped)
    verify.require_rungs(skipped)
    assert verify.table(exported.rungs).count('not run: Core ML predicts on macOS only, this is Linux') == 2


@pytest.mark.skipif(platform.system() != 'Darwin', reason='Core ML predicts on macOS only')
def test_core_mls_rung_holds(exported: run.Report) -> None:
    assert all(rung.holds for rung in exported.rungs)
