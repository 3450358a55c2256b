"""Every rule of a detector package, broken once: nothing else on Linux would notice."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mobileone_mm.errors import ExportError
from mobileone_mm.exporter.report import Report
from mobileone_mm.targets.coreml.target import TARGET
from programs import changed

FLOAT16 = 65552  # ArrayFeatureType.FLOAT16
DOUBLE = 65600  # ArrayFeatureType.DOUBLE


def stage(spec: Any) -> Any:
    return spec.pipeline.models[1]


def nms(spec: Any) -> Any:
    return stage(spec).nonMaximumSuppression


def feature(features: Any, name: str) -> Any:
    return next(one for one in features if one.name == name)


def one_label_too_many(spec: Any) -> None:
    nms(spec).stringClassLabels.vector.append('fourth')


def labels_in_another_order(spec: Any) -> None:
    labels = nms(spec).stringClassLabels.vector
    labels[0], labels[1] = labels[1], labels[0]


def a_label_twice(spec: Any) -> None:
    nms(spec).stringClassLabels.vector[70] = 'circle'


def across_classes(spec: Any) -> None:
    nms(spec).pickTop.perClass = False


def half_precision_out_of_the_program(spec: Any) -> None:
    feature(spec.pipeline.models[0].description.output, 'raw_confidence').type.multiArrayType.dataType = FLOAT16


def half_precision_into_the_suppression(spec: Any) -> None:
    feature(stage(spec).description.input, 'raw_coordinates').type.multiArrayType.dataType = FLOAT16


def double_boxes(spec: Any) -> None:
    feature(spec.description.output, 'coordinates').type.multiArrayType.dataType = DOUBLE


def rows_that_differ(spec: Any) -> None:
    feature(stage(spec).description.input, 'raw_coordinates').type.multiArrayType.shape[0] += 1


def swapped_sides(spec: Any) -> None:
    shape = feature(spec.pipeline.models[0].description.output, 'raw_confidence').type.multiArrayType.shape
    shape[0], shape[1] = shape[1], shape[0]


def a_fixed_number_of_boxes(spec: Any) -> None:
    feature(spec.description.output, 'confidence').type.multiArrayType.shapeRange.sizeRanges[0].upperBound = 100


def another_name(spec: Any) -> None:
    feature(spec.description.input, 'image').name = 'input'


def a_threshold_gone(spec: Any) -> None:
    del stage(spec).description.input[3]


def another_wire(spec: Any) -> None:
    nms(spec).confidenceInputFeatureName = 'raw_coordinates'


def threshold_required(spec: Any) -> None:
    feature(spec.description.input, 'iouThreshold').type.isOptional = False


def threshold_is_a_string(spec: Any) -> None:
    feature(spec.description.input, 'iouThreshold').type.stringType.SetInParent()


def another_default(spec: Any) -> None:
    nms(spec).confidenceThreshold = 0.5


def no_suppression(spec: Any) -> None:
    del spec.pipeline.models[1]


def no_pipeline(spec: Any) -> None:
    program = type(spec)()
    program.CopyFrom(spec.pipeline.models[0])
    program.description.metadata.CopyFrom(spec.description.metadata)  # which say that it is a detector
    spec.CopyFrom(program)


def an_output_twice(spec: Any) -> None:
    spec.description.output.add(name='confidence')


def no_stage_names(spec: Any) -> None:
    del spec.pipeline.names[:]


def updatable(spec: Any) -> None:
    spec.isUpdatable = True


def updatable_program(spec: Any) -> None:
    spec.pipeline.models[0].isUpdatable = True


@pytest.mark.parametrize(
    ('mutate', 'message'),
    [
        (one_label_too_many, r'raw_confidence is 198x80 from the ML program .* expected 198x81 in both: 81 labels'),
        (labels_in_another_order, r"the labels begin with \['square', 'circle', 'triangle'\], the metadata name"),
        (a_label_twice, r"labels stand twice: \['circle'\]"),
        (across_classes, r'suppression is across classes'),
        (half_precision_out_of_the_program, r'ML program: raw_confidence is FLOAT16, expected FLOAT32'),
        (half_precision_into_the_suppression, r'suppression: raw_coordinates is FLOAT16, expected FLOAT32'),
        (double_boxes, r'package: coordinates is DOUBLE, expected FLOAT32'),
        (rows_that_differ, r'raw_coordinates is 198x4 from the ML program and 199x4 into the suppression'),
        (swapped_sides, r'raw_confidence is 80x198 from the ML program'),
        (a_fixed_number_of_boxes, r'package: confidence has shape ranges \[\(0, 100\), \(80, 80\)\]'),
        (another_name, r"package inputs are \['confidenceThreshold', 'input', 'iouThreshold'\], expected"),
        (a_threshold_gone, r"suppression inputs are \['iouThreshold', 'raw_confidence', 'raw_coordinates'\], expected"),
        (another_wire, r"confidenceInputFeatureName is 'raw_coordinates', expected 'raw_confidence'"),
        (threshold_required, r'iouThreshold is not optional'),
        (threshold_is_a_string, r"iouThreshold has types \['doubleType', 'stringType'\]"),
        (another_default, r'confidenceThreshold has the default 0\.5, the metadata say 0\.25'),
        (no_suppression, r"the stages are \('mlProgram',\), expected"),
        (no_pipeline, r'the model is a mlProgram, expected a pipeline'),
        (an_output_twice, r"package outputs are \['confidence', 'confidence', 'coordinates'\], expected"),
        (no_stage_names, r"the stages are called \(\), expected \('detector', 'suppression'\)"),
        (updatable, r'pipeline: isUpdatable is true, expected false'),
        (updatable_program, r'mlProgram: isUpdatable is true, expected false'),
    ],
)
def test_a_broken_rule_is_named(mutate: Callable[[Any], None], message: str, exported: Report, tmp_path: Path) -> None:
    copy = changed(exported.artifact, tmp_path, mutate)
    with pytest.raises(ExportError, match=rf'copy\.mlpackage: not a sound package: .*{message}'):
        TARGET.check(TARGET.open(copy))
