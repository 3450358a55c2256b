"""One rule for whatever predicts, against torchvision's suppression; thresholds come from the config."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.config import Config
from torchvision.ops import batched_nms, box_convert

from mobileone_mm.errors import ConfigError
from mobileone_mm.exporter.report import Report
from mobileone_mm.openmmlab import configs, open_model
from mobileone_mm.pictures.synthetic import drawn_picture
from mobileone_mm.targets.artifact import open_artifact
from mobileone_mm.tasks.detection import detections, rows
from mobileone_mm.tasks.detection.detections import Detections, Rules

SIZE = (96, 64)
EVERYTHING = Rules(score_threshold=0, iou_threshold=1, limit=1000)
PACKAGE_SCORE = 0.02  # score; a package computes in float16
PACKAGE_BOX = 0.02  # fraction of the picture


def expected(confidence: Any, coordinates: Any, rules: Rules) -> Detections:
    """The same by torchvision."""
    scores, labels = torch.as_tensor(confidence).double().max(dim=1)
    boxes = box_convert(torch.as_tensor(coordinates).double(), 'cxcywh', 'xyxy')
    candidates = torch.nonzero(scores >= rules.score_threshold)[:, 0]
    kept = batched_nms(boxes[candidates], scores[candidates], labels[candidates], rules.iou_threshold)
    rows = candidates[kept][: rules.limit]
    return Detections(boxes[rows].clamp(0, 1).numpy(), scores[rows].numpy(), labels[rows].numpy())


def require_same(found: Detections, wanted: Detections) -> None:
    np.testing.assert_array_equal(found.labels, wanted.labels)
    np.testing.assert_array_equal(found.scores, wanted.scores)
    np.testing.assert_allclose(found.boxes, wanted.boxes, rtol=0, atol=1e-12)
    assert (found.boxes.dtype, found.scores.dtype, found.labels.dtype) == (np.float64, np.float64, np.int64)


@dataclass(frozen=True)
class RawArtifact:
    """Outputs that nobody has suppressed, as an ONNX file without suppression gives them."""

    confidence: Any
    coordinates: Any
    inputs: Sequence[str] = ('image',)

    def predict(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        assert set(inputs) == {'image'}, 'it takes no thresholds'
        return {'raw_confidence': self.confidence, 'raw_coordinates': self.coordinates}


def random_rows(seed: int) -> Iterator[tuple[Any, Any]]:
    generator = np.random.default_rng(seed)
    for count, columns in ((0, 3), (1, 1), (40, 3), (300, 3), (300, 80)):
        confidence = generator.random((count, columns)).astype(np.float32)
        boxes = np.concatenate((generator.random((count, 2)), 0.5 * generator.random((count, 2))), axis=1)
        yield confidence, boxes.astype(np.float32)


@pytest.mark.parametrize('rules', [EVERYTHING, Rules(0.5, 0.45, 1000), Rules(0.02, 0.3, 10)], ids=str)
def test_raw_rows_are_suppressed_as_torchvision_does_it(rules: Rules) -> None:
    for confidence, coordinates in random_rows(0):
        found = detections.predict(RawArtifact(confidence, coordinates), drawn_picture(SIZE), rules)
        require_same(found, expected(confidence, coordinates, rules))


def test_the_model_itself_gives_one_label_a_box(detector: tuple[Path, Path]) -> None:
    config = configs.load_config(detector[0])
    model, _ = open_model.open_model(config, detector[1])
    rules, picture = detections.rules_of(config), drawn_picture(SIZE)
    raw = rows.reference(model, picture)
    found = detections.decode(raw, rules)
    require_same(found, expected(raw['raw_confidence'], raw['raw_coordinates'], rules))
    assert len(found.labels) > 10
    assert set(found.labels) == {0, 1, 2}


def test_a_package_finds_what_the_model_finds_whatever_its_own_thresholds(
    detector: tuple[Path, Path], exported: Report
) -> None:
    model, _ = open_model.open_model(configs.load_config(detector[0]), detector[1])
    package, picture = open_artifact(exported.artifact).saved.runner, drawn_picture(SIZE)
    raw = rows.reference(model, picture)
    assert exported.info.settings['confidence_threshold'] == 0.25  # the default, which may not matter here
    for score, least in ((0.05, 20), (0.6, 1)):
        rules = Rules(score, 1.0, 1000)  # nothing overlaps that much, so rounding changes no box's fate
        found, wanted = detections.predict(package, picture, rules), detections.decode(raw, rules)
        assert len(wanted.scores) >= least
        common = min(len(found.scores), len(wanted.scores))
        assert abs(len(found.scores) - len(wanted.scores)) <= 2  # rounding at the threshold
        np.testing.assert_allclose(found.scores[:common], wanted.scores[:common], rtol=0, atol=PACKAGE_SCORE)
        assert found.boxes.min() >= 0
        assert found.boxes.max() <= 1
    best = detections.predict(package, picture, Rules(0.05, 0.45, 1))
    np.testing.assert_allclose(best.boxes, wanted.boxes[:1], rtol=0, atol=PACKAGE_BOX)


def config_of(**test_cfg: Any) -> Config:
    return Config({'model': {'test_cfg': test_cfg}}, cfg_text='-', filename='x.py')


NMS = {'type': 'nms', 'iou_threshold': 0.45}


def test_rules_are_the_configs() -> None:
    assert detections.rules_of(config_of(score_thr=0.02, nms=NMS, max_per_img=200)) == Rules(0.02, 0.45, 200)


@pytest.mark.parametrize(
    'test_cfg',
    [
        {},
        {'nms': NMS, 'max_per_img': 200},
        {'score_thr': 0.02, 'max_per_img': 200},
        {'score_thr': 0.02, 'nms': NMS},
        {'score_thr': 2, 'nms': NMS, 'max_per_img': 200},
        {'score_thr': 0.02, 'nms': NMS, 'max_per_img': -1},
        {'score_thr': True, 'nms': NMS, 'max_per_img': 200},
    ],
    ids=str,
)
def test_a_config_that_does_not_say_them_is_refused(test_cfg: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r'x\.py: model\.test_cfg has score_thr=.*expected two numbers in 0\.\.1'):
        detections.rules_of(config_of(**test_cfg))
