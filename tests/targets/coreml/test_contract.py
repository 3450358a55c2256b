"""Every rule of every package, broken once: nothing else on Linux would notice."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mobileone_mm.artifact.card import Card
from mobileone_mm.errors import ExportError
from mobileone_mm.exporter.report import Report
from mobileone_mm.targets.coreml.package import open_package
from mobileone_mm.targets.coreml.target import TARGET, OpenPackage
from programs import WEIGHTS, changed, operations_of


def check(path: Path) -> Card:
    return TARGET.check(OpenPackage(open_package(path)))  # `TARGET.open` would refuse other weights before any rule


def test_a_fresh_package_is_sound(exported: Report) -> None:
    assert check(exported.artifact) == exported.info


def feature(features: Any, name: str) -> Any:
    return next(one for one in features if one.name == name)


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


def no_main_function(spec: Any) -> None:
    spec.pipeline.models[0].mlProgram.functions.clear()


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
        (bgr, r'package: image has colour space BGR, expected RGB'),
        (array_for_a_picture, r'ML program: image is multiArrayType, expected a picture'),
        (another_picture_size, r'ML program: image is 64x96, the metadata say 96x64'),
        (newer_than_the_target, r'specification version 8 with stages up to 7, .* <= 7 \(iOS16\)'),
        (older_than_its_stages, r'specification version 6 with stages up to 7'),
        (no_metadata, r'no entry mobileone_mm\.format, expected 3'),
        (saying(target='iOS99'), r"target 'iOS99', expected one of iOS15"),
        (
            saying(task='flight', crop=5),
            r'task is "flight", expected "detection" or "segmentation" or "classification"$',
        ),  # no other rule can be asked then
        (
            saying(crop=5, precision=7),
            r'crop is 5, expected "scaleFill" or "centerCrop"; .*precision is 7, expected "float16"',
        ),
        (saying(parity=[rung(0.5), rung(9)]), r"check 'some rung': 9 px, expected 1 at most"),
        (saying(parity=[rung(1e-3, 1e-4)]), r"check 'some rung': 0\.001 px, expected 0\.0001 at most"),
        (
            saying(parity=[rung(None), rung(None)]),
            r'none of the 2 checks in the metadata has a value, expected at least',
        ),
        (optional_picture, r'package: image is optional, expected a required input'),
        (a_range_of_sizes, r'package: image has a flexible size \(imageSizeRange\), expected a fixed one'),
        (several_sizes, r'ML program: image has a flexible size \(enumeratedSizes\), expected a fixed one'),
        (no_main_function, r"the ML program has 0 blocks in 'main', expected 1"),
        (int64_inside, r'\(cast\) gives int64'),
        (shape_not_fixed, r'\(cast\) has a shape that is not fixed'),
        (offset_beyond_the_weights, r'begins at byte 1000000000 of a weight file of \d+ bytes'),
    ],
)
def test_a_broken_rule_is_named(mutate: Callable[[Any], None], message: str, exported: Report, tmp_path: Path) -> None:
    copy = changed(exported.artifact, tmp_path, mutate)
    with pytest.raises(ExportError, match=rf'copy\.mlpackage: not a sound package: .*{message}'):
        check(copy)


def test_a_rung_at_its_limit_and_one_that_was_not_made_are_sound(exported: Report, tmp_path: Path) -> None:
    rungs = [rung(1.0, 1.0), rung(None), rung(0)]
    copy = changed(exported.artifact, tmp_path, saying(parity=rungs))
    assert check(copy).parity == tuple(rungs)


def test_missing_weights_are_named(exported: Report, tmp_path: Path) -> None:
    copy = shutil.copytree(exported.artifact, tmp_path / 'copy.mlpackage')
    (copy / WEIGHTS).unlink()
    with pytest.raises(ExportError, match=r'the weights are missing: no file .*weight\.bin'):
        check(copy)


def test_truncated_weights_are_named(exported: Report, tmp_path: Path) -> None:
    copy = shutil.copytree(exported.artifact, tmp_path / 'copy.mlpackage')
    data = (copy / WEIGHTS).read_bytes()
    (copy / WEIGHTS).write_bytes(data[: len(data) // 2])
    with pytest.raises(ExportError, match=r'begins at byte \d+ of a weight file of \d+ bytes'):
        check(copy)
