"""A classifier for Apple's Vision: a program that ends in the most probable label and the probability of each."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mobileone_mm.artifact.card import CENTER_CROP, IMAGE, Card
from mobileone_mm.artifact.inputs import Picture
from mobileone_mm.artifact.ladder import Rung, largest
from mobileone_mm.artifact.room import FLOAT16, widened
from mobileone_mm.errors import UsageError
from mobileone_mm.targets.coreml import classifier_contract
from mobileone_mm.targets.coreml.cell import Cell, swift_lines
from mobileone_mm.targets.coreml.classifier_contract import LABEL, PREVIEW_TYPE, inner_names
from mobileone_mm.targets.coreml.convert import block
from mobileone_mm.targets.coreml.interpreter import Interpreter
from mobileone_mm.targets.coreml.library import coremltools
from mobileone_mm.targets.coreml.options import CoreMLOptions
from mobileone_mm.targets.coreml.rungs import Execution
from mobileone_mm.targets.coreml.runner import CoreMLRunner
from mobileone_mm.tasks.classification.compare import LIMITS, SCORE, most
from mobileone_mm.tasks.classification.graph import PROBABILITIES, ClassifierGraph
from mobileone_mm.tasks.task import Graph

COREML_RUNG = 'executed here -> Core ML'
TENSOR = 'probabilities'  # in the program, where the dictionary has the name of the output
DESCRIPTIONS = {
    IMAGE: 'Picture, {}',
    LABEL: 'The most probable class',
    PROBABILITIES: 'Probability of each class, 0..1',
}


def _require(options: CoreMLOptions) -> None:
    if not options.pad_classes:
        raise UsageError('`pad_classes`: for detectors, a classifier given; leave it out')


def _prepare(graph: Graph, classes: Sequence[str], _options: CoreMLOptions) -> Graph:
    assert isinstance(graph, ClassifierGraph)
    return graph.packaged(classes)


def _outputs(graph: Graph) -> Mapping[str, Any]:
    assert isinstance(graph, ClassifierGraph)
    ct = coremltools()
    return {
        'outputs': [ct.TensorType(name=TENSOR, dtype=np.float32)],
        'classifier_config': ct.ClassifierConfig(list(graph.labels), predicted_feature_name=LABEL),
    }


def _assemble(first: Any, card: Card, _options: CoreMLOptions) -> Any:
    """An ML program (`Model_pb2.Model`) with its card, its dictionary called as Apple's own classifiers call it."""
    spec = coremltools().proto.Model_pb2.Model()
    spec.CopyFrom(first)
    description, main = spec.description, block(spec)
    description.predictedProbabilitiesName = PROBABILITIES
    description.output[1].name = main.operations[-1].outputs[1].name = main.outputs[1] = PROBABILITIES
    how = 'cropped to a square (centerCrop)' if card.crop == CENTER_CROP else 'stretched to the input size (scaleFill)'
    for feature in (*description.input, *description.output):
        feature.shortDescription = DESCRIPTIONS[feature.name].format(how)
    metadata = description.metadata
    metadata.Clear()
    width, height = card.input_size
    metadata.shortDescription = card.described(f'Classifier, {len(card.classes)} classes, {width}x{height} px')
    metadata.author = f'mobileone_mm {card.versions["mobileone_mm"]}'
    metadata.userDefined.update(card.as_metadata())
    metadata.userDefined[PREVIEW_TYPE] = 'imageClassifier'
    return spec


def _behind(_interpreter: Interpreter, _card: Card, _runs: Sequence[Execution]) -> list[Rung]:
    return []


def _in_core_ml(
    runner: CoreMLRunner | str, card: Card, pictures: Sequence[Picture], runs: Sequence[Execution]
) -> list[Rung]:
    """The probabilities of Core ML itself against those that were computed here."""
    limit = LIMITS['float16'].score
    if isinstance(runner, str):
        return [Rung(COREML_RUNG, None, limit, SCORE, runner)]
    apart = [
        largest(runner.predict({IMAGE: picture})[PROBABILITIES] - run.own[PROBABILITIES])
        for picture, run in zip(pictures, runs, strict=True)
    ]
    made = [Rung(COREML_RUNG, largest(np.array(apart)), limit, SCORE)]
    return widened(made, FLOAT16, card.noise, most(card.input_size))


def _swift(card: Card, model: str) -> str:
    lines = swift_lines('classifier', model=model, crop=card.crop, orientation=swift_lines('orientation'))
    return f'{lines.rstrip()}\n'


CELL = Cell(
    require=_require,
    prepare=_prepare,
    outputs=_outputs,
    inner=inner_names,
    assemble=_assemble,
    structure=classifier_contract.structure,
    program_of=lambda spec: spec,
    rules=classifier_contract.RULES,
    behind=_behind,
    in_core_ml=_in_core_ml,
    swift=_swift,
)
