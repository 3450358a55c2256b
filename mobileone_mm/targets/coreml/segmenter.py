"""A segmenter for Apple's Vision: a program whose class map is an array or a picture, with labels and colours."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mobileone_mm.artifact.card import IMAGE, Card
from mobileone_mm.artifact.inputs import Picture
from mobileone_mm.artifact.ladder import Rung
from mobileone_mm.errors import UsageError
from mobileone_mm.targets.coreml import segmenter_contract
from mobileone_mm.targets.coreml.cell import Cell, swift_lines
from mobileone_mm.targets.coreml.interpreter import Interpreter
from mobileone_mm.targets.coreml.library import coremltools
from mobileone_mm.targets.coreml.options import CoreMLOptions
from mobileone_mm.targets.coreml.rungs import Execution
from mobileone_mm.targets.coreml.runner import CoreMLRunner
from mobileone_mm.targets.coreml.segmenter_contract import PREVIEW_PARAMS, PREVIEW_TYPE, logits_name, preview
from mobileone_mm.tasks.segmentation import options as task_options
from mobileone_mm.tasks.segmentation.graph import CLASS_MAP, LOGITS, SegmenterGraph
from mobileone_mm.tasks.segmentation.maps import LIMITS, OF_PIXELS
from mobileone_mm.tasks.task import Graph

COREML_RUNG = 'executed here -> Core ML'
DESCRIPTIONS = {
    IMAGE: 'Picture, stretched to the input size (scaleFill)',
    CLASS_MAP: 'Index of the class of each pixel',
    LOGITS: 'Score of each class at each place of the map, before the best is chosen',
}


def _require(options: CoreMLOptions) -> None:
    if not options.pad_classes:
        raise UsageError('`pad_classes`: for detectors, a segmenter given; leave it out')


def _prepare(graph: Graph, _classes: Sequence[str], _options: CoreMLOptions) -> Graph:
    assert isinstance(graph, SegmenterGraph)
    return graph.packaged(logits=graph.options.logits, as_picture=graph.options.map == task_options.IMAGE)


def _outputs(graph: Graph) -> Mapping[str, Any]:
    assert isinstance(graph, SegmenterGraph)
    ct = coremltools()
    types = {
        LOGITS: ct.TensorType(name=LOGITS, dtype=np.float32),
        CLASS_MAP: ct.ImageType(name=CLASS_MAP, color_layout=ct.colorlayout.GRAYSCALE)
        if graph.as_picture
        else ct.TensorType(name=CLASS_MAP, dtype=np.int32),
    }
    return {'outputs': [types[name] for name in graph.outputs]}


def _assemble(first: Any, card: Card, _options: CoreMLOptions) -> Any:
    """An ML program (`Model_pb2.Model`) with its card and what Xcode's preview wants to know."""
    spec = coremltools().proto.Model_pb2.Model()
    spec.CopyFrom(first)
    for feature in (*spec.description.input, *spec.description.output):
        feature.shortDescription = DESCRIPTIONS[feature.name]
    metadata = spec.description.metadata
    metadata.Clear()
    width, height = card.input_size
    metadata.shortDescription = card.described(f'Segmenter, {len(card.classes)} classes, {width}x{height} px')
    metadata.author = f'mobileone_mm {card.versions["mobileone_mm"]}'
    metadata.userDefined.update(card.as_metadata())
    metadata.userDefined[PREVIEW_TYPE] = 'imageSegmenter'
    metadata.userDefined[PREVIEW_PARAMS] = json.dumps(preview(card))
    return spec


def _inner(block: Any) -> Mapping[str, str]:
    return {LOGITS: logits_name(block)}


def _behind(_interpreter: Interpreter, _card: Card, _runs: Sequence[Execution]) -> list[Rung]:
    return []


def _in_core_ml(
    runner: CoreMLRunner | str, _card: Card, pictures: Sequence[Picture], runs: Sequence[Execution]
) -> list[Rung]:
    """The class map of Core ML itself against the one that was computed here."""
    limit = LIMITS['float16'].pixels
    if isinstance(runner, str):
        return [Rung(COREML_RUNG, None, limit, OF_PIXELS, runner)]
    worst = max(
        float((np.asarray(runner.predict({IMAGE: picture})[CLASS_MAP]) != run.own[CLASS_MAP]).mean())
        for picture, run in zip(pictures, runs, strict=True)
    )
    return [Rung(COREML_RUNG, worst, limit, OF_PIXELS)]


def _swift(card: Card, model: str) -> str:
    kind = card.settings['map']
    lines = swift_lines(
        'segmenter',
        model=model,
        index='UInt8' if kind == task_options.IMAGE else 'Int32',
        labels=json.dumps(list(card.classes), ensure_ascii=False),  # Swift writes a list of texts as JSON does
        hexadecimal=', '.join(f'0x{colour[1:]}' for colour in card.settings['colors']),
        reading=swift_lines(f'segmenter_{kind}').rstrip(),
        orientation=swift_lines('orientation'),
    )
    return f'{lines.rstrip()}\n'


CELL = Cell(
    require=_require,
    prepare=_prepare,
    outputs=_outputs,
    inner=_inner,
    assemble=_assemble,
    structure=segmenter_contract.structure,
    program_of=lambda spec: spec,
    rules=segmenter_contract.RULES,
    behind=_behind,
    in_core_ml=_in_core_ml,
    swift=_swift,
)
