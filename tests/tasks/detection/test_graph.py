"""The export graph against mmdet: its coder on random deltas, its own `predict` on whole pictures."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmdet.models.task_modules.coders import DeltaXYWHBBoxCoder
from mmdet.structures import DetDataSample
from mmengine.config import Config

from mobileone_mm.errors import ConfigError
from mobileone_mm.openmmlab import configs
from mobileone_mm.pictures.reading import Picture, read_picture, stretched
from mobileone_mm.pictures.synthetic import drawn_picture
from mobileone_mm.reparam import fuse
from mobileone_mm.tasks.detection.graph import BoxDecoder, DetectorGraph, require_ssd
from tiny_detector import MIXED_RATIOS, lively, write_config

DOCUMENTED = (1e-3, 0.5)  # score, px: docs/package.md
TIGHT = (5e-5, 0.01)  # score, px: where a tiny network rounds little


def corners_to_pixels(coordinates: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Centre form in fractions to x1, y1, x2, y2 in pixels, not clipped."""
    centre, wide = coordinates[:, :2], coordinates[:, 2:]
    return torch.cat((centre - wide / 2, centre + wide / 2), dim=1) * torch.tensor((*size, *size))


@pytest.mark.parametrize('means', [[0.0] * 4, [0.1, -0.2, 0.3, -0.4]])
def test_decoder_is_mmdets_coder(means: list[float]) -> None:
    stds = [0.1, 0.15, 0.2, 0.25]
    coder = DeltaXYWHBBoxCoder(target_means=means, target_stds=stds)
    priors = torch.rand(2, 4, 5) + 0.1
    deltas = torch.randn(2, 4, 5) * 3
    deltas[0, 2:] *= 20  # beyond the clip of the size ratio, on both sides
    assert (deltas[0, 2:] * 0.2).abs().max() > 4.2

    decoded = BoxDecoder(priors, coder)(deltas).permute(2, 0, 1).reshape(-1, 4)

    rows = priors.permute(2, 0, 1).reshape(-1, 4)
    corners = torch.cat((rows[:, :2] - rows[:, 2:] / 2, rows[:, :2] + rows[:, 2:] / 2), dim=1)
    expected = coder.decode(corners, deltas.permute(2, 0, 1).reshape(-1, 4))
    torch.testing.assert_close(corners_to_pixels(decoded, (1, 1)), expected, atol=1e-5, rtol=1e-5)


def detector_of(folder: Path, **changes: Any) -> Any:
    model = configs.build_model(configs.load_config(write_config(folder, **changes)))
    return lively(model, (96, 64))


def graph_of(model: Any, size: tuple[int, int], columns: int) -> DetectorGraph:
    return DetectorGraph(fuse(model), size).eval().padded(columns)


def predicted(model: Any, picture: Picture) -> Any:
    """What mmdet itself finds: its test step, on the picture as its loader gives it."""
    height, width = picture.shape[:2]
    sample = DetDataSample(
        metainfo={'img_shape': (height, width), 'ori_shape': (height, width), 'scale_factor': (1, 1)}
    )
    bgr = torch.from_numpy(np.ascontiguousarray(picture[..., ::-1].transpose(2, 0, 1)))
    return model.test_step({'inputs': [bgr], 'data_samples': [sample]})[0].pred_instances


def run_graph(graph: DetectorGraph, picture: Picture) -> tuple[torch.Tensor, torch.Tensor]:
    with torch.no_grad():
        confidence, coordinates = graph(torch.from_numpy(picture.transpose(2, 0, 1).copy())[None].float())
    return confidence, coordinates


def assert_every_detection_is_a_row(
    model: Any, graph: DetectorGraph, picture: Picture, limits: tuple[float, float] = TIGHT
) -> int:
    """Find each detection of the *trained* model as (row, label) in the graph's arrays, boxes clipped as mmdet does."""
    size = picture.shape[1], picture.shape[0]
    confidence, coordinates = run_graph(graph, picture)
    corners = corners_to_pixels(coordinates, size)
    corners = torch.minimum(corners.clamp(min=0), torch.tensor((*size, *size)))
    found = predicted(model, picture)
    for box, score, label in zip(found.bboxes, found.scores, found.labels, strict=True):
        box_error = (corners - box).abs().amax(dim=1)
        score_error = (confidence[:, label] - score).abs()
        assert ((score_error <= limits[0]) & (box_error <= limits[1])).any(), (box, score, label)
    return len(found)


