"""A detector for Apple's Vision: a program with a suppression stage behind it, labels, and optional thresholds.

Optional thresholds as in Apple's turicreate.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from mobileone_mm.artifact.card import IMAGE, Card
from mobileone_mm.artifact.inputs import Picture
from mobileone_mm.artifact.ladder import Rung
from mobileone_mm.artifact.room import FLOAT16, widened
from mobileone_mm.artifact.runner import Outputs
from mobileone_mm.targets.coreml import detector_contract
from mobileone_mm.targets.coreml.cell import Cell, swift_lines
from mobileone_mm.targets.coreml.interpreter import Interpreter
from mobileone_mm.targets.coreml.library import coremltools
from mobileone_mm.targets.coreml.options import CoreMLOptions
from mobileone_mm.targets.coreml.rungs import Execution
from mobileone_mm.targets.coreml.runner import CoreMLRunner
from mobileone_mm.targets.coreml.suppression_stage import Suppression, add_boxes, suppression_stage
from mobileone_mm.tasks.detection.graph import DetectorGraph
from mobileone_mm.tasks.detection.rows import PROBE_THRESHOLD, RAW_CONFIDENCE, most
from mobileone_mm.tasks.detection.suppression import CONFIDENCE, CONFIDENCE_THRESHOLD, COORDINATES, IOU_THRESHOLD
from mobileone_mm.tasks.detection.suppression_checks import COREML_RUNG, detection_rungs, distance, suppression_rung
from mobileone_mm.tasks.task import Graph

PAD_TO = 80  # confidence columns; other counts lose detections between the two stages (apple/coremltools#2445)

DESCRIPTIONS = {
    IMAGE: 'Picture, stretched to the input size (scaleFill)',
    CONFIDENCE: 'Boxes x confidence of each class, 0..1',
    COORDINATES: 'Boxes x [centre x, centre y, width, height], fractions of the picture',
    IOU_THRESHOLD: 'Overlap above which the less confident of two boxes with the same label goes (default {:g})',
    CONFIDENCE_THRESHOLD: 'Confidence below which a box goes (default {:g})',
}


def columns_for(classes: Sequence[str], options: CoreMLOptions) -> int:
    """How many confidence columns a package for these classes has."""
    return -(-len(classes) // PAD_TO) * PAD_TO if options.pad_classes else len(classes)


def labels_for(classes: Sequence[str], columns: int) -> list[str]:
    """One label a column: the classes, then placeholders that no class is called."""
    prefix = 'unused'
    while any(name.startswith(prefix) for name in classes):
        prefix = f'_{prefix}'
    return [*classes, *(f'{prefix}_{index}' for index in range(len(classes), columns))]


def _pipeline(first: Any, card: Card, options: CoreMLOptions) -> Any:
    """The suppression stage behind an ML program with raw outputs (both `Model_pb2.Model`)."""
    rows, columns = (int(size) for size in _output(first, RAW_CONFIDENCE).type.multiArrayType.shape)
    spec = coremltools().proto.Model_pb2.Model(specificationVersion=options.spec_version)
    spec.pipeline.models.add().CopyFrom(first)
    labels = labels_for(card.classes, columns)
    stage = suppression_stage(rows, labels, options.spec_version, *_thresholds(card).values())
    spec.pipeline.models.append(stage)
    spec.pipeline.names.extend(('detector', 'suppression'))
    _describe(spec.description, first, columns, _thresholds(card))
    _add_metadata(spec.description.metadata, card)
    return spec


def _thresholds(card: Card) -> dict[str, float]:
    """The defaults of the two thresholds, by the names of their inputs."""
    return {
        IOU_THRESHOLD: card.settings['iou_threshold'],
        CONFIDENCE_THRESHOLD: card.settings['confidence_threshold'],
    }


def _describe(description: Any, first: Any, columns: int, thresholds: Mapping[str, float]) -> None:
    description.input.add().CopyFrom(first.description.input[0])
    for name in thresholds:
        threshold = description.input.add(name=name)
        threshold.type.doubleType.SetInParent()
        threshold.type.isOptional = True
    add_boxes(description.output, columns)
    for feature in (*description.input, *description.output):
        feature.shortDescription = DESCRIPTIONS[feature.name].format(thresholds.get(feature.name))


def _add_metadata(metadata: Any, card: Card) -> None:
    metadata.shortDescription = card.described(
        f'SSD detector, {len(card.classes)} classes, {card.input_size[0]}x{card.input_size[1]} px'
    )
    metadata.author = f'mobileone_mm {card.versions["mobileone_mm"]}'
    metadata.userDefined.update(card.as_metadata())


def _output(spec: Any, name: str) -> Any:
    return next(feature for feature in spec.description.output if feature.name == name)


def _prepare(graph: Graph, classes: Sequence[str], options: CoreMLOptions) -> Graph:
    assert isinstance(graph, DetectorGraph)
    return graph.padded(columns_for(classes, options))


def _behind(interpreter: Interpreter, card: Card, runs: Sequence[Execution]) -> list[Rung]:
    stage = interpreter.suppression
    assert stage is not None, 'the contract asks for it'
    return [suppression_rung([(partial(_kept, stage, run), run.own) for run in runs], card)]


def _kept(stage: Suppression, run: Execution, thresholds: dict[str, float]) -> Outputs:
    return stage({**run.own, **thresholds})


def _in_core_ml(
    runner: CoreMLRunner | str, card: Card, pictures: Sequence[Picture], runs: Sequence[Execution]
) -> list[Rung]:
    """What Core ML itself detects against the raw rows that were computed here."""
    made = _of_core_ml(runner, card, pictures, runs)
    return widened(made, FLOAT16, card.noise, most(card.input_size))


def _of_core_ml(
    runner: CoreMLRunner | str, card: Card, pictures: Sequence[Picture], runs: Sequence[Execution]
) -> list[Rung]:
    if isinstance(runner, str):
        return detection_rungs(COREML_RUNG, [], runner)
    outputs = [runner.predict({IMAGE: picture, CONFIDENCE_THRESHOLD: PROBE_THRESHOLD}) for picture in pictures]
    found = [
        distance(detections, run.own, card.input_size)
        for detections, run in zip(outputs, runs, strict=True)
        if len(detections[CONFIDENCE])
    ]
    return detection_rungs(
        COREML_RUNG, found, f'not run: Core ML finds no box above {PROBE_THRESHOLD} in these pictures'
    )


def _swift(card: Card, model: str) -> str:
    lines = swift_lines('detector', **card.settings, model=model, orientation=swift_lines('orientation'))
    return f'{lines.rstrip()}\n'


def _outputs(graph: Graph) -> Mapping[str, Any]:
    ct = coremltools()
    # In float32: no stage behind a program reads float16 at any version.
    return {'outputs': [ct.TensorType(name=name, dtype=np.float32) for name in graph.outputs]}


CELL = Cell(
    require=lambda _options: None,
    prepare=_prepare,
    outputs=_outputs,
    inner=lambda _block: {},
    assemble=_pipeline,
    structure=detector_contract.structure,
    program_of=detector_contract.program_of,
    rules=detector_contract.RULES,
    behind=_behind,
    in_core_ml=_in_core_ml,
    swift=_swift,
)
