"""What comes out behind the suppression, against what went in."""

import math
from functools import partial
from typing import Any

import numpy as np
import pytest

from mobileone_mm.artifact.card import Card
from mobileone_mm.artifact.ladder import Rung
from mobileone_mm.exporter.report import Report
from mobileone_mm.targets.coreml.package import open_package
from mobileone_mm.targets.coreml.suppression_stage import Suppression, read_suppression
from mobileone_mm.tasks.detection import suppression_checks

SIZE = (96, 64)


def rung_of(spec: Any, raw: list[dict[str, Any]], card: Card) -> Rung:
    stage = read_suppression(spec)
    return suppression_checks.suppression_rung([(partial(rows_kept, stage, outputs), outputs) for outputs in raw], card)


def rows_kept(stage: Suppression, outputs: dict[str, Any], thresholds: dict[str, float]) -> dict[str, Any]:
    return stage({**outputs, **thresholds})


def test_suppression_rung_takes_the_documented_thresholds(exported: Report) -> None:
    spec = open_package(exported.artifact).spec.pipeline.models[1]
    generator = np.random.default_rng(0)
    raw = {
        'raw_confidence': generator.dirichlet([0.3] * 4, 200)[:, :3].astype(np.float32),
        'raw_coordinates': generator.uniform(0.2, 0.6, (200, 4)).astype(np.float32),
    }
    assert rung_of(spec, [raw, raw], exported.info).value == 0
    for field, value in (('iouThreshold', 0.6), ('confidenceThreshold', 0.3)):
        other = type(spec).FromString(spec.SerializeToString())
        setattr(other.nonMaximumSuppression, field, value)
        assert not rung_of(other, [raw], exported.info).holds
    across = type(spec).FromString(spec.SerializeToString())
    across.nonMaximumSuppression.pickTop.perClass = False
    assert not rung_of(across, [raw], exported.info).holds


def test_no_boxes_are_suppressed_alike(exported: Report) -> None:
    spec = open_package(exported.artifact).spec.pipeline.models[1]
    raw = {'raw_confidence': np.zeros((9, 3), np.float32), 'raw_coordinates': np.zeros((9, 4), np.float32)}
    assert rung_of(spec, [raw], exported.info).value == 0


RAW = {
    'raw_confidence': np.array([[0.9, 0.05], [0.2, 0.7], [0.2, 0.7]]),
    'raw_coordinates': np.array([[0.5, 0.5, 0.2, 0.2], [0.3, 0.3, 0.1, 0.1], [0.7, 0.3, 0.1, 0.1]]),
}


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
    detections = {'confidence': np.asarray(confidence), 'coordinates': np.asarray(coordinates)}
    found = suppression_checks.distance(detections, RAW, SIZE)
    assert found == pytest.approx(expected, abs=1e-9)


def test_detection_rungs_take_the_worst_picture() -> None:
    score, box = suppression_checks.detection_rungs('a -> b', [(0.001, 0.9), (0.03, 0.1)], 'not run')
    assert (score.value, score.holds, score.note) == (0.03, False, '')
    assert (box.value, box.holds, box.note) == (0.9, True, '')
    assert not suppression_checks.detection_rungs('a -> b', [(0.0, math.nan), (0.0, 0.0)], 'not run')[1].holds
    without = suppression_checks.detection_rungs('a -> b', [], 'no box')
    assert [(rung.value, rung.note) for rung in without] == [(None, 'no box')] * 2