@pytest.mark.parametrize(
    'changes',
    [
        pytest.param({}, id='3 classes, 6 priors everywhere'),
        pytest.param({'ratios': MIXED_RATIOS}, id='levels with different numbers of priors'),
        pytest.param({'classes': ('cell',)}, id='one class'),
        pytest.param({'to_rgb': False}, id='a model fed with BGR'),
        pytest.param({'means': [0.1, -0.2, 0.3, -0.4]}, id='box means'),
        pytest.param({'classes': tuple(f'class {i}' for i in range(34))}, id='34 classes'),
    ],
)
def test_every_detection_of_mmdet_is_a_row(changes: dict[str, Any], tmp_path: Path) -> None:
    model = detector_of(tmp_path, **changes)
    count = assert_every_detection_is_a_row(model, graph_of(model, (96, 64), 80), drawn_picture((96, 64)))
    assert count >= 50


def test_rows_and_columns(tmp_path: Path) -> None:
    model = detector_of(tmp_path, ratios=MIXED_RATIOS)
    graph = graph_of(model, (96, 64), 80)
    confidence, coordinates = run_graph(graph, drawn_picture((96, 64)))
    # maps of 4x6, 2x3, 1x2, 1x1 positions
    rows = 24 * 4 + 6 * 6 + 2 * 6 + 1 * 4
    assert graph.rows == rows
    assert (confidence.shape, coordinates.shape) == ((rows, 80), (rows, 4))
    assert confidence.dtype == coordinates.dtype == torch.float32
    assert not confidence[:, 3:].any()
    assert confidence[:, :3].min() >= 0
    assert confidence.sum(dim=1).max() <= 1
    assert confidence[:, :3].std() > 0.1  # or the comparisons above say little

    # The picture has to matter: a grey level of one channel shows in scores and boxes.
    brighter = drawn_picture((96, 64)) // 2
    brighter[..., 1] += 1
    changed, moved = run_graph(graph, brighter)
    halved, stood = run_graph(graph, drawn_picture((96, 64)) // 2)
    assert (changed - halved).abs().max() > 1e-3
    assert (moved - stood).abs().max() * 96 > 0.05


def test_boxes_are_not_clipped(tmp_path: Path) -> None:
    model = detector_of(tmp_path)
    _, coordinates = run_graph(graph_of(model, (96, 64), 3), drawn_picture((96, 64)))
    corners = corners_to_pixels(coordinates, (1, 1))
    assert corners.min() < -0.05
    assert corners.max() > 1.05


def test_graph_takes_another_size_than_the_config(tmp_path: Path) -> None:
    model = detector_of(tmp_path)
    assert assert_every_detection_is_a_row(model, graph_of(model, (64, 128), 3), drawn_picture((64, 128))) >= 50


REAL_PICTURES = 6
REAL_SIZE = (320, 320)


def test_every_detection_on_real_pictures(real_data: Path, tmp_path: Path) -> None:
    config = configs.load_config(write_config(tmp_path, classes=('RBC', 'WBC', 'Platelets'), size=REAL_SIZE))
    config.model.backbone.arch = 's0'
    channels = (256, 1024, 64, 64)
    config.model.neck.update(in_channels=channels[:2], out_channels=channels)
    config.model.bbox_head.in_channels = channels
    model = lively(configs.build_model(config), REAL_SIZE)
    graph = graph_of(model, REAL_SIZE, 80)
    pictures = sorted((real_data / 'data' / 'bccd_voc' / 'JPEGImages').glob('*.jpg'))[:REAL_PICTURES]
    assert len(pictures) == REAL_PICTURES
    found = sum(
        assert_every_detection_is_a_row(model, graph, stretched(read_picture(path), REAL_SIZE), DOCUMENTED)
        for path in pictures
    )
    assert found >= 100 * REAL_PICTURES


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (
            {'model.bbox_head': {'type': 'RetinaHead', 'num_classes': 3, 'in_channels': 32}},
            'RetinaHead given, expected an SSD',
        ),
        ({'model.bbox_head.bbox_coder.add_ctr_clamp': True}, 'expected DeltaXYWHBBoxCoder without add_ctr_clamp'),
        ({'model.bbox_head.bbox_coder': {'type': 'TBLRBBoxCoder'}}, 'TBLRBBoxCoder given'),
    ],
)
def test_refuses_what_it_would_get_wrong(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    config = configs.load_config(write_config(tmp_path))
    for key, value in changes.items():
        owner, _, name = key.rpartition('.')
        parent: Any = config
        for part in owner.split('.'):
            parent = parent[part]
        parent[name] = Config({'value': value}).value
    with pytest.raises(ConfigError, match=message):
        require_ssd(configs.build_model(config))
