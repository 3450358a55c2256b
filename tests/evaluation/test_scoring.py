"""Scores are mmdet's own, on the config's own data, by one rule for the model and what was exported of it.

The tiny detector was trained by nobody, so the truth here is what it finds, moved a little: scores between 0 and 1.
"""

import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from textwrap import dedent
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from mmdet.structures.bbox import HorizontalBoxes
from mmengine.evaluator import BaseMetric
from mmengine.registry import METRICS
from mmengine.runner import Runner

from mobileone_mm.errors import CheckpointError, ConfigError, DataError, UsageError
from mobileone_mm.evaluation import scoring
from mobileone_mm.evaluation.candidates import Candidate
from mobileone_mm.evaluation.scores import Scores
from mobileone_mm.exporter.report import Report
from mobileone_mm.openmmlab import configs, fused_file
from mobileone_mm.openmmlab.inputs import picture_of
from mobileone_mm.openmmlab.open_model import open_model
from mobileone_mm.outputs import page_of
from mobileone_mm.pictures.reading import Picture, stretched, write_picture
from mobileone_mm.pictures.synthetic import drawn_picture
from mobileone_mm.tasks.detection import rows
from mobileone_mm.tasks.detection.detections import Detections
from mobileone_mm.tasks.detection.metric import EXPORTED_RULE, OWN_RULE, rule_change
from mobileone_mm.tasks.detection.rows import RAW_CONFIDENCE, RAW_COORDINATES
from mobileone_mm.tasks.detection.suppression import rows_to_keep
from mobileone_mm.tasks.detection.task import TASK
from mobileone_mm.weights.checkpoint import read_checkpoint, save_checkpoint
from programs import change_spec
from tiny_detector import CLASSES, SIZE, export_tiny

Truth = list[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]

ORIGINAL = (192, 160)  # of the pictures: another shape
PICTURES = 5
PACKAGE_POINTS = 5.0  # points of mAP that float16 may change on five pictures of boxes found by chance
TORCH_POINTS = 0.11  # COCO's metrics are rounded to 0.1 points

CONFIG = """
_base_ = '{base}'
pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale={size}, keep_ratio=False),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='PackDetInputs', meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor')),
]
classes = {classes}
test_dataloader = dict(
    _delete_=True, batch_size=2, num_workers=0, dataset=dict(metainfo=dict(classes=classes), pipeline=pipeline, {data})
)
test_evaluator = {evaluator}
test_cfg = dict(type='TestLoop')
model = dict(test_cfg={test_cfg})
"""
COCO = "type='CocoDataset', data_root={root!r}, ann_file={annotations!r}, data_prefix=dict(img=''), test_mode=True"
COCO_METRIC = 'dict(type="CocoMetric", ann_file={path!r}, metric="bbox")'
VOC = (
    "type='mobileone_mm.VOCDataset', data_root={root!r}, ann_file='list.txt', data_prefix=dict(sub_data_root=''), "
    'test_mode=True'
)
VOC_METRIC = 'dict(type="VOCMetric", metric="mAP", eval_mode="area", iou_thrs=[0.5, 0.9])'
VOC_XML = '<annotation><size><width>{}</width><height>{}</height><depth>3</depth></size>{}</annotation>'
VOC_BOX = (
    '<object><name>{}</name><difficult>0</difficult><bndbox><xmin>{}</xmin><ymin>{}</ymin><xmax>{}</xmax>'
    '<ymax>{}</ymax></bndbox></object>'
)


def pictures() -> list[Picture]:
    drawn = drawn_picture(ORIGINAL)
    return [np.roll(drawn, (20 * index, 33 * index), (0, 1)) for index in range(PICTURES)]


