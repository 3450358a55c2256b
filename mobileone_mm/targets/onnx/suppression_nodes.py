"""The suppression of a detector as ONNX operations, by the rule of `tasks.detection.suppression`.

`NonMaxSuppression` knows neither one label a box nor an order across classes, and keeps what is above a threshold, not
at it. So it is given -1 for every score that is not to count, and what it selects is sorted afterwards.

Letters: N boxes in, C classes, M boxes out.
"""

from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any

import numpy as np

from mobileone_mm.targets.onnx.file import onnx
from mobileone_mm.tasks.detection.rows import BOX, RAW_CONFIDENCE, RAW_COORDINATES
from mobileone_mm.tasks.detection.suppression import CONFIDENCE, CONFIDENCE_THRESHOLD, COORDINATES, IOU_THRESHOLD

Threshold = Callable[[float], np.float32]
OUT = -1.0  # a score that does not count; scores are 0..1
ANY_NUMBER = 'boxes'  # name of the one size that is not fixed, M


def threshold_at_least(value: float) -> np.float32:
    """The smallest float32 that is not below `value`: any float32 is at or above both of them, or below both."""
    nearest = np.float32(value)
    return nearest if float(nearest) >= value else np.nextafter(nearest, np.float32(np.inf))


# What a threshold becomes in float32. An IoU is compared after it was rounded to float32 itself: the nearest will do.
THRESHOLDS: Mapping[str, Threshold] = {IOU_THRESHOLD: np.float32, CONFIDENCE_THRESHOLD: threshold_at_least}


def append_suppression(graph: Any, rows: int, columns: int, iou_threshold: float, confidence_threshold: float) -> None:
    """Have a graph (`onnx.GraphProto`) give `confidence` (M, C) and `coordinates` (M, 4) in place of its raw outputs.

    The thresholds become inputs that may be left out: float scalars with these values as their defaults.
    """
    helper, kind = onnx().helper, onnx().TensorProto
    defaults = {IOU_THRESHOLD: iou_threshold, CONFIDENCE_THRESHOLD: confidence_threshold}
    constants = {name: stored(defaults[name]) for name, stored in THRESHOLDS.items()}
    for name in constants:
        graph.input.append(helper.make_tensor_value_info(name, kind.FLOAT, ()))
    for name, value in {**constants, **_constants(rows, columns)}.items():
        graph.initializer.append(onnx().numpy_helper.from_array(np.asarray(value), name))
    graph.node.extend(suppression_nodes())
    graph.value_info.extend(graph.output)
    del graph.output[:]
    for name, width in ((CONFIDENCE, columns), (COORDINATES, BOX)):
        graph.output.append(helper.make_tensor_value_info(name, kind.FLOAT, (ANY_NUMBER, width)))


def cut_suppression(model: Any) -> Any:
    """A copy of a model (`onnx.ModelProto`) that gives the raw outputs, with nothing behind them."""
    cut = deepcopy(model)
    graph = cut.graph
    added = {step.name for step in suppression_nodes()}
    constants = {name for step in suppression_nodes() for name in step.input}
    raw = [value for value in graph.value_info if value.name in (RAW_CONFIDENCE, RAW_COORDINATES)]
    for parts, kept in (
        (graph.node, [node for node in graph.node if node.name not in added]),
        (graph.initializer, [constant for constant in graph.initializer if constant.name not in constants]),
        (graph.input, [value for value in graph.input if value.name not in THRESHOLDS]),
        (graph.output, raw or list(graph.output)),
    ):
        del parts[:]
        parts.extend(kept)
    return cut


def suppression_nodes() -> list[Any]:
    """The operations (`onnx.NodeProto`), the same for every detector."""
    node = onnx().helper.make_node
    steps = [
        # One label a box: the first of the largest scores, if it is at the threshold or above.
        node('ArgMax', [RAW_CONFIDENCE], ['label'], axis=1, keepdims=1),
        node('Equal', ['label', 'columns'], ['is_label']),
        node('GreaterOrEqual', [RAW_CONFIDENCE, CONFIDENCE_THRESHOLD], ['is_sure']),
        node('And', ['is_label', 'is_sure'], ['counts']),
        node('Where', ['counts', RAW_CONFIDENCE, 'out'], ['scores']),
        # Within each class.
        node('Unsqueeze', [RAW_COORDINATES, 'first_axis'], ['batch_of_boxes']),
        node('Unsqueeze', ['scores', 'first_axis'], ['batch_of_scores']),
        node('Transpose', ['batch_of_scores'], ['scores_of_classes'], perm=[0, 2, 1]),
        node(
            'NonMaxSuppression',
            ['batch_of_boxes', 'scores_of_classes', 'all_rows', IOU_THRESHOLD, 'below_all_scores'],
            ['selected'],
            center_point_box=1,
        ),
        # Best first across classes, of equals the first row: TopK orders so, given the scores by row.
        node('Gather', ['selected', 'row_of_selected'], ['rows'], axis=1),
        node('ReduceMax', ['scores', 'last_axis'], ['best'], keepdims=0),
        node('Gather', ['best', 'rows'], ['best_of_rows']),
        node('ScatterElements', ['none_kept', 'rows', 'best_of_rows'], ['kept']),
        node('Shape', ['rows'], ['number']),
        node('TopK', ['kept', 'number'], ['sorted', 'order']),
        node('Gather', [RAW_CONFIDENCE, 'order'], [CONFIDENCE]),
        node('Gather', [RAW_COORDINATES, 'order'], [COORDINATES]),
    ]
    for step in steps:
        step.name = f'suppression/{step.output[0]}'
    return steps


def _constants(rows: int, columns: int) -> dict[str, Any]:
    return {
        'columns': np.arange(columns, dtype=np.int64)[None],
        'out': np.float32(OUT),
        'below_all_scores': np.float32(OUT / 2),
        'all_rows': np.array([rows], np.int64),
        'first_axis': np.array([0], np.int64),
        'last_axis': np.array([1], np.int64),
        'row_of_selected': np.int64(2),  # what is selected is (batch, class, row)
        'none_kept': np.full(rows, OUT, np.float32),
    }
