"""The rungs of the saved package: each goes red for what it is there for, and a package that fails one is not left."""

import math
import platform
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mobileone_mm.artifact import ladder
from mobileone_mm.artifact.ladder import Rung
from mobileone_mm.errors import ExportError, ParityError
from mobileone_mm.exporter.report import Report
from mobileone_mm.exporter.verify import verify
from mobileone_mm.pictures.synthetic import drawn_picture
from mobileone_mm.targets.coreml import rungs
from mobileone_mm.targets.coreml.rungs import Execution, Peak
from mobileone_mm.targets.coreml.target import TARGET
from mobileone_mm.tasks.detection.suppression_checks import COREML_RUNG, SUPPRESSION_RUNG
from mobileone_mm.tasks.task import run_graph
from programs import changed, operations_of
from tiny_detector import export_tiny, graph_of, overflowing

SIZE = (96, 64)


def by_name(made: Iterable[Rung]) -> dict[tuple[str, str], Rung]:
    return {(rung.name, rung.unit): rung for rung in made}


def test_every_export_climbs_the_saved_package(exported: Report) -> None:
    made = by_name(exported.rungs)
    for name in (rungs.FLOAT32_RUNG, rungs.FLOAT16_RUNG):
        for unit in ('score', 'px'):
            assert made[name, unit].holds
    # Rounding shows, and it is rounding alone.
    score, exact = made[rungs.FLOAT16_RUNG, 'score'].value, made[rungs.FLOAT32_RUNG, 'score'].value
    assert score is not None
    assert exact is not None
    assert exact < 1e-6
    assert score > 1e-5
    overflow = made[rungs.OVERFLOW_RUNG, 'magnitude']
    assert overflow.holds
    assert overflow.note == 'in operation image_to_fp16 (cast), layer normalise'
    assert overflow.value == 255  # of the picture: the largest number in a small net
    assert made[SUPPRESSION_RUNG, 'rows'].value == 0


@pytest.mark.parametrize(
    ('factor', 'place'),
    [
        pytest.param(
            2.0**15,
            r'operation conv2d_cast_fp16 \(conv with p_model_backbone_stage0_reparam_conv_weight_to_fp16\), '
            'layer backbone.stage0.reparam_conv',
            id='a layer',
        ),
        pytest.param(
            2.0**22,
            r'operation conv2d\w*_to_fp16 \(cast\), layer backbone.stage0.activation',
            id='weights that stay float32',
        ),
    ],
)
def test_an_overflow_is_named_and_leaves_nothing(
    factor: float, place: str, detector: tuple[Path, Path], tmp_path: Path
) -> None:
    (tmp_path / 'out').mkdir()
    cures = r"(`fp32_ops` '[\w.]+' )+keeps these \d layers in float32, `precision` fp32 the whole program"
    value = r'\S+ magnitude, limit 65504 magnitude'
    message = rf'^largest value fits float16: {value} \(in {place}: it overflows float16, .*{cures}\)'
    with pytest.raises(ParityError, match=message):
        export_tiny(overflowing(tmp_path, detector, factor), tmp_path / 'out' / 'd.mlpackage')
    assert list((tmp_path / 'out').iterdir()) == []


@pytest.mark.parametrize(
    ('peaks', 'value', 'holds', 'note'),
    [
        ([[('a', 3.0), ('b', 9.0)], [('a', 4.0), ('b', 2.0)]], 9.0, True, 'in b'),
        ([[('a', 3.0), ('b', 16384.0)]], 16384.0, True, 'in b: a device that accumulates in float16 may overflow'),
        ([[('a', 3.0), ('b', 7e4), ('c', math.inf)]], 7e4, False, 'in b: it overflows float16'),
        ([[('a', math.inf), ('b', 7e4)]], math.inf, False, 'in a: it overflows float16'),
        ([[('a', 3.0), ('b', 9.0)], [('a', 7e4), ('b', 8e4)]], 7e4, False, 'in a: it overflows float16'),
    ],
)
def test_overflow_rungs(peaks: list[list[tuple[str, float]]], value: float, holds: bool, note: str) -> None:
    runs = [Execution({}, {}, tuple(Peak(place, (), value) for place, value in picture)) for picture in peaks]
    (rung,) = rungs.overflow_rungs(runs)
    assert (rung.value, rung.holds) == (value, holds)
    assert rung.note.startswith(note)