def true_boxes(detector: tuple[Path, Path]) -> Truth:
    """Of each picture whole pixels (n, 4) x1, y1, x2, y2, and labels: confident boxes and doubtful ones.

    Every fourth has the label that is second best for its box, which one label a box cannot find.
    """
    model, _ = open_model(configs.load_config(detector[0]), detector[1])
    generator = np.random.default_rng(0)
    truth = []
    for picture in pictures():
        raw = rows.reference(model, stretched(picture, SIZE))
        confidence, coordinates = raw[RAW_CONFIDENCE], raw[RAW_COORDINATES]
        kept = rows_to_keep(confidence, coordinates, 0.45, 0.02)[:24]
        centres, halves = coordinates[kept, :2], coordinates[kept, 2:] / 2
        boxes = np.concatenate((centres - halves, centres + halves), axis=1) * (*ORIGINAL, *ORIGINAL)
        boxes = (boxes + generator.normal(0, 3, boxes.shape)).round().clip(1, (*ORIGINAL, *ORIGINAL)).astype(int)
        ranked = confidence[kept].argsort(axis=1)
        labels = np.where(np.arange(len(kept)) % 4, ranked[:, -1], ranked[:, -2])
        sound = (boxes[:, 2:] - boxes[:, :2]).min(axis=1) > 2
        truth.append((boxes[sound], labels[sound]))
    return truth


def write_coco(path: Path, truth: Truth) -> None:
    annotations = [
        {
            'image_id': image,
            'category_id': int(label),
            'bbox': [int(x1), int(y1), int(x2 - x1), int(y2 - y1)],
            'area': int((x2 - x1) * (y2 - y1)),
            'iscrowd': 0,
        }
        for image, (boxes, labels) in enumerate(truth)
        for (x1, y1, x2, y2), label in zip(boxes, labels, strict=True)
    ]
    content = {
        'images': [
            {'id': image, 'file_name': f'JPEGImages/{image}.png', 'width': ORIGINAL[0], 'height': ORIGINAL[1]}
            for image in range(len(truth))
        ],
        'annotations': [{'id': index, **annotation} for index, annotation in enumerate(annotations, 1)],
        'categories': [{'id': index, 'name': name} for index, name in enumerate(CLASSES)],
    }
    path.write_text(json.dumps(content))


def write_voc(root: Path, truth: Truth) -> None:
    (root / 'Annotations').mkdir()
    for image, (boxes, labels) in enumerate(truth):
        # VOC counts pixels from 1.
        listed = [VOC_BOX.format(CLASSES[label], *(box + 1)) for box, label in zip(boxes, labels, strict=True)]
        (root / f'Annotations/{image}.xml').write_text(VOC_XML.format(*ORIGINAL, ''.join(listed)))
    (root / 'list.txt').write_text(''.join(f'{image}\n' for image in range(len(truth))))


@pytest.fixture(scope='module')
def truth(detector: tuple[Path, Path]) -> Truth:
    return true_boxes(detector)


