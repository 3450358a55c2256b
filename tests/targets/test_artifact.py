"""The door: one call for every artifact and system, and boxes for people against the raw ones, decoded by hand."""

import platform
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import supervision
import torch
from PIL import Image
from torchvision.ops import batched_nms, box_convert

from mobileone_mm.errors import DataError, ExportError, UsageError
from mobileone_mm.exporter.report import Report
from mobileone_mm.pictures.reading import Picture, write_picture
from mobileone_mm.pictures.synthetic import drawn_picture
from mobileone_mm.targets.artifact import Artifact, open_artifact
from mobileone_mm.targets.coreml.interpreter import open_interpreter
from mobileone_mm.targets.coreml.package import open_package
from mobileone_mm.targets.onnx.file import read_onnx, save_onnx
from mobileone_mm.tasks.detection.detections import Found
from mobileone_mm.tasks.detection.suppression import rows_to_keep
from tiny_detector import CLASSES, SIZE

PICTURE = drawn_picture(SIZE)
PHOTO_SIZE = (150, 110)  # of another shape than what a model takes
PHOTO = drawn_picture(PHOTO_SIZE)
PIXELS = 1e-4  # px; what float32 rounds in a number of hundreds
FORMS = ('package', 'raw', 'nms')


def test_a_package_predicts_on_every_system(exported: Report) -> None:
    artifact = open_artifact(str(exported.artifact))
    found = artifact.predict({'image': PICTURE, 'confidenceThreshold': 0.4})
    expected = open_interpreter(open_package(exported.artifact)).predict({'image': PICTURE, 'confidenceThreshold': 0.4})
    assert found.keys() == expected.keys() == {'confidence', 'coordinates'}
    assert len(found['confidence']) > 3
    for name, values in expected.items():
        assert values.dtype == found[name].dtype == np.float32
    if platform.system() != 'Darwin':  # a device may round otherwise, and keep another box
        for name, values in expected.items():
            np.testing.assert_array_equal(found[name], values)
    with pytest.raises(DataError, match='expected an RGB picture'):
        artifact.predict({'image': PICTURE[:5]})


def test_an_onnx_file_predicts(onnx_reports: dict[str, Report]) -> None:
    raw = open_artifact(onnx_reports['raw'].artifact).predict({'image': PICTURE})
    assert {name: values.shape for name, values in raw.items()} == {
        'raw_confidence': (198, 3),
        'raw_coordinates': (198, 4),
    }
    artifact = open_artifact(str(onnx_reports['nms'].artifact))
    assert artifact.inputs == ['image', 'iouThreshold', 'confidenceThreshold']
    assert artifact.card == onnx_reports['nms'].info
    assert artifact.metadata['mobileone_mm.task'] == '"detection"'
    found = artifact.predict({'image': PICTURE, 'confidenceThreshold': 0.4})
    rows = rows_to_keep(*raw.values(), 0.45, 0.4)
    assert len(rows) > 3
    np.testing.assert_array_equal(found['confidence'], raw['raw_confidence'][rows])
    np.testing.assert_array_equal(found['coordinates'], raw['raw_coordinates'][rows])


@pytest.mark.parametrize(
    ('name', 'error', 'message'),
    [
        ('model.tflite', UsageError, r"model\.tflite: ending '\.tflite' given, expected \.mlpackage"),
        ('none.onnx', ExportError, r'none\.onnx: no such file; expected a \.onnx file'),
        ('none.mlpackage', ExportError, r'none\.mlpackage: no such package folder'),
    ],
)
def test_what_cannot_be_opened(name: str, error: type[Exception], message: str, tmp_path: Path) -> None:
    with pytest.raises(error, match=message):
        open_artifact(tmp_path / name)


@pytest.mark.parametrize('path', [None, 3, b'd.onnx'])
def test_what_is_no_path_is_refused(path: Any) -> None:
    with pytest.raises(UsageError, match=rf'^{path!r} given, expected the path of a \.mlpackage or \.onnx$'):
        open_artifact(path)


def links_to(path: Path, folder: Path) -> list[Path]:
    """Links of all kinds to one file: any name, relative, by way of another link."""
    names = ['latest', 'v1.2', 'model.onnx', 'model.mlpackage', 'best.pth']
    for name in names:
        (folder / name).symlink_to(path)
    (folder / 'indirect').symlink_to('latest')
    return [folder / name for name in (*names, 'indirect')]


