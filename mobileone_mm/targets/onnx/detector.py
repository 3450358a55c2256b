"""A detector as an ONNX file: raw boxes, or those that stay."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from mobileone_mm.artifact.card import IMAGE, Card
from mobileone_mm.artifact.inputs import Picture
from mobileone_mm.artifact.ladder import Rung
from mobileone_mm.artifact.runner import Outputs
from mobileone_mm.targets.onnx.cell import Cell
from mobileone_mm.targets.onnx.contract import Shape, Subject, by, shape_of
from mobileone_mm.targets.onnx.file import onnx
from mobileone_mm.targets.onnx.options import OnnxOptions
from mobileone_mm.targets.onnx.runner import OnnxRunner
from mobileone_mm.targets.onnx.suppression_nodes import (
    ANY_NUMBER,
    THRESHOLDS,
    append_suppression,
    cut_suppression,
    suppression_nodes,
)
from mobileone_mm.tasks.detection.graph import DetectorGraph
from mobileone_mm.tasks.detection.rows import BOX, RAW_CONFIDENCE, RAW_COORDINATES
from mobileone_mm.tasks.detection.suppression import CONFIDENCE, CONFIDENCE_THRESHOLD, COORDINATES, IOU_THRESHOLD
from mobileone_mm.tasks.detection.suppression_checks import suppression_rung
from mobileone_mm.tasks.task import Graph


def _extend(converted: Any, graph: Graph, settings: Mapping[str, Any], options: OnnxOptions) -> None:
    assert isinstance(graph, DetectorGraph)
    if options.nms:
        thresholds = settings['iou_threshold'], settings['confidence_threshold']
        append_suppression(converted, graph.rows, graph.classes, *thresholds)


def _names(model: Any) -> Iterator[str]:
    thresholds = [*THRESHOLDS] if _suppresses(model) else []
    outputs = [CONFIDENCE, COORDINATES] if _suppresses(model) else [RAW_CONFIDENCE, RAW_COORDINATES]
    for where, values, names in (
        ('inputs', model.graph.input, [IMAGE, *thresholds]),
        ('outputs', model.graph.output, outputs),
    ):
        found = [value.name for value in values]
        if found != names:
            yield f'the {where} are {found}, expected {names}'


def _shapes(subject: Subject) -> Iterator[str]:
    columns = len(subject.card.classes)
    rows = shape_of(subject.values[RAW_CONFIDENCE])[0]
    expected: dict[str, Shape] = {
        RAW_CONFIDENCE: (rows, columns),
        RAW_COORDINATES: (rows, BOX),
    }
    if _suppresses(subject.model):
        expected |= {name: () for name in THRESHOLDS}
        expected |= {CONFIDENCE: (ANY_NUMBER, columns), COORDINATES: (ANY_NUMBER, BOX)}
    for name, shape in expected.items():
        found = shape_of(subject.values[name])
        if found != shape:
            yield f'{name} has shape {by(found)}, the metadata say {by(shape)}'


def _suppression(subject: Subject) -> Iterator[str]:
    if not _suppresses(subject.model):
        return
    expected = suppression_nodes()
    if list(subject.model.graph.node)[-len(expected) :] != expected:
        yield f'the last {len(expected)} operations are not the suppression that this version writes'
    constants = {constant.name: constant for constant in subject.model.graph.initializer}
    for name, default in (
        (IOU_THRESHOLD, subject.card.settings['iou_threshold']),
        (CONFIDENCE_THRESHOLD, subject.card.settings['confidence_threshold']),
    ):
        if name not in constants:
            yield f'{name} has no default: every caller would have to give it'
            continue
        found = float(onnx().numpy_helper.to_array(constants[name]))
        if found != float(THRESHOLDS[name](default)):
            yield f'{name} has the default {found:g}, the metadata say {default:g}'


def _suppresses(model: Any) -> bool:
    return CONFIDENCE in [value.name for value in model.graph.output]


def _behind(runner: OnnxRunner, card: Card, pictures: Sequence[Picture], raw: Sequence[Outputs]) -> list[Rung]:
    if CONFIDENCE not in runner.outputs:
        return []
    kept = [partial(_kept, runner, picture) for picture in pictures]
    return [suppression_rung(list(zip(kept, raw, strict=True)), card)]


def _kept(runner: OnnxRunner, picture: Picture, thresholds: dict[str, float]) -> Outputs:
    return runner.predict({IMAGE: picture, **thresholds})


CELL = Cell(
    graph_name='detector',
    require=lambda _build, _options: None,
    extend=_extend,
    cut=cut_suppression,
    plain=lambda model: cut_suppression(model).graph.node,
    numbers=THRESHOLDS,
    structure=_names,
    rules=(_shapes, _suppression),
    behind=_behind,
    python='detector.txt',
)
