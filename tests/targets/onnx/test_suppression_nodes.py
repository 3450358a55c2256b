"""Suppression by ONNX Runtime against `rows_to_keep`, which is judged by a naive one in exact fractions."""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import pytest
import torch
from torchvision.ops import box_convert, box_iou

from mobileone_mm.targets.onnx.file import IR_VERSION, OPSET
from mobileone_mm.targets.onnx.suppression_nodes import (
    THRESHOLDS,
    append_suppression,
    cut_suppression,
    threshold_at_least,
)
from mobileone_mm.tasks.detection.suppression import rows_to_keep
from random_boxes import CONFIDENCE_THRESHOLDS, IOU_THRESHOLDS, SIDE_BY_SIDE, random_boxes

Array = npt.NDArray[np.float32]
ROWS = 24
SETS = 200  # of boxes, for each number of classes
LABELS = 3  # most labels in a set full of ties
IOU_DEFAULT, CONFIDENCE_DEFAULT = 0.45, 0.3
SURE_IOU = 1e-6  # ONNX Runtime computes an IoU in float32; nearer to a threshold, nothing is promised


def detector_of_given_boxes(columns: int, rows: int) -> Any:
    """A detector that finds what it is given."""
    tensor, node = onnx.helper.make_tensor_value_info, onnx.helper.make_node
    shapes = {'confidence': (rows, columns), 'coordinates': (rows, 4)}
    graph = onnx.helper.make_graph(
        nodes=[node('Identity', [f'given_{name}'], [f'raw_{name}']) for name in shapes],
        name='given',
        inputs=[tensor(f'given_{name}', onnx.TensorProto.FLOAT, shape) for name, shape in shapes.items()],
        outputs=[tensor(f'raw_{name}', onnx.TensorProto.FLOAT, shape) for name, shape in shapes.items()],
    )
    opsets = [onnx.helper.make_opsetid('', OPSET)]
    return onnx.helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)


@cache
def suppression(columns: int, rows: int = ROWS) -> Callable[..., tuple[Array, Array]]:
    """A function (confidence, coordinates, thresholds by name) -> (confidence, coordinates) of what stays."""
    model = detector_of_given_boxes(columns, rows)
    append_suppression(model.graph, rows, columns, IOU_DEFAULT, CONFIDENCE_DEFAULT)
    onnx.checker.check_model(model, full_check=True)
    options = onnxruntime.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = 3, 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=['CPUExecutionProvider'])

    def suppress(confidence: Array, coordinates: Array, **thresholds: float) -> tuple[Array, Array]:
        given = {name: np.asarray(THRESHOLDS[name](value)) for name, value in thresholds.items()}
        found = session.run(None, {'given_confidence': confidence, 'given_coordinates': coordinates, **given})
        return found[0], found[1]

    return suppress


def require_rows(found: tuple[Array, Array], confidence: Array, coordinates: Array, rows: npt.NDArray[np.intp]) -> None:
    np.testing.assert_array_equal(found[0], confidence[rows])
    np.testing.assert_array_equal(found[1], coordinates[rows])


@pytest.mark.parametrize('classes', [1, 3, 20, 34, 80])
def test_sets_full_of_ties(classes: int) -> None:
    generator = np.random.default_rng(classes)
    suppress = suppression(classes)
    kept = []
    for _ in range(SETS):
        confidence, coordinates = random_boxes(generator, classes, ROWS)
        confidence[:, generator.permutation(classes)[LABELS:]] = 0  # or boxes of one label are too few to meet
        iou, least = float(generator.choice(IOU_THRESHOLDS)), float(generator.choice((*CONFIDENCE_THRESHOLDS, 1.0)))
        rows = rows_to_keep(confidence, coordinates, iou, least)
        found = suppress(confidence, coordinates, iouThreshold=iou, confidenceThreshold=least)
        require_rows(found, confidence, coordinates, rows)
        kept.append(len(rows))
    assert min(kept) < ROWS / 2 < max(kept)


