"""Every rule of the contract, broken once: nothing else on Linux would notice."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mobileone_mm.errors import ExportError
from mobileone_mm.exporter.report import Report
from mobileone_mm.targets.coreml.contract import check_contract
from mobileone_mm.targets.coreml.library import coremltools
from mobileone_mm.targets.coreml.package import open_package

MODEL = Path('Data/com.apple.CoreML/model.mlmodel')
WEIGHTS = Path('Data/com.apple.CoreML/weights/weight.bin')
FLOAT16 = 65552  # ArrayFeatureType.FLOAT16
DOUBLE = 65600  # ArrayFeatureType.DOUBLE


def test_a_fresh_package_is_sound(exported: Report) -> None:
    assert check_contract(open_package(exported.artifact)) == exported.info


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


def bgr(spec: Any) -> None:
    feature(spec.description.input, 'image').type.imageType.colorSpace = 30


def array_for_a_picture(spec: Any) -> None:
    feature(spec.pipeline.models[0].description.input, 'image').type.multiArrayType.SetInParent()


def another_picture_size(spec: Any) -> None:
    image = feature(spec.pipeline.models[0].description.input, 'image').type.imageType
    image.width, image.height = image.height, image.width


def newer_than_the_target(spec: Any) -> None:
    spec.specificationVersion = 8


def older_than_its_stages(spec: Any) -> None:
    spec.specificationVersion = 6


def no_suppression(spec: Any) -> None:
    del spec.pipeline.models[1]


def no_pipeline(spec: Any) -> None:
    program = type(spec)()
    program.CopyFrom(spec.pipeline.models[0])
    spec.CopyFrom(program)


def no_metadata(spec: Any) -> None:
    spec.description.metadata.userDefined.clear()


def saying(**values: Any) -> Callable[[Any], None]:
    """A change of what the package says about itself."""

    def mutate(spec: Any) -> None:
        for name, value in values.items():
            spec.description.metadata.userDefined[f'mobileone_mm.{name}'] = json.dumps(value)

    return mutate


def rung(value: float | None, limit: float = 1.0) -> dict[str, Any]:
    return {'name': 'some rung', 'value': value, 'limit': limit, 'unit': 'px', 'note': '', 'psnr_db': None}


def optional_picture(spec: Any) -> None:
    feature(spec.description.input, 'image').type.isOptional = True


def a_range_of_sizes(spec: Any) -> None:
    feature(spec.description.input, 'image').type.imageType.imageSizeRange.widthRange.lowerBound = 1


def several_sizes(spec: Any) -> None:
    image = feature(spec.pipeline.models[0].description.input, 'image').type.imageType
    image.enumeratedSizes.sizes.add(width=96, height=64)


def an_output_twice(spec: Any) -> None:
    spec.description.output.add(name='confidence')


def no_stage_names(spec: Any) -> None:
    del spec.pipeline.names[:]


def updatable(spec: Any) -> None:
    spec.isUpdatable = True


def updatable_program(spec: Any) -> None:
    spec.pipeline.models[0].isUpdatable = True


def no_main_function(spec: Any) -> None:
    spec.pipeline.models[0].mlProgram.functions.clear()


def operations_of(spec: Any) -> Any:
    (block,) = spec.pipeline.models[0].mlProgram.functions['main'].block_specializations.values()
    return block.operations


def int64_inside(spec: Any) -> None:
    operations_of(spec)[-1].outputs[0].type.tensorType.dataType = 24


def shape_not_fixed(spec: Any) -> None:
    operations_of(spec)[-1].outputs[0].type.tensorType.dimensions[0].unknown.variadic = False


def offset_beyond_the_weights(spec: Any) -> None:
    stored = [
        value.blobFileValue
        for operation in operations_of(spec)
        for value in operation.attributes.values()
        if value.WhichOneof('value') == 'blobFileValue'
    ]
    assert len(stored) > 20
    stored[-1].offset = 10**9


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
        (bgr, r'package: image has colour space BGR, expected RGB'),
        (array_for_a_picture, r'ML program: image is multiArrayType, expected a picture'),
        (another_picture_size, r'ML program: image is 64x96, the metadata say 96x64'),
        (newer_than_the_target, r'specification version 8 with stages up to 7, .* <= 7 \(iOS16\)'),
        (older_than_its_stages, r'specification version 6 with stages up to 7'),
        (no_suppression, r"the stages are \('mlProgram',\), expected"),
        (no_pipeline, r'the model is a mlProgram, expected a pipeline'),
        (no_metadata, r'no entry mobileone_mm\.format, expected 1'),
        (saying(target='iOS99'), r"target 'iOS99', expected one of iOS15"),
        (
            saying(task='segmentation', crop=5),
            r'task is "segmentation", expected "detection"; .*crop is 5, expected "sc',
        ),
        (saying(parity=[rung(0.5), rung(9)]), r"rung 'some rung': 9 px, expected 1 at most"),
        (saying(parity=[rung(1e-3, 1e-4)]), r"rung 'some rung': 0\.001 px, expected 0\.0001 at most"),
        (
            saying(parity=[rung(None), rung(None)]),
            r'none of the 2 rungs in the metadata has a value, expected at least',
        ),
        (optional_picture, r'package: image is optional, expected a required input'),
        (a_range_of_sizes, r'package: image has a flexible size \(imageSizeRange\), expected a fixed one'),
        (several_sizes, r'ML program: image has a flexible size \(enumeratedSizes\), expected a fixed one'),
        (an_output_twice, r"package outputs are \['confidence', 'confidence', 'coordinates'\], expected"),
        (no_stage_names, r"the stages are called \(\), expected \('detector', 'suppression'\)"),
        (updatable, r'pipeline: isUpdatable is true, expected false'),
        (updatable_program, r'mlProgram: isUpdatable is true, expected false'),
        (no_main_function, r"the ML program has 0 blocks in 'main', expected 1"),
        (int64_inside, r'\(cast\) gives int64'),
        (shape_not_fixed, r'\(cast\) has a shape that is not fixed'),
        (offset_beyond_the_weights, r'begins at byte 1000000000 of a weight file of \d+ bytes'),
    ],
)
def test_a_broken_rule_is_named(mutate: Callable[[Any], None], message: str, exported: Report, tmp_path: Path) -> None:
    copy = shutil.copytree(exported.artifact, tmp_path / 'copy.mlpackage')
    spec = coremltools().utils.load_spec(str(copy))
    mutate(spec)
    (copy / MODEL).write_bytes(spec.SerializeToString())
    with pytest.raises(ExportError, match=rf'copy\.mlpackage: not a sound detector package: .*{message}'):
        check_contract(open_package(copy))


def test_a_rung_at_its_limit_and_one_that_was_not_made_are_sound(exported: Report, tmp_path: Path) -> None:
    copy = shutil.copytree(exported.artifact, tmp_path / 'copy.mlpackage')
    spec = coremltools().utils.load_spec(str(copy))
    rungs = [rung(1.0, 1.0), rung(None), rung(0)]
    saying(parity=rungs)(spec)
    (copy / MODEL).write_bytes(spec.SerializeToString())
    assert check_contract(open_package(copy)).parity == tuple(rungs)


def test_missing_weights_are_named(exported: Report, tmp_path: Path) -> None:
    copy = shutil.copytree(exported.artifact, tmp_path / 'copy.mlpackage')
    (copy / WEIGHTS).unlink()
    with pytest.raises(ExportError, match=r'the weights are missing: no file .*weight\.bin'):
        check_contract(open_package(copy))


def test_weights_of_another_model_are_named(exported: Report, tmp_path: Path) -> None:
    copy = shutil.copytree(exported.artifact, tmp_path / 'copy.mlpackage')
    data = bytearray((copy / WEIGHTS).read_bytes())
    data[-1] ^= 1
    (copy / WEIGHTS).write_bytes(data)
    with pytest.raises(ExportError, match=r'the weights are not those it was saved with: sha256'):
        check_contract(open_package(copy))


def test_truncated_weights_are_named(exported: Report, tmp_path: Path) -> None:
    copy = shutil.copytree(exported.artifact, tmp_path / 'copy.mlpackage')
    data = (copy / WEIGHTS).read_bytes()
    (copy / WEIGHTS).write_bytes(data[: len(data) // 2])
    with pytest.raises(ExportError, match=r'begins at byte \d+ of a weight file of \d+ bytes'):
        check_contract(open_package(copy))
