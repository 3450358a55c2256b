"""The rules of a saved classifier package: one ML program that ends in a label, as Vision and Xcode read it."""

from collections.abc import Iterator, Mapping
from typing import Any

from mobileone_mm.artifact.card import IMAGE
from mobileone_mm.errors import ExportError
from mobileone_mm.targets.coreml.classify import read_labels
from mobileone_mm.targets.coreml.contract import Rule, Subject, by, features_of
from mobileone_mm.targets.coreml.convert import block
from mobileone_mm.tasks.classification.graph import LOGITS, PROBABILITIES

PREVIEW_TYPE = 'com.apple.coreml.model.preview.type'  # what Xcode's preview reads (xcode-model-preview-types)
LABEL = 'classLabel'
SOFTMAX = 'softmax'


def inner_names(main: Any) -> Mapping[str, str]:
    """Names of the logits and probabilities in an ML program (`MIL_pb2.Block`).

    Raises:
        ExportError: it does not choose a label, once, by the softmax of its logits.
    """
    labels = read_labels(main)
    found = [operation for operation in main.operations if operation.type == SOFTMAX]
    if labels is None or len(found) != 1:
        raise ExportError(f'the ML program has {len(found)} operations {SOFTMAX}, expected one, and a label behind it')
    return {LOGITS: str(found[0].inputs['x'].arguments[0].name), PROBABILITIES: labels.source}


def structure(spec: Any) -> Iterator[str]:
    """Faults in what stands where, without which no rule can be asked."""
    kind = spec.WhichOneof('Type')
    if kind != 'mlProgram':
        yield f'the model is a {kind}, expected an mlProgram'
        return
    if spec.isUpdatable:
        yield 'isUpdatable is true, expected false'
    for where, features, names in (
        ('inputs', spec.description.input, [IMAGE]),
        ('outputs', spec.description.output, [LABEL, PROBABILITIES]),
    ):
        found = [feature.name for feature in features]
        if found != names:
            yield f'{where} are {found}, expected {names}'
    try:
        inner_names(block(spec))
    except ExportError as error:
        yield str(error)


def _outputs(subject: Subject) -> Iterator[str]:
    """Vision takes a model for a classifier, and gives VNClassificationObservations, by these two names."""
    description = subject.spec.description
    for field, expected in (('predictedFeatureName', LABEL), ('predictedProbabilitiesName', PROBABILITIES)):
        found = getattr(description, field)
        if found != expected:
            yield f'{field} is {found!r}, expected {expected!r}: Vision finds no classes without it'
    features = features_of(description.output)
    if features[LABEL].type.WhichOneof('Type') != 'stringType':
        yield f'{LABEL} is {features[LABEL].type.WhichOneof("Type")}, expected a text (stringType)'
    dictionary = features[PROBABILITIES].type
    if dictionary.WhichOneof('Type') != 'dictionaryType' or not dictionary.dictionaryType.HasField('stringKeyType'):
        yield f'{PROBABILITIES} is {dictionary.WhichOneof("Type")}, expected a dictionary with texts as its keys'


def _labels(subject: Subject) -> Iterator[str]:
    labels = read_labels(block(subject.program))
    assert labels is not None, 'the structure asks for them'
    if labels.names != subject.card.classes:
        yield f'the labels are {_said(labels.names)}, the metadata say {_said(subject.card.classes)}'
    if [labels.label, labels.dictionary] != [LABEL, PROBABILITIES]:
        yield f'the ML program gives {labels.label} and {labels.dictionary}, expected {LABEL} and {PROBABILITIES}'


def _said(names: tuple[str, ...]) -> str:
    return f'{len(names)}, {", ".join(names[:3])} ...'


def _probabilities(subject: Subject) -> Iterator[str]:
    main, expected = block(subject.program), (1, len(subject.card.classes))
    names = inner_names(main)
    for operation in main.operations:
        for output in operation.outputs:
            if output.name in names.values():
                found = tuple(size.constant.size for size in output.type.tensorType.dimensions)
                if found != expected:
                    yield f'{output.name} is {by(found)}, the metadata say {by(expected)}'


def _preview(subject: Subject) -> Iterator[str]:
    found = subject.package.metadata.get(PREVIEW_TYPE)
    if found != 'imageClassifier':
        yield f'{PREVIEW_TYPE} is {found!r}, expected imageClassifier'


RULES: tuple[Rule, ...] = (_outputs, _labels, _probabilities, _preview)