@pytest.mark.parametrize('form', ['package', 'nms'])
def test_a_link_may_be_called_anything(
    form: str, exported: Report, onnx_reports: dict[str, Report], tmp_path: Path
) -> None:
    report = exported if form == 'package' else onnx_reports[form]
    expected = open_artifact(report.artifact).predict({'image': PICTURE})
    assert len(expected['confidence']) > 3
    for link in links_to(report.artifact, tmp_path):
        artifact = open_artifact(link)
        assert (artifact.path, artifact.card) == (link, report.info)
        found = artifact.predict({'image': PICTURE})
        for name, values in expected.items():
            np.testing.assert_array_equal(found[name], values)


def test_a_package_with_the_weights_of_another_is_refused(exported: Report, tmp_path: Path) -> None:
    copy = shutil.copytree(exported.artifact, tmp_path / 'copy.mlpackage')
    weights = copy / 'Data/com.apple.CoreML/weights/weight.bin'
    data = bytearray(weights.read_bytes())
    data[len(data) // 2] ^= 1
    weights.write_bytes(data)
    with pytest.raises(ExportError, match=r'copy\.mlpackage: it was changed or damaged since'):
        open_artifact(copy)


def test_an_onnx_file_with_the_weights_of_another_is_refused(onnx_reports: dict[str, Report], tmp_path: Path) -> None:
    model = read_onnx(onnx_reports['raw'].artifact)
    weight = next(one for one in model.graph.initializer if len(one.dims) == 4)
    data = bytearray(weight.raw_data)
    data[0] ^= 1
    weight.raw_data = bytes(data)
    (tmp_path / 'copy.onnx').write_bytes(model.SerializeToString())
    with pytest.raises(ExportError, match=r'copy\.onnx: it was changed or damaged since'):
        open_artifact(tmp_path / 'copy.onnx')


@pytest.fixture(params=FORMS)
def artifact(request: pytest.FixtureRequest, exported: Report, onnx_reports: dict[str, Report]) -> Artifact:
    """The same detector as a package, as an ONNX file with raw boxes, and as one with suppression."""
    report = exported if request.param == 'package' else onnx_reports[request.param]
    return open_artifact(report.artifact)


def by_hand(artifact: Artifact, photo: Picture, score: float, iou: float) -> tuple[Any, Any, Any]:
    """Boxes in px, scores and labels by OpenCV's resize and torchvision's suppression, the most confident first."""
    given: dict[str, Any] = {'image': cv2.resize(photo, SIZE)}
    if len(artifact.inputs) > 1:
        given |= {'iouThreshold': 1.0, 'confidenceThreshold': 0.0}  # it gives all its boxes
    confidence, coordinates = (torch.from_numpy(values).double() for values in artifact.predict(given).values())
    assert len(confidence) == 198
    scores, labels = confidence.max(dim=1)
    boxes = box_convert(coordinates, 'cxcywh', 'xyxy')
    candidates = torch.nonzero(scores >= score)[:, 0]
    rows = candidates[batched_nms(boxes[candidates], scores[candidates], labels[candidates], iou)]
    height, width = photo.shape[:2]
    pixels = boxes[rows].clamp(0, 1) * torch.tensor([width, height, width, height])
    return pixels.numpy(), scores[rows].numpy(), labels[rows].numpy()


def require_found(found: Any, boxes: Any, scores: Any, labels: Any) -> None:
    np.testing.assert_allclose(found.xyxy, boxes, rtol=0, atol=PIXELS)
    np.testing.assert_array_equal(found.confidence, scores.astype(np.float32))
    np.testing.assert_array_equal(found.class_id, labels)
    assert list(found.data['class_name']) == [CLASSES[label] for label in labels]


@pytest.mark.parametrize(
    ('given', 'score', 'iou'),
    [
        ({}, 0.25, 0.45),  # the file's own
        ({'score_threshold': 0.05}, 0.05, 0.45),
        ({'iou_threshold': 0.8}, 0.25, 0.8),
        ({'score_threshold': 0.6, 'iou_threshold': 0}, 0.6, 0.0),
        ({'score_threshold': 1}, 1.0, 0.45),
    ],
)
def test_boxes_are_the_raw_ones_in_px_of_the_own_picture(
    given: dict[str, float], score: float, iou: float, artifact: Artifact
) -> None:
    boxes, scores, labels = by_hand(artifact, PHOTO, score, iou)
    assert len(scores) > 3 or score > 0.5
    require_found(artifact.detect(PHOTO, **given), boxes, scores, labels)


def test_boxes_lie_in_the_picture(artifact: Artifact) -> None:
    found = artifact.detect(PHOTO, score_threshold=0.05)
    assert found.xyxy.min() == 0
    assert found.xyxy[:, 0::2].max() == PHOTO_SIZE[0]  # beyond the size that the model takes
    assert found.xyxy[:, 1::2].max() == PHOTO_SIZE[1]
    assert (np.diff(found.confidence) <= 0).all()
    assert set(found.data['class_name']) == set(CLASSES)


def test_a_file_is_read_as_an_array_is_taken(artifact: Artifact, tmp_path: Path) -> None:
    write_picture(tmp_path / 'photo.png', PHOTO)
    bgr = cv2.imread(str(tmp_path / 'photo.png'))
    expected = artifact.detect(PHOTO)
    assert len(expected.confidence) > 3
    for picture in (tmp_path / 'photo.png', str(tmp_path / 'photo.png'), bgr[..., ::-1], Image.fromarray(PHOTO)):
        found = artifact.detect(picture)
        for name in ('xyxy', 'confidence', 'class_id'):
            np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
    assert not np.array_equal(artifact.detect(bgr).confidence, expected.confidence)


def test_supervision_takes_them_where_it_is_installed(artifact: Artifact) -> None:
    found = artifact.detect(PHOTO)
    assert type(found) is supervision.Detections
    sure = found[found.confidence > 0.5]
    assert 0 < len(sure) < len(found)
    assert len(sure.data['class_name']) == len(sure)


@pytest.mark.parametrize('score', [0.25, 1.0])
def test_where_it_is_not_there_is_something_with_the_same_names(
    score: float, artifact: Artifact, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = artifact.detect(PHOTO, score)
    monkeypatch.setitem(sys.modules, 'supervision', None)  # makes its import fail
    found = artifact.detect(PHOTO, score)
    assert type(found) is Found
    for name in ('xyxy', 'confidence', 'class_id'):
        values, wanted = getattr(found, name), getattr(expected, name)
        assert values.dtype == wanted.dtype
        np.testing.assert_array_equal(values, wanted)
    assert isinstance(found.data, Mapping)
    np.testing.assert_array_equal(found.data['class_name'], expected.data['class_name'])


@pytest.mark.parametrize(
    ('picture', 'message'),
    [
        (
            PHOTO / 255,
            r'picture: float64 of shape \(110, 150, 3\) given, expected uint8 RGB of shape \(height',
        ),
        (PHOTO.astype(np.int64), r'picture: int64 of shape'),
        (PHOTO[..., 0], r'picture: uint8 of shape \(110, 150\) given'),
        (np.dstack([PHOTO, PHOTO[..., :1]]), r'picture: uint8 of shape \(110, 150, 4\) given'),
        (PHOTO.transpose(2, 0, 1), r'picture: uint8 of shape \(3, 110, 150\) given'),
        (PHOTO[:0], r'picture: uint8 of shape \(0, 150, 3\) given'),
        (Image.fromarray(PHOTO).convert('L'), r'picture: uint8 of shape \(110, 150\) given, expected uint8 RGB'),
        (Image.fromarray(PHOTO).convert('HSV'), r'picture: a PIL\.Image in mode HSV given, expected mode RGB'),
        (PHOTO.tolist(), r'picture: list given, expected a path, a NumPy array or a PIL\.Image'),
        (None, r'picture: NoneType given, expected a path, a NumPy array or a PIL\.Image'),
        ('none.jpg', r'none\.jpg: no such file, expected a picture'),
    ],
    ids=[
        'float64',
        'int64',
        'grey',
        'four channels',
        'planes',
        'empty',
        'grey image',
        'HSV image',
        'list',
        'None',
        'no file',
    ],
)
def test_what_is_no_picture_is_refused(picture: Any, message: str, onnx_files: dict[str, Path]) -> None:
    with pytest.raises(DataError, match=message):
        open_artifact(onnx_files['raw']).detect(picture)


@pytest.mark.parametrize('name', ['score_threshold', 'iou_threshold'])
@pytest.mark.parametrize('value', [-0.1, 30, float('nan')])
def test_thresholds_are_fractions(name: str, value: float, onnx_files: dict[str, Path]) -> None:
    with pytest.raises(UsageError, match=rf'^`{name}`: \S+ given, expected 0\.\.1'):
        open_artifact(onnx_files['raw']).detect(PHOTO, **{name: value})


def test_a_file_of_somebody_else_predicts_and_detects_nothing(onnx_files: dict[str, Path], tmp_path: Path) -> None:
    save_onnx(read_onnx(onnx_files['raw']), {'by': 'someone'}, tmp_path / 'other.onnx')
    other = open_artifact(tmp_path / 'other.onnx')
    assert other.predict({'image': PICTURE})['raw_confidence'].shape == (198, 3)
    with pytest.raises(ExportError, match=r'other\.onnx: metadata: no entry mobileone_mm\.format'):
        other.detect(PHOTO)
