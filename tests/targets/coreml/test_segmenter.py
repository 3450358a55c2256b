"""A segmenter as a package: what comes out, the rules it is held to, and that a shifted map is found."""

import json
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
from mobileone_mm.targets.coreml.segmenter_contract import PREVIEW_PARAMS, PREVIEW_TYPE
from mobileone_mm.tasks.segmentation.graph import CLASS_MAP, LOGITS
from mobileone_mm.tasks.task import run_graph
from programs import changed
from tiny_segmenter import CLASSES, SIZE, export_segmenter, graph_of

PICTURE = drawn_picture(SIZE)
HALF = 0.01  # of the range of the logits: what float16 makes of so small a model


def block_of(spec: Any) -> Any:
    (block,) = spec.mlProgram.functions['main'].block_specializations.values()
    return block


def test_every_check_holds_but_for_core_ml_itself(segmenter_package: Report) -> None:
    made = [rung for rung in segmenter_package.rungs if rung.value is not None]
    assert len(made) >= 10
    assert all(rung.holds for rung in made)
    assert {rung.unit for rung in made} >= {'of range', 'of pixels'}
    assert '->' not in ladder.table(segmenter_package.rungs)
    card, rungs = verify(segmenter_package.artifact)
    assert card.task == 'segmentation'
    assert ladder.first_failed(rungs) is None


@pytest.mark.parametrize(
    'options', [{}, {'logits': True}, {'map': 'image'}, {'map_stride': 4, 'map': 'image'}], ids=str
)
def test_a_package_gives_what_its_options_say(
    options: dict[str, Any], segmenter: tuple[Path, Path], tmp_path: Path
) -> None:
    report = export_segmenter(segmenter, tmp_path / 'seg.mlpackage', **options)
    artifact = open_artifact(report.artifact)
    found = artifact.predict({'image': PICTURE})
    assert set(found) == ({LOGITS, CLASS_MAP} if options.get('logits') else {CLASS_MAP})
    expected = run_graph(graph_of(segmenter, **options), PICTURE)
    assert found[CLASS_MAP].dtype == (np.uint8 if options.get('map') == 'image' else np.int32)
    assert found[CLASS_MAP].shape == SIZE[::-1]
    assert (found[CLASS_MAP] == expected[CLASS_MAP]).mean() > 0.995
    if LOGITS in found:
        spread = expected[LOGITS].max() - expected[LOGITS].min()
        assert np.abs(found[LOGITS] - expected[LOGITS]).max() <= HALF * spread
    segmented = artifact.segment(np.ascontiguousarray(PICTURE.repeat(2, axis=0).repeat(2, axis=1)))
    assert segmented.shape == (2 * SIZE[1], 2 * SIZE[0])
    with pytest.raises(ExportError, match='made for segmentation, which finds no boxes; expected a detector'):
        artifact.detect(PICTURE)


def test_xcode_gets_labels_and_colours(segmenter_package: Report) -> None:
    metadata = open_artifact(segmenter_package.artifact).metadata
    assert metadata[PREVIEW_TYPE] == 'imageSegmenter'
    preview = json.loads(metadata[PREVIEW_PARAMS])
    assert preview['labels'] == list(CLASSES)
    assert len(set(preview['colors'])) == len(CLASSES)


def test_options_of_a_detector_are_refused(segmenter: tuple[Path, Path], tmp_path: Path) -> None:
    for options, message in (
        ({'pad_classes': False}, '`pad_classes`: for detectors, a segmenter given'),
        ({'iou_threshold': 0.5}, '`iou_threshold`: for detection alone, segmentation given; leave it out'),
    ):
        with pytest.raises(UsageError, match=message):
            export_segmenter(segmenter, tmp_path / 'seg.mlpackage', **options)
    assert not list(tmp_path.iterdir())


def of_operation(kind: str, change: Callable[[Any], None]) -> Callable[[Any], None]:
    """A change to the last operation of a kind."""

    def changes(spec: Any) -> None:
        change([operation for operation in block_of(spec).operations if operation.type == kind][-1])

    return changes


def flipped_corners(spec: Any) -> None:
    """`align_corners` of the last enlargement: the map moves by up to half a place."""
    block = block_of(spec)
    last = [operation for operation in block.operations if operation.type == 'upsample_bilinear'][-1]
    name = last.inputs['align_corners'].arguments[0].name
    constant = next(operation for operation in block.operations if operation.outputs[0].name == name)
    value = constant.attributes['val'].immediateValue.tensor.bools
    value.values[0] = not value.values[0]


def test_a_map_that_is_shifted_fails(segmenter_package: Report, tmp_path: Path) -> None:
    copy = changed(segmenter_package.artifact, tmp_path, flipped_corners)
    _, rungs = verify(copy)
    failed = ladder.first_failed(rungs)
    assert failed is not None
    assert ladder.plain_name(failed.name) == 'saved file finds what its export found'


def no_preview(spec: Any) -> None:
    del spec.description.metadata.userDefined[PREVIEW_TYPE]


def other_colours(spec: Any) -> None:
    spec.description.metadata.userDefined[PREVIEW_PARAMS] = json.dumps({'labels': list(CLASSES), 'colors': []})


def of_floats(spec: Any) -> None:
    array = spec.description.output[0].type.multiArrayType
    array.dataType = array.FLOAT32


def another_name(spec: Any) -> None:
    spec.description.output[0].name = 'map'


def as_network(spec: Any) -> None:
    spec.neuralNetwork.SetInParent()


def of_said_logits(spec: Any) -> None:
    spec.description.metadata.userDefined['mobileone_mm.logits'] = 'true'


def of_said_stride(spec: Any) -> None:
    spec.description.metadata.userDefined['mobileone_mm.map_stride'] = '4'


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (no_preview, 'preview.type is None, expected imageSegmenter'),
        (other_colours, 'preview.params has other labels or colours than the metadata'),
        (of_floats, 'semanticPredictions is a FLOAT32 array of 64x96, expected an INT32 array of 64x96'),
        (another_name, r"outputs are \['map'\], expected \['semanticPredictions'\]"),
        (as_network, 'the model is a neuralNetwork, expected an mlProgram'),
        (of_said_logits, r"the outputs are \['semanticPredictions'\], the metadata say logits: True"),
        (of_said_stride, 'the classes are chosen from 1x4x64x96, the metadata say 1x4x16x24'),
    ],
)
def test_a_broken_rule_is_named(
    change: Callable[[Any], None], message: str, segmenter_package: Report, tmp_path: Path
) -> None:
    copy = changed(segmenter_package.artifact, tmp_path, change)
    with pytest.raises(ExportError, match=message):
        verify(copy)


def test_a_package_says_what_its_options_were(segmenter: tuple[Path, Path], tmp_path: Path) -> None:
    report = export_segmenter(segmenter, tmp_path / 'seg.mlpackage', map_stride=2)
    card, _ = verify(report.artifact)
    assert card.settings == report.info.settings
    assert (card.settings['map'], card.settings['map_stride'], card.settings['logits']) == ('array', 2, False)