@pytest.mark.parametrize('classes', [1, 3, 20, 34, 80])
def test_sets_of_any_numbers(classes: int) -> None:
    generator = np.random.default_rng(classes)
    suppress, unsure, given = suppression(classes), 0, {'iouThreshold': 0.3, 'confidenceThreshold': 0.1}
    for index in range(SETS):
        confidence = generator.random((ROWS, classes), np.float32) ** 4
        coordinates = generator.uniform(0.1, 0.6, (ROWS, 4)).astype(np.float32)
        thresholds = given if index % 2 else {}
        iou = thresholds.get('iouThreshold', IOU_DEFAULT)
        corners = box_convert(torch.from_numpy(coordinates).double(), 'cxcywh', 'xyxy')
        if (box_iou(corners, corners) - iou).abs().min() < SURE_IOU:
            unsure += 1
            continue
        rows = rows_to_keep(confidence, coordinates, iou, thresholds.get('confidenceThreshold', CONFIDENCE_DEFAULT))
        require_rows(suppress(confidence, coordinates, **thresholds), confidence, coordinates, rows)
    assert unsure < SETS / 20


@pytest.mark.parametrize(
    ('confidence', 'coordinates', 'iou', 'least', 'rows'),
    [
        pytest.param([[0.4], [0.1]], SIDE_BY_SIDE, 0.5, 0.5, [], id='all below the threshold'),
        pytest.param([[0.0, 0.0]], [[0.5] * 4], 0.5, 0.0, [0], id='nothing is below a threshold of 0'),
        pytest.param([[0.5]], [[0.5] * 4], 0.5, 0.5, [0], id='at the confidence threshold: stays'),
        pytest.param([[0.7]], [[0.5] * 4], 0.5, 0.7, [], id='float32 rounds 0.7 down: below the threshold'),
        pytest.param([[0.1]], [[0.5] * 4], 0.5, 0.1, [0], id='float32 rounds 0.1 up: above the threshold'),
        pytest.param([[0.5], [0.5]], [[0.5] * 4] * 2, 0.5, 0.0, [0], id='of equals, the first stays'),
        pytest.param([[0.5], [0.5]], [[0.5] * 4] * 2, 1.0, 0.0, [0, 1], id='a threshold of 1 suppresses nothing'),
        pytest.param([[0.5, 0], [0, 0.75]], [[0.5] * 4] * 2, 0.0, 0.0, [1, 0], id='labels do not meet; best first'),
        pytest.param([[0, 0.5], [0.5, 0]], [[0.5] * 4] * 2, 0.0, 0.0, [0, 1], id='of equals, rows go before classes'),
        pytest.param([[0.5, 0.5], [0.5, 0]], [[0.5] * 4] * 2, 0.5, 0.0, [0], id='of equal classes, the first labels'),
        pytest.param([[0.9, 0.8], [0, 0.7]], [[0.5] * 4] * 2, 0.5, 0.0, [0, 1], id='one label a box'),
        pytest.param([[0.5], [0.25]], [[0.5, 0.5, 0.5, 0.5], [0.5, 0.5, 0.5, 0.25]], 0.5, 0, [0, 1], id='at IoU 0.5'),
        pytest.param([[0.5], [0.25]], SIDE_BY_SIDE, 0.33, 0, [0], id='above IoU 0.33'),
        pytest.param([[0.5], [0.5]], [[0.5, 0.5, 0, 0]] * 2, 0.0, 0.0, [0, 1], id='no area, no overlap'),
    ],
)
def test_by_hand(confidence: object, coordinates: object, iou: float, least: float, rows: list[int]) -> None:
    scores, boxes = np.array(confidence, np.float32), np.array(coordinates, np.float32)
    found = suppression(scores.shape[1], len(scores))(scores, boxes, iouThreshold=iou, confidenceThreshold=least)
    require_rows(found, scores, boxes, np.array(rows, np.intp))
    assert rows_to_keep(scores, boxes, iou, least).tolist() == rows


@pytest.mark.parametrize('value', [0.0, 0.1, 0.25, 0.7, 1 / 3, 1.0, *np.random.default_rng(0).random(50)])
def test_a_threshold_parts_all_float32_as_the_double_does(value: float) -> None:
    stored = threshold_at_least(value)
    near = [np.nextafter(np.float32(value), np.float32(side)) for side in (-1, 2)] + [np.float32(value)]
    assert [score >= stored for score in near] == [float(score) >= value for score in near]


def test_what_is_cut_off_is_what_was_appended() -> None:
    model = detector_of_given_boxes(3, 5)
    suppressing = onnx.ModelProto.FromString(model.SerializeToString())
    append_suppression(suppressing.graph, 5, 3, IOU_DEFAULT, CONFIDENCE_DEFAULT)
    cut = cut_suppression(suppressing)
    del cut.graph.value_info[:]
    assert cut == model
    assert cut_suppression(model) == model