def test_verify_needs_the_package_alone(exported: Report, tmp_path: Path) -> None:
    copy = shutil.copytree(exported.artifact, tmp_path / 'copy.mlpackage')
    card, made = verify(copy)
    assert card == exported.info
    assert [rung.name for rung in made] == [
        rungs.OVERFLOW_RUNG,
        ladder.PROBE_RUNG,
        ladder.PROBE_RUNG,
        rungs.ROUNDING_RUNG,
        rungs.ROUNDING_RUNG,
        SUPPRESSION_RUNG,
        COREML_RUNG,
        COREML_RUNG,
    ]
    assert all(rung.holds for rung in made if rung.value is not None)
    assert made[1].value != 0
    assert made[3].value != 0


def test_constants_that_are_not_compressed_have_the_limit_of_their_own_type(
    tmp_path: Path, make_detector: Callable[..., tuple[Path, Path]]
) -> None:
    files = make_detector(tmp_path, classes=tuple(f'class {index}' for index in range(8)))
    report = export_tiny(files, tmp_path / 'd.mlpackage', weights='int8')

    def means_of_the_other_colours(spec: Any) -> None:
        (mean,) = (one for one in operations_of(spec) if one.outputs[0].name == 'b_normalise_mean_to_fp16')
        raw = mean.attributes['val'].immediateValue.tensor.bytes
        raw.values = np.frombuffer(raw.values, np.float16)[::-1].tobytes()

    def rungs_of(package: Path) -> dict[tuple[str, str], Rung]:
        raw = [run_graph(graph, picture)]
        return by_name(TARGET.rungs(TARGET.open(package), report.info, graph, [picture], raw))

    picture, graph = drawn_picture(SIZE), graph_of(files)
    swapped = changed(report.artifact, tmp_path, means_of_the_other_colours)
    sound, broken = rungs_of(report.artifact), rungs_of(swapped)
    plain, packed = (rungs.CONSTANTS_RUNG, 'of number'), (rungs.PACKED_RUNG.format('int8'), 'of RMS')
    assert all(rung.holds for rung in sound.values() if rung.value is not None)
    assert sound[plain].value != 0
    assert sound[packed].value > 5 * sound[plain].value  # type: ignore[operator]  # None would be an error, too
    assert broken[plain].value == pytest.approx(123.675 / 103.53 - 1, abs=1e-3)
    assert not broken[plain].holds
    assert broken[plain].note == 'b_normalise_mean_to_fp16 is farthest'
    assert broken[packed] == sound[packed]


def test_verify_judges_the_contract(exported: Report, tmp_path: Path) -> None:
    def no_fixed_shape(spec: Any) -> None:
        operations_of(spec)[-1].outputs[0].type.tensorType.dimensions[0].unknown.variadic = False

    with pytest.raises(ExportError, match='has a shape that is not fixed'):
        verify(changed(exported.artifact, tmp_path, no_fixed_shape))


@pytest.mark.parametrize('gain', [6e4, np.nan])
def test_verify_sees_what_is_no_number(gain: float, exported: Report, tmp_path: Path) -> None:
    def other_scale(spec: Any) -> None:
        (scale,) = (one for one in operations_of(spec) if one.outputs[0].name == 'b_normalise_scale_to_fp16')
        value = scale.attributes['val']
        halves = np.full((1, 3, 1, 1), gain, np.float16)
        value.immediateValue.tensor.bytes.values = halves.tobytes()

    _, made = verify(changed(exported.artifact, tmp_path, other_scale))
    assert not made[0].holds
    assert made[0].note.startswith('in operation mul_cast_fp16 (mul), layer normalise: it overflows float16')


@pytest.mark.skipif(platform.system() == 'Darwin', reason='Core ML predicts here')
def test_core_mls_rung_says_that_it_was_not_run(exported: Report) -> None:
    skipped = exported.rungs[-2:]
    assert [rung.value for rung in skipped] == [None, None]
    assert not any(rung.holds for rung in skipped)
    ladder.require_rungs(skipped)
    assert ladder.table(skipped).count('not run: no Mac') == 2


@pytest.mark.skipif(platform.system() != 'Darwin', reason='Core ML predicts on macOS only')
def test_core_mls_rung_holds(exported: Report) -> None:
    assert all(rung.holds for rung in exported.rungs)
