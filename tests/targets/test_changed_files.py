"""A file that is not what its export wrote: refused by every way to open it, or it gives what it gave."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from mobileone_mm import cli
from mobileone_mm.artifact import digest
from mobileone_mm.artifact.digest import KEY
from mobileone_mm.commands import predict, verify
from mobileone_mm.errors import MobileOneError
from mobileone_mm.exporter.report import Report
from mobileone_mm.pictures.reading import write_picture
from mobileone_mm.pictures.synthetic import drawn_picture
from mobileone_mm.targets.artifact import open_artifact
from mobileone_mm.targets.coreml.library import coremltools
from mobileone_mm.targets.coreml.package import MANIFEST, MODEL, WEIGHTS, open_package
from programs import operations_of
from tiny_detector import SIZE

Change = Callable[[Any], None]
CHANGED = 'it was changed or damaged since its export wrote it'
OLD = 'mobileone_mm.format is 2, expected 3; export it again with this version'
FLIPS = 60  # of single bytes, in each file
SEED = 5
PICTURE = drawn_picture(SIZE)


def rewritten(package: Path, folder: Path, change: Change) -> Path:
    """A copy of a package whose `Model_pb2.Model` was changed, and nothing else."""
    copy = shutil.copytree(package, folder / 'copy.mlpackage')
    spec = open_package(copy).spec
    change(spec)
    (copy / MODEL).write_bytes(spec.SerializeToString())
    return copy


def find(package: Path) -> dict[str, Any]:
    return open_artifact(package).predict({'image': PICTURE})


def require_same(found: dict[str, Any], expected: dict[str, Any]) -> None:
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values, strict=True)


def words(spec: Any) -> None:
    metadata = spec.description.metadata
    metadata.author, metadata.license, metadata.versionString = 'me', 'Apache-2.0', '1.2'
    metadata.shortDescription = 'Finds shapes'
    for feature in (*spec.description.input, *spec.description.output):
        feature.shortDescription = f'my {feature.name}'
    metadata.userDefined['mine'] = 'anything'
    metadata.userDefined['com.github.apple.coremltools.version'] = '9.1'


def test_what_people_write_into_a_package_changes_nothing(exported: Report, tmp_path: Path) -> None:
    require_same(find(rewritten(exported.artifact, tmp_path, words)), find(exported.artifact))


def test_a_package_that_coremltools_saves_again_is_the_same(exported: Report, tmp_path: Path) -> None:
    ct = coremltools()
    model = ct.models.MLModel(str(exported.artifact), skip_model_load=True)
    model.author, model.license, model.version = 'me', 'Apache-2.0', '1.2'
    model.short_description = 'Finds shapes'
    model.user_defined_metadata['mine'] = 'anything'
    model.save(str(tmp_path / 'again.mlpackage'))
    assert open_package(tmp_path / 'again.mlpackage').spec.description.metadata.author == 'me'
    require_same(find(tmp_path / 'again.mlpackage'), find(exported.artifact))


def stage(spec: Any) -> Any:
    return spec.pipeline.models[1].nonMaximumSuppression


def operation(spec: Any, kind: str) -> Any:
    return next(one for one in operations_of(spec) if one.type == kind)


def another_operation(spec: Any) -> None:
    operation(spec, 'relu').type = 'sigmoid'


def another_constant(spec: Any) -> None:
    constants = [one.attributes['val'].immediateValue.tensor for one in operations_of(spec) if one.type == 'const']
    next(one for one in constants if len(one.ints.values)).ints.values[0] += 1


def another_offset(spec: Any) -> None:
    stored = [value.blobFileValue for one in operations_of(spec) for value in one.attributes.values()]
    one, other = [value for value in stored if value.fileName][-2:]
    one.offset, other.offset = other.offset, one.offset


def another_input(spec: Any) -> None:
    for model in (spec, spec.pipeline.models[0]):
        model.description.input[0].type.imageType.colorSpace = 30  # BGR


def another_output(spec: Any) -> None:
    stage(spec).confidenceOutputFeatureName = spec.description.output[0].name = 'scores'


def other_labels(spec: Any) -> None:
    labels = stage(spec).stringClassLabels.vector
    labels[0], labels[1] = labels[1], labels[0]


def another_threshold(spec: Any) -> None:
    stage(spec).confidenceThreshold = 0.3


def saying(**values: Any) -> Change:
    entries = {f'mobileone_mm.{name}': json.dumps(value) for name, value in values.items()}
    return lambda spec: spec.description.metadata.userDefined.update(entries)


def another_preview(spec: Any) -> None:
    spec.description.metadata.userDefined['com.apple.coreml.model.preview.type'] = 'imageSegmenter'


def without_the_digest(spec: Any) -> None:
    del spec.description.metadata.userDefined[KEY]


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (another_operation, CHANGED),
        (another_constant, CHANGED),
        (another_offset, CHANGED),
        (another_input, CHANGED),
        (another_output, CHANGED),
        (other_labels, CHANGED),
        (another_threshold, CHANGED),
        (saying(classes=['square', 'circle', 'triangle']), CHANGED),
        (saying(crop='centerCrop'), CHANGED),
        (saying(more=1), CHANGED),
        (another_preview, CHANGED),
        (without_the_digest, r'metadata: no entry mobileone_mm.sha256, expected 64 hex digits'),
        (saying(format=2), OLD),
    ],
)
def test_every_way_to_open_a_changed_package_refuses_it(
    change: Change,
    message: str,
    exported: Report,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_picture(tmp_path / 'a.png', PICTURE)
    package = str(rewritten(exported.artifact, tmp_path, change))
    with pytest.raises(MobileOneError, match=message):
        open_artifact(package)
    for main, others in (
        (verify.main, []),
        (predict.main, [str(tmp_path / 'a.png'), '--out', str(tmp_path / 'out')]),
    ):
        assert cli.run(main, [package, *others]) == 1
        out, err = capsys.readouterr()
        assert (out, err.count('\n')) == ('', 1)
        assert message in err
        assert package in err
    assert not (tmp_path / 'out').exists()


def onnx_words(model: Any) -> None:
    model.doc_string, model.model_version = 'Finds shapes', 3
    for key, value in (('author', 'me'), ('licence', 'Apache-2.0')):
        model.metadata_props.add(key=key, value=value)


def test_what_people_write_into_an_onnx_file_changes_nothing(onnx_files: dict[str, Path], tmp_path: Path) -> None:
    model = onnx.load(onnx_files['nms'])
    onnx_words(model)
    onnx.save(model, tmp_path / 'd.onnx')
    require_same(find(tmp_path / 'd.onnx'), find(onnx_files['nms']))


def another_node(model: Any) -> None:
    next(node for node in model.graph.node if node.op_type == 'Relu').op_type = 'Identity'


def another_attribute(model: Any) -> None:
    next(node for node in model.graph.node if node.op_type == 'Softmax').attribute[0].i = 0


def another_initialiser(model: Any) -> None:
    constant = next(one for one in model.graph.initializer if one.name == 'normalise.mean')
    constant.raw_data = np.frombuffer(constant.raw_data, np.float32)[::-1].tobytes()


def other_classes(model: Any) -> None:
    entry = next(one for one in model.metadata_props if one.key == 'mobileone_mm.classes')
    entry.value = '["square", "circle", "triangle"]'


@pytest.mark.parametrize('change', [another_node, another_attribute, another_initialiser, other_classes])
def test_a_changed_onnx_file_is_refused(change: Change, onnx_files: dict[str, Path], tmp_path: Path) -> None:
    model = onnx.load(onnx_files['nms'])
    change(model)
    onnx.save(model, tmp_path / 'd.onnx')
    with pytest.raises(MobileOneError, match=rf'd\.onnx: {CHANGED}'):
        open_artifact(tmp_path / 'd.onnx')


@pytest.mark.parametrize('file', [MODEL, WEIGHTS, MANIFEST, None], ids=['model', 'weights', 'manifest', 'onnx'])
def test_a_flipped_byte_is_refused_or_changes_nothing(
    file: Path | None, exported: Report, onnx_files: dict[str, Path], tmp_path: Path
) -> None:
    if file is None:
        path = damaged = shutil.copy(onnx_files['nms'], tmp_path / 'd.onnx')
    else:
        path = shutil.copytree(exported.artifact, tmp_path / 'd.mlpackage')
        damaged = path / file
    expected, sound = find(path), damaged.read_bytes()
    random = np.random.default_rng(SEED)
    refused = 0
    for place, bits in zip(random.integers(len(sound), size=FLIPS), random.integers(1, 256, size=FLIPS), strict=True):
        damaged.write_bytes(sound[:place] + bytes([sound[place] ^ int(bits)]) + sound[place + 1 :])
        try:
            found = find(path)
        except MobileOneError:
            refused += 1
        else:
            require_same(found, expected)
    assert refused > FLIPS / 4  # a manifest is mostly identifiers and words that nobody reads


def test_the_digest_is_taken_once(exported: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = []
    digest_of = digest.digest_of
    for module in ('coreml.package', 'onnx.file'):
        monkeypatch.setattr(
            f'mobileone_mm.targets.{module}.digest_of', lambda *given: taken.append(1) or digest_of(*given)
        )
    verify.main([str(exported.artifact)])
    assert taken == [1]
