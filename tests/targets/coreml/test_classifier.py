"""A classifier as a package: what Vision reads, the rules it is held to, what its last operation does."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mobileone_mm.artifact import ladder
from mobileone_mm.errors import ExportError, UsageError
from mobileone_mm.exporter.report import Report
from mobileone_mm.exporter.verify import verify
from mobileone_mm.pictures.synthetic import drawn_picture
from mobileone_mm.targets.artifact import open_artifact
from mobileone_mm.targets.coreml import convert
from mobileone_mm.targets.coreml.classifier_contract import LABEL, PREVIEW_TYPE
from mobileone_mm.targets.coreml.classify import Labels, read_labels
from mobileone_mm.targets.coreml.interpreter import open_interpreter
from mobileone_mm.targets.coreml.package import open_package
from mobileone_mm.tasks.classification.graph import LOGITS, PROBABILITIES
from mobileone_mm.tasks.task import run_graph
from programs import changed
from tiny_classifier import CLASSES, RESIZED, SHORT, SIDE, export_classifier, graph_of

PICTURE = drawn_picture((SHORT, SHORT))
HALF = 0.01  # of a probability: what float16 makes of so small a model


def block_of(spec: Any) -> Any:
    return convert.block(spec)


def test_every_check_holds_but_for_core_ml_itself(classifier_package: Report) -> None:
    made = [rung for rung in classifier_package.rungs if rung.value is not None]
    assert len(made) >= 13
    assert all(rung.holds for rung in made)
    assert {rung.unit for rung in made} >= {'of range', 'score', 'of pictures'}
    assert '->' not in ladder.table(classifier_package.rungs)
    card, rungs = verify(classifier_package.artifact)
    assert card.task == 'classification'
    assert ladder.first_failed(rungs) is None


@pytest.mark.parametrize(
    'options',
    [
        {},
        {'crop_inside': 'no'},
        {'precision': 'fp32'},
        {'target': 'iOS15'},
        {'weights': 'int8'},
        {'weights': 'palette8', 'target': 'iOS18'},
    ],
    ids=str,
)
def test_a_package_gives_what_its_options_say(
    options: dict[str, Any], classifier: tuple[Path, Path], tmp_path: Path
) -> None:
    report = export_classifier(classifier, tmp_path / 'cls.mlpackage', **options)
    side, seen = (SIDE, None) if 'crop_inside' in options else (SHORT, SIDE)
    assert (report.info.input_size, report.info.settings) == ((side, side), {'crop_inside': seen, 'resize': RESIZED})
    artifact, picture = open_artifact(report.artifact), drawn_picture((side, side))
    found = artifact.predict({'image': picture})
    expected = run_graph(graph_of(classifier, side, seen), picture)[PROBABILITIES]
    assert set(found) == {LABEL, PROBABILITIES}
    assert np.abs(found[PROBABILITIES] - expected).max() <= (0.05 if 'weights' in options else HALF)
    assert str(found[LABEL]) == CLASSES[int(found[PROBABILITIES].argmax())]
    named = artifact.classify(np.ascontiguousarray(picture.repeat(2, axis=0).repeat(2, axis=1)))
    assert set(named) == set(CLASSES)
    with pytest.raises(ExportError, match='made for classification, which gives no class map; expected a segmenter'):
        artifact.segment(picture)


def test_vision_and_xcode_find_a_classifier(classifier_package: Report) -> None:
    spec = open_package(classifier_package.artifact).spec
    label, probabilities = spec.description.output
    assert (label.name, label.type.WhichOneof('Type')) == ('classLabel', 'stringType')
    assert (probabilities.name, probabilities.type.WhichOneof('Type')) == ('classLabelProbs', 'dictionaryType')
    assert (spec.description.predictedFeatureName, spec.description.predictedProbabilitiesName) == (
        'classLabel',
        'classLabelProbs',
    )
    assert open_artifact(classifier_package.artifact).metadata[PREVIEW_TYPE] == 'imageClassifier'
    assert 'centerCrop' in spec.description.input[0].shortDescription
    labels = read_labels(block_of(spec))
    assert labels is not None
    assert labels.names == CLASSES


def test_a_package_of_somebody_else_is_run_too(classifier_package: Report, tmp_path: Path) -> None:
    def anonymous(spec: Any) -> None:
        spec.description.metadata.userDefined.clear()

    found = open_artifact(changed(classifier_package.artifact, tmp_path, anonymous)).predict({'image': PICTURE})
    assert np.array_equal(
        found[PROBABILITIES], open_artifact(classifier_package.artifact).predict({'image': PICTURE})[PROBABILITIES]
    )


def test_the_comparisons_see_logits_and_probabilities(classifier_package: Report) -> None:
    saved = open_package(classifier_package.artifact)
    whole = open_artifact(classifier_package.artifact).saved.runner
    assert whole.inputs == ['image']
    raw = open_interpreter(saved).raw({'image': PICTURE})
    assert [value.shape for value in raw.values()] == [(1, len(CLASSES))]
    inner = whole.raw({'image': PICTURE})  # type: ignore[attr-defined]
    assert set(inner) >= {LOGITS, PROBABILITIES}
    powers = np.exp(inner[LOGITS] - inner[LOGITS].max())
    assert np.abs(inner[PROBABILITIES] - powers / powers.sum()).max() <= 2e-3, 'in float16'


def test_a_label_is_that_of_the_largest_number_and_core_mls_dictionary_is_put_in_order() -> None:
    labels = Labels('p', 'label', 'all', ('cat', 'dog', 'cow'))
    found = labels({'p': np.array([[0.2, 0.7, 0.1]], np.float32)})
    assert str(found['label']) == 'dog'
    assert found['all'].tolist() == [[pytest.approx(0.2), pytest.approx(0.7), pytest.approx(0.1)]]
    given = {'label': 'dog', 'all': {'cow': 0.1, 'dog': 0.7, 'cat': 0.2}}
    assert labels.as_numbers(given)['all'].tolist() == [[0.2, 0.7, 0.1]]
    assert str(labels.as_numbers(given)['label']) == 'dog'


def test_options_of_others_are_refused(classifier: tuple[Path, Path], tmp_path: Path) -> None:
    for options, message in (
        ({'pad_classes': False}, '`pad_classes`: for detectors, a classifier given'),
        ({'iou_threshold': 0.5}, '`iou_threshold`: for detection alone, classification given; leave it out'),
        ({'map': 'image'}, '`map`: for segmentation alone, classification given; leave it out'),
        ({'crop_inside': 'half'}, "`crop_inside`: 'half' given, expected yes or no"),
    ):
        with pytest.raises(UsageError, match=message):
            export_classifier(classifier, tmp_path / 'cls.mlpackage', **options)
    assert not list(tmp_path.iterdir())


def constant(spec: Any, operation: Any, argument: str) -> Any:
    """The constant that an operation takes under a name."""
    name = operation.inputs[argument].arguments[0].name
    return next(one for one in block_of(spec).operations if one.outputs[0].name == name)


def another_cut(spec: Any) -> None:
    """The rows that are cut out of the middle begin and end eight sooner."""
    cut = next(one for one in block_of(spec).operations if one.type == 'slice_by_index')
    for argument in ('begin', 'end'):
        values = constant(spec, cut, argument).attributes['val'].immediateValue.tensor.ints.values
        values[2] -= 8


def swapped_labels(spec: Any) -> None:
    values = block_of(spec).operations[-1].inputs['classes'].arguments[0].value.immediateValue.list.values
    first, second = (value.immediateValue.tensor.strings for value in values[:2])
    first.values[0], second.values[0] = second.values[0], first.values[0]


def test_another_cut_fails(classifier_package: Report, tmp_path: Path) -> None:
    _, rungs = verify(changed(classifier_package.artifact, tmp_path, another_cut))
    failed = ladder.first_failed(rungs)
    assert failed is not None
    assert ladder.plain_name(failed.name) == 'saved file finds what its export found'


def no_preview(spec: Any) -> None:
    del spec.description.metadata.userDefined[PREVIEW_TYPE]


def no_feature_name(spec: Any) -> None:
    spec.description.predictedFeatureName = ''


def other_probabilities_name(spec: Any) -> None:
    spec.description.predictedProbabilitiesName = 'classLabel_probs'


def as_array(spec: Any) -> None:
    spec.description.output[1].type.multiArrayType.SetInParent()


def as_number(spec: Any) -> None:
    spec.description.output[0].type.int64Type.SetInParent()


def another_name(spec: Any) -> None:
    spec.description.output[0].name = 'label'


def as_network(spec: Any) -> None:
    spec.neuralNetwork.SetInParent()


def without_labels(spec: Any) -> None:
    del block_of(spec).operations[-1]


def labels_first(spec: Any) -> None:
    operations = block_of(spec).operations
    last = type(operations[-1])()
    last.CopyFrom(operations[-1])
    del operations[-1]
    operations.insert(0, last)


def of_five_classes(spec: Any) -> None:
    spec.description.metadata.userDefined['mobileone_mm.classes'] = '["a", "b", "c", "d", "e"]'


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (swapped_labels, 'the labels are 6, dog, cat, cow ..., the metadata say 6, cat, dog, cow ...'),
        (no_preview, 'preview.type is None, expected imageClassifier'),
        (no_feature_name, "predictedFeatureName is '', expected 'classLabel': Vision finds no classes without it"),
        (other_probabilities_name, "predictedProbabilitiesName is 'classLabel_probs', expected 'classLabelProbs'"),
        (as_array, 'classLabelProbs is multiArrayType, expected a dictionary with texts as its keys'),
        (as_number, r'classLabel is int64Type, expected a text \(stringType\)'),
        (another_name, r"outputs are \['label', 'classLabelProbs'\], expected \['classLabel', 'classLabelProbs'\]"),
        (as_network, 'the model is a neuralNetwork, expected an mlProgram'),
        (without_labels, 'expected one, and a label behind it'),
        (labels_first, '1 operations classify in the ML program, expected one, which ends it'),
        (of_five_classes, 'the labels are 6, .*, the metadata say 5, a, b, c'),
    ],
)
def test_a_broken_rule_is_named(
    change: Callable[[Any], None], message: str, classifier_package: Report, tmp_path: Path
) -> None:
    with pytest.raises(ExportError, match=message):
        verify(changed(classifier_package.artifact, tmp_path, change))