@pytest.fixture(scope='module')
def make_config(
    detector: tuple[Path, Path],
    truth: Truth,
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[..., Path]:
    """A function (**changes) -> file of the tiny detector's config with test data and a metric."""
    root = tmp_path_factory.mktemp('data')
    (root / 'JPEGImages').mkdir()
    for index, picture in enumerate(pictures()):
        write_picture(root / f'JPEGImages/{index}.png', picture)
    write_coco(root / 'all.json', truth)
    write_coco(root / 'first.json', truth[:2])
    write_voc(root, truth)

    def make(path: Path, data: str = COCO, annotations: str = 'all.json', **changes: Any) -> Path:
        places = {'root': f'{root}/', 'annotations': annotations, 'path': str(root / annotations)}
        values = {
            'base': detector[0],
            'size': SIZE,
            'classes': CLASSES,
            'evaluator': (COCO_METRIC if data == COCO else VOC_METRIC).format(**places),
            'test_cfg': 'dict()',
            'data': data.format(**places),
            **changes,
        }
        path.write_text(dedent(CONFIG).format(**values))
        return path

    return make


@pytest.fixture(scope='module', params=[COCO, VOC], ids=['coco', 'voc'])
def config_file(
    request: pytest.FixtureRequest, make_config: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    return make_config(tmp_path_factory.mktemp('config') / 'tested.py', request.param)


@pytest.fixture(scope='module')
def coco_config(make_config: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_config(tmp_path_factory.mktemp('config') / 'tested.py')


@pytest.fixture(scope='module')
def scores(config_file: Path, exported: Report) -> Scores:
    return scoring.evaluate(exported.artifact, config_file, exported.info.checkpoint)


@pytest.fixture(scope='module')
def coco_scores(coco_config: Path, exported: Report) -> Scores:
    return scoring.evaluate(exported.artifact, coco_config, exported.info.checkpoint)


def predicting(find: Callable[[Picture], Detections], name: str = 'made up') -> Candidate:
    def predict(item: Mapping[str, Any]) -> Any:
        return TASK.predict.to_sample(find(picture_of(item['inputs'])), item['data_samples'])

    return Candidate(name, 'none', predict)


def finding(truth: Truth) -> Callable[[Picture], Detections]:
    """What finds the truth; knows RGB pictures at input size only."""
    known = {stretched(picture, SIZE).tobytes(): boxes for picture, boxes in zip(pictures(), truth, strict=True)}

    def find(picture: Picture) -> Detections:
        boxes, labels = known[picture.tobytes()]
        return Detections(boxes / (*ORIGINAL, *ORIGINAL), np.linspace(1, 0.5, len(labels)), labels)

    return find


def test_the_truth_itself_scores_1(config_file: Path, truth: Truth) -> None:
    session = scoring.open_session(configs.load_config(config_file))
    (row,) = scoring.measure(session, [predicting(finding(truth))])
    assert row.metrics[scoring.main_metric(session.config, [row])] == pytest.approx(1.0)


@METRICS.register_module(force=True)
class PercentFound(BaseMetric):
    """Of 100 true boxes, how many were predicted at all: in percent, as mmseg's and mmpretrain's metrics are."""

    default_prefix = 'made_up'

    def process(self, data_batch: Any, data_samples: Sequence[Mapping[str, Any]]) -> None:
        for sample in data_samples:
            self.results.append((len(sample['pred_instances']['scores']), len(sample['gt_instances']['labels'])))

    def compute_metrics(self, results: Sequence[tuple[int, int]]) -> dict[str, float]:
        found, true = (sum(counts) for counts in zip(*results, strict=True))
        return {'found': 100 * found / true}


def test_metrics_of_a_task_that_gives_percent_stay_what_they_are(
    make_config: Callable[..., Path], truth: Truth, tmp_path: Path
) -> None:
    config = configs.load_config(make_config(tmp_path / 'c.py', evaluator='dict(type="PercentFound")'))
    session = scoring.open_session(config)
    percent = replace(session.task, predict=replace(session.task.predict, percent=True))
    find = finding(truth)

    def find_half(picture: Picture) -> Detections:
        found = find(picture)
        return Detections(found.boxes[::2], found.scores[::2], found.labels[::2])

    candidates = [predicting(find, 'all'), predicting(find_half, 'every other')]
    share = 100 * sum(len(labels[::2]) for _, labels in truth) / sum(len(labels) for _, labels in truth)
    for task, whole in ((percent, 1), (session.task, 100)):
        scores = scoring.score(replace(session, task=task), tmp_path / 'a', candidates)
        assert [row.metrics['made_up/found'] for row in scores.rows] == [100, pytest.approx(share)]
        (change,) = scores.differences
        assert change.points == pytest.approx(whole * (share - 100))
    assert TASK.predict.percent is False


def nothing(picture: Picture) -> Detections:
    return Detections(np.zeros((0, 4)), np.zeros(0), np.zeros(0, np.int64))


def test_a_sample_holds_what_mmdets_own_holds_and_the_item_stays_as_it_is(config_file: Path) -> None:
    item = scoring.open_session(configs.load_config(config_file)).samples.dataset[0]
    sample = predicting(nothing).predict(item)
    assert type(item['data_samples'].gt_instances.bboxes) is HorizontalBoxes
    assert 'pred_instances' not in item['data_samples']
    for name, boxes in (('gt_instances', len(item['data_samples'].gt_instances)), ('pred_instances', 0)):
        bboxes = sample.get(name).bboxes
        assert type(bboxes) is torch.Tensor
        assert (bboxes.shape, bboxes.dtype) == ((boxes, 4), torch.float32)


@pytest.mark.parametrize('content', [b'', b'no picture'], ids=['empty', 'text'])
def test_a_picture_that_cannot_be_read_is_named(content: bytes, coco_config: Path, tmp_path: Path) -> None:
    (tmp_path / 'broken.png').write_bytes(content)
    session = scoring.open_session(configs.load_config(coco_config))
    dataset = session.samples.dataset
    dataset.prepare_data = lambda index: dataset.pipeline(  # as if the file had broken since
        {**dataset.get_data_info(index), 'img_path': str(tmp_path / 'broken.png')}
    )
    with pytest.raises(DataError, match=r'0\.png: cannot be read by the test pipeline: '):
        scoring.measure(session, [predicting(nothing)])


# mmdet leaves its temporary folder to the garbage collector then.
@pytest.mark.filterwarnings('ignore:Implicitly cleaning up:ResourceWarning')
@pytest.mark.filterwarnings('ignore::pytest.PytestUnraisableExceptionWarning')
def test_a_metric_of_other_pictures_is_refused(
    make_config: Callable[..., Path], exported: Report, tmp_path: Path
) -> None:
    first = make_config(tmp_path / 'first.py', annotations='first.json')
    other = make_config(tmp_path / 'other.py')
    config = configs.load_config(other)
    config.test_evaluator = configs.load_config(first).test_evaluator
    config.dump(tmp_path / 'dumped.py')
    with pytest.raises(
        DataError, match=r'test_evaluator cannot score the predictions: .*coco.*: the same annotation f'
    ):
        scoring.evaluate(exported.artifact, tmp_path / 'dumped.py')


def test_nothing_found_is_no_score(coco_config: Path) -> None:
    session = scoring.open_session(configs.load_config(coco_config), limit=1)
    with pytest.raises(DataError, match=r'tested\.py: the metric gave no number in 1 pictures: nothing was found'):
        scoring.measure(session, [predicting(nothing)])


def test_the_first_row_is_what_mmengine_reports(
    scores: Scores, config_file: Path, detector: tuple[Path, Path], tmp_path: Path
) -> None:
    config = configs.load_config(config_file)
    config.merge_from_dict({'work_dir': str(tmp_path), 'load_from': str(detector[1]), 'log_level': 'ERROR'})
    expected = Runner.from_cfg(config).test()
    assert dict(scores.rows[0].metrics) == pytest.approx(expected)
    assert 0.2 < scores.rows[0].metrics[scores.main] < 0.95  # a number that can go wrong


def test_the_rows_say_what_the_rule_costs_and_what_the_export_costs(scores: Scores) -> None:
    assert [(row.name, row.rule) for row in scores.rows] == [
        ('trained model (best.pth)', OWN_RULE),
        ('trained model (best.pth)', EXPORTED_RULE),
        ('tiny.mlpackage', EXPORTED_RULE),
    ]
    rule, export, _ = (change.points for change in scores.differences)
    assert rule is not None
    assert rule < -0.2  # the truth has labels that are second best
    assert export is not None
    assert abs(export) < PACKAGE_POINTS
    assert all(row.seconds > 0 for row in scores.rows)
    assert (scores.pictures, scores.total, scores.notes) == (PICTURES, PICTURES, ())


@pytest.mark.parametrize('form', ['raw', 'nms'])
def test_an_onnx_file_scores_what_the_model_does_by_its_rule(
    form: str, coco_scores: Scores, coco_config: Path, onnx_files: dict[str, Path], detector: tuple[Path, Path]
) -> None:
    *_, model, file = scoring.evaluate(onnx_files[form], coco_config, detector[1]).rows
    assert (file.name, file.rule, model.metrics) == (f'{form}.onnx', EXPORTED_RULE, coco_scores.rows[1].metrics)
    change = file.metrics[coco_scores.main] - model.metrics[coco_scores.main]
    assert abs(100 * change) < TORCH_POINTS


def test_thresholds_are_the_configs_and_never_the_packages(
    coco_scores: Scores, coco_config: Path, exported: Report, tmp_path: Path, make_config: Callable[..., Path]
) -> None:
    copy = shutil.copytree(exported.artifact, tmp_path / 'tiny.mlpackage')

    def other_thresholds(spec: Any) -> None:
        stage = spec.pipeline.models[1].nonMaximumSuppression
        stage.confidenceThreshold, stage.iouThreshold = 0.9, 0.05

    change_spec(copy, other_thresholds)
    assert [row.metrics for row in scoring.evaluate(copy, coco_config, exported.info.checkpoint).rows] == [
        row.metrics for row in coco_scores.rows
    ]
    for test_cfg in ('dict(score_thr=0.9)', 'dict(nms=dict(iou_threshold=0.05))', 'dict(max_per_img=5)'):
        other = make_config(tmp_path / 'other.py', test_cfg=test_cfg)
        for row, before in zip(
            scoring.evaluate(exported.artifact, other, exported.info.checkpoint).rows, coco_scores.rows, strict=True
        ):
            assert row.metrics[coco_scores.main] < before.metrics[coco_scores.main] - 0.01, (test_cfg, row)


@pytest.mark.parametrize('data', [COCO, VOC], ids=['coco', 'voc'])
def test_a_limit_is_as_if_there_were_no_other_pictures(
    data: str, make_config: Callable[..., Path], exported: Report, tmp_path: Path
) -> None:
    limited = scoring.evaluate(exported.artifact, make_config(tmp_path / 'all.py', data), exported.info.checkpoint, 2)
    assert (limited.pictures, limited.total) == (2, PICTURES)
    if data == COCO:
        alone = make_config(tmp_path / 'first.py', annotations='first.json')
    else:
        (tmp_path / 'first.txt').write_text('0\n1\n')
        alone = make_config(tmp_path / 'first.py', data.replace('list.txt', str(tmp_path / 'first.txt')))
    assert [row.metrics for row in limited.rows] == [
        row.metrics for row in scoring.evaluate(exported.artifact, alone, exported.info.checkpoint).rows
    ]
    assert scoring.evaluate(exported.artifact, tmp_path / 'first.py', limit=99).pictures == 2


@pytest.mark.parametrize(
    'evaluator',
    [
        '[dict(type="VOCMetric", metric="mAP"), dict(type="VOCMetric", metric="recall", prefix="recall")]',
        'dict(type="Evaluator", metrics=[dict(type="VOCMetric", metric="mAP")])',
    ],
    ids=['list', 'evaluator'],
)
def test_several_metrics_and_a_named_evaluator(
    evaluator: str, make_config: Callable[..., Path], tmp_path: Path, exported: Report
) -> None:
    config = make_config(tmp_path / 'c.py', VOC, evaluator=evaluator)
    found = scoring.evaluate(exported.artifact, config, limit=1)
    assert found.main == 'pascal_voc/mAP'
    assert any(key.startswith('recall/') for key in found.rows[0].metrics) == evaluator.startswith('[')


def test_a_fused_checkpoint_scores_what_the_trained_one_does(
    coco_scores: Scores, coco_config: Path, detector: tuple[Path, Path], tmp_path: Path
) -> None:
    config = configs.load_config(detector[0])
    model, source = open_model(config, detector[1])
    fused_file.write_fused(model, source, config, tmp_path / 'fused.pth')
    found = scoring.evaluate(tmp_path / 'fused.pth', coco_config, detector[1])
    assert [(row.name, row.rule) for row in found.rows] == [
        ('trained model (best.pth)', OWN_RULE),
        ('trained model (best.pth)', EXPORTED_RULE),
        ('fused.pth', OWN_RULE),
        ('fused.pth', EXPORTED_RULE),
    ]
    expected = [row.metrics[coco_scores.main] for row in coco_scores.rows[:2]] * 2
    scored = [row.metrics[coco_scores.main] for row in found.rows]
    np.testing.assert_allclose(scored, expected, rtol=0, atol=TORCH_POINTS / 100)
    alone = scoring.evaluate(tmp_path / 'fused.pth', coco_config)
    assert [row.metrics for row in alone.rows] == [row.metrics for row in found.rows[2:]]
    why = rule_change(3)
    said = [f'{EXPORTED_RULE} instead of {OWN_RULE}, in fused.pth: {why}']
    assert [change.what for change in alone.differences] == said


@pytest.fixture
def orphan(exported: Report, tmp_path: Path) -> Callable[..., Path]:
    """A function (**entries) -> a copy of the package that says something else about itself."""

    def make(**entries: Any) -> Path:
        copy = shutil.copytree(exported.artifact, tmp_path / 'orphan.mlpackage')
        said = {f'mobileone_mm.{key}': json.dumps(value) for key, value in entries.items()}
        change_spec(copy, lambda spec: spec.description.metadata.userDefined.update(said))
        return copy

    return make


def test_a_checkpoint_that_a_package_names_is_not_opened_unasked(
    exported: Report,
    orphan: Callable[..., Path],
    coco_config: Path,
    coco_scores: Scores,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level('INFO', 'mobileone_mm')
    os.mkfifo(tmp_path / 'trap.pth')  # whoever opens it waits
    for package in (exported.artifact, orphan(checkpoint=str(tmp_path / 'trap.pth'))):
        found = scoring.evaluate(package, coco_config)
        assert [row.metrics for row in found.rows] == [coco_scores.rows[-1].metrics]
        (note,) = found.notes
        assert note == f'{package} is scored alone; `checkpoint` adds the model that it was exported from'
        assert [record.getMessage() for record in caplog.records] == [f'note: {note}']
        caplog.clear()


def test_a_checkpoint_that_is_given_is_used_and_another_one_is_said_to_be_one(
    orphan: Callable[..., Path], coco_config: Path, coco_scores: Scores, detector: tuple[Path, Path], tmp_path: Path
) -> None:
    package = orphan(checkpoint='gone.pth')
    found = scoring.evaluate(package, coco_config, detector[1])
    assert ([row.metrics for row in found.rows], found.notes) == ([row.metrics for row in coco_scores.rows], ())

    contents = read_checkpoint(detector[1])
    save_checkpoint(tmp_path / 'other.pth', contents.state_dict, {**contents.meta, 'epoch': 1})
    found = scoring.evaluate(package, coco_config, tmp_path / 'other.pth', limit=1)
    assert found.notes == (
        f'{package} was not made from {tmp_path / "other.pth"}, but from a checkpoint with another sha256',
    )
    assert len(found.rows) == 3

    (tmp_path / 'broken.pth').write_bytes(b'no weights')
    with pytest.raises(CheckpointError, match=r'broken\.pth'):
        scoring.evaluate(package, coco_config, tmp_path / 'broken.pth')


@pytest.mark.parametrize(
    ('changes', 'error', 'message'),
    [
        ({'size': (64, 64)}, ConfigError, r'gives pictures of 64x64 px, expected 96x64 px'),
        (
            {'classes': ('a', 'b', 'c')},
            ConfigError,
            r"has the classes \('circle', 'square', 'triangle'\), .* \('a', 'b'",
        ),
        ({'evaluator': 'None'}, ConfigError, r'expected test_dataloader with a data set, and test_evaluator'),
        ({'evaluator': 'dict(type="NoMetric")'}, ConfigError, r'test_evaluator cannot be built: .*NoMetric'),
        ({'evaluator': 'dict(type="CocoMetric", ann_file="gone.json")'}, DataError, r'test_evaluator cannot be read'),
        ({'annotations': 'gone.json'}, DataError, r'gone\.json: not there, seen from '),
        ({'data': "type='mobileone_mm.CocoDataset', ann_file='gone.json'"}, DataError, r'^gone\.json: not there'),
        ({'data': "type='NoDataset'"}, ConfigError, r'test_dataloader\.dataset cannot be built: .*NoDataset'),
        ({'test_cfg': 'dict(score_thr=None)'}, ConfigError, r'model\.test_cfg has score_thr=None'),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else '',
)
def test_what_cannot_be_scored_says_why(
    changes: dict[str, Any],
    error: type[Exception],
    message: str,
    make_config: Callable[..., Path],
    exported: Report,
    tmp_path: Path,
) -> None:
    with pytest.raises(error, match=message):
        scoring.evaluate(exported.artifact, make_config(tmp_path / 'c.py', **changes), limit=1)


@pytest.mark.parametrize(
    ('artifact', 'limit', 'error', 'message'),
    [
        ('x.tflite', None, UsageError, r"x\.tflite: ending '\.tflite' given, expected one of .*\.mlpackage.*\.pth"),
        ('gone.pth', None, CheckpointError, r'gone\.pth'),
        ('gone.mlpackage', None, Exception, r'gone\.mlpackage: no such package folder'),
        (None, 0, UsageError, r'`limit`: 0 given, expected a number of pictures from 1'),
    ],
    ids=str,
)
def test_wrong_arguments(
    artifact: str | None,
    limit: int | None,
    error: type[Exception],
    message: str,
    coco_config: Path,
    exported: Report,
) -> None:
    with pytest.raises(error, match=message):
        scoring.evaluate(artifact or exported.artifact, coco_config, limit=limit)


def test_a_config_of_another_task_is_refused(classifier: tuple[Path, Path], exported: Report) -> None:
    with pytest.raises(ConfigError, match=r'is made for detection, .*cls\.py for classification; score it with'):
        scoring.evaluate(exported.artifact, classifier[0])


def test_a_checkpoint_of_other_classes_is_refused(
    coco_config: Path, detector: tuple[Path, Path], tmp_path: Path
) -> None:
    state = read_checkpoint(detector[1]).state_dict
    save_checkpoint(tmp_path / 'other.pth', state, {'dataset_meta': {'classes': ['a', 'b', 'c']}})
    with pytest.raises(CheckpointError, match=r"trained on the classes \('a', 'b', 'c'\), .* names \('circle'"):
        scoring.evaluate(tmp_path / 'other.pth', coco_config)


def test_an_export_is_scored_at_once(
    detector: tuple[Path, Path], coco_config: Path, tmp_path: Path, coco_scores: Scores
) -> None:
    report = export_tiny((coco_config, detector[1]), tmp_path / 'd.mlpackage', evaluate=True, limit=99)
    assert report.scores is not None
    assert [row.rule for row in report.scores.rows] == [row.rule for row in coco_scores.rows]
    assert [row.metrics for row in report.scores.rows] == [row.metrics for row in coco_scores.rows]
    assert report.as_dict()['scores']['rows'][-1]['name'] == 'd.mlpackage'
    assert 'config&#x27;s own metric on' in page_of(tmp_path / 'd.mlpackage').read_text()
