"""What an exported detector scores on its config's own test data, beside the model that it was made from."""

import copy
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.evaluator import Evaluator
from mmengine.structures import InstanceData

from mobileone_mm.artifact.card import ArtifactInfo, info_of
from mobileone_mm.cli import say
from mobileone_mm.errors import ConfigError, UsageError
from mobileone_mm.evaluation import scoring
from mobileone_mm.evaluation.scores import Scores
from mobileone_mm.evaluation.scoring import Candidate, Samples
from mobileone_mm.openmmlab import configs, open_model
from mobileone_mm.pictures.reading import Picture
from mobileone_mm.targets.opening import OPENERS, Artifact, open_artifact
from mobileone_mm.tasks.detection import detections
from mobileone_mm.tasks.detection.detections import Detections, Rules
from mobileone_mm.tasks.detection.graph import require_ssd
from mobileone_mm.tasks.detection.options import ending_of
from mobileone_mm.weights import checkpoint
from mobileone_mm.weights.checkpoint import Checkpoint

CHECKPOINT_ENDING = '.pth'
SEVERAL_LABELS = 'several labels a box (mmdet)'
ONE_LABEL = 'one label a box (Core ML)'

Item = Mapping[str, Any]


def evaluate(
    artifact_path: str | Path,
    config_path: str | Path,
    checkpoint_path: str | Path | None = None,
    limit: int | None = None,
) -> Scores:
    """Score a package, an ONNX file or a checkpoint by the config's own test data and metric, and its model beside it.

    Without `checkpoint_path`, the model is the checkpoint that the artefact names; a note says so if that is gone.
    `limit` takes the first pictures only.

    Raises:
        UsageError: the artefact's ending is unknown, or the limit is below 1.
        ConfigError: the config is no SSD's, has no test data, metric or `test_cfg`, or is another than the artefact's.
        CheckpointError: a checkpoint that was given cannot be read or belongs to something else.
        ExportError: the artefact cannot be read.
        DataError: the test data cannot be read.
    """
    path = Path(artifact_path)
    if ending_of(path) not in (*OPENERS, CHECKPOINT_ENDING):
        endings = ', '.join((*OPENERS, CHECKPOINT_ENDING))
        raise UsageError(f'{path}: ending {ending_of(path)!r} given, expected one of {endings}')
    config, rules, samples = _opened(config_path, limit)
    if ending_of(path) == CHECKPOINT_ENDING:
        candidates, notes = _of_checkpoint(config, path, checkpoint_path, rules)
    else:
        candidates, notes = _of_artifact(config, path, checkpoint_path, rules)
    for note in notes:
        say(f'note: {note}')
    rows = scoring.measure(samples, candidates, _evaluator)
    return Scores(
        artifact=str(path),
        config=str(config_path),
        main=scoring.main_metric(config, rows),
        rows=rows,
        pictures=samples.count,
        total=len(samples.dataset),
        rules={
            'score threshold': rules.score_threshold,
            'IoU threshold': rules.iou_threshold,
            'boxes a picture': rules.limit,
        },
        notes=tuple(notes),
        folder=samples.folder,
    )


def require_scorable(config_path: str | Path, limit: int | None = None) -> None:
    """Refuse early what `evaluate` would refuse of a config.

    Raises:
        UsageError: the limit is below 1.
        ConfigError: the config is no SSD's, or has no test data, metric or `test_cfg`.
        DataError: the test data cannot be read.
    """
    _, _, samples = _opened(config_path, limit)
    _evaluator(samples)


def _opened(config_path: str | Path, limit: int | None) -> tuple[Config, Rules, Samples]:
    config = _detection_config(config_path)
    return config, detections.rules_of(config), scoring.open_samples(config, limit)


def _detection_config(path: str | Path) -> Config:
    with configs.quiet():
        config = configs.load_config(path)
    if configs.task_of(config) != 'detection':
        raise ConfigError(f'{path}: a config for {configs.task_of(config)}, expected one for detection')
    return config


def _of_artifact(
    config: Config, path: Path, checkpoint_path: str | Path | None, rules: Rules
) -> tuple[list[Candidate], list[str]]:
    artifact = open_artifact(path)
    info = info_of(artifact.metadata)
    _require_classes(config, path, info.classes)
    references, notes = _references(config, path, info, checkpoint_path, rules)
    return [*references, Candidate(path.name, ONE_LABEL, detecting(_finder(artifact, info, rules)))], notes


def _references(
    config: Config, path: Path, info: ArtifactInfo, checkpoint_path: str | Path | None, rules: Rules
) -> tuple[list[Candidate], list[str]]:
    """The model that an artefact was made from, unless it has gone, and what is to be said about it."""
    expected = info.checkpoint_sha256
    if checkpoint_path is not None:
        candidates, source = _of_model(config, checkpoint_path, rules)
        other = source.sha256 != expected
        return candidates, [f'{path} was not made from {checkpoint_path}, but from {info.checkpoint}'] * other
    hint = 'its scores are left out; give the checkpoint with --checkpoint'
    if not Path(info.checkpoint).is_file():
        return [], [f'{path} was made from {info.checkpoint}, which is not there: {hint}']
    if checkpoint.file_sha256(info.checkpoint) != expected:
        return [], [f'{path} was made from {info.checkpoint}, which has changed since: {hint}']
    return _of_model(config, info.checkpoint, rules)[0], []


def _of_checkpoint(
    config: Config, path: Path, checkpoint_path: str | Path | None, rules: Rules
) -> tuple[list[Candidate], list[str]]:
    reference = [] if checkpoint_path is None else _of_model(config, checkpoint_path, rules)[0]
    return [*reference, *_of_model(config, path, rules, path.name)[0]], []


def _of_model(
    config: Config, path: str | Path, rules: Rules, name: str | None = None
) -> tuple[list[Candidate], Checkpoint]:
    """A checkpoint's model under both rules."""
    with configs.quiet():
        model, source = open_model.open_model(config, path)
    require_ssd(model)
    if source.classes is not None:
        _require_classes(config, source.path, source.classes)
    name = name or f'{source.form} model ({source.path.name})'
    return [
        Candidate(name, SEVERAL_LABELS, _own(model)),
        Candidate(name, ONE_LABEL, detecting(lambda picture: detections.of_model(model, picture, rules))),
    ], source


def _require_classes(config: Config, path: Path, classes: tuple[str, ...]) -> None:
    expected = configs.class_names(config)
    if tuple(classes) != expected:
        raise ConfigError(
            f'{path} has the classes {tuple(classes)}, {config.filename} names {expected}; '
            'score it with the config it was made with'
        )


def _finder(artifact: Artifact, info: ArtifactInfo, rules: Rules) -> Callable[[Picture], Detections]:
    def find(picture: Picture) -> Detections:
        height, width = picture.shape[:2]
        if (width, height) != info.input_size:
            raise ConfigError(
                f'the test pipeline gives pictures of {width}x{height} px, expected '
                f'{info.input_size[0]}x{info.input_size[1]} px, which the export takes; score it with the config it '
                'was made with, whose Resize has keep_ratio=False, or export again'
            )
        return detections.of_artifact(artifact, picture, rules)

    return find


def _own(model: Any) -> Callable[[Item], Any]:
    """What mmdet's test loop does with an item."""

    def predict(item: Item) -> Any:
        batch = {'inputs': [item['inputs']], 'data_samples': [copy.deepcopy(item['data_samples'])]}
        with torch.no_grad():
            return model.test_step(batch)[0]

    return predict


def detecting(find: Callable[[Picture], Detections]) -> Callable[[Item], Any]:
    """A `Candidate.predict` that gives what `find` finds in the item's picture, at the picture's original size."""
    from mmdet.models.utils import samplelist_boxtype2tensor  # late: who scores nothing needs no mmdet

    def predict(item: Item) -> Any:
        sample = copy.deepcopy(item['data_samples'])
        samplelist_boxtype2tensor([sample])  # as mmdet's preprocessor does, for metrics
        found = find(_picture(item['inputs']))
        height, width = sample.ori_shape
        sample.pred_instances = InstanceData(
            bboxes=torch.from_numpy(found.boxes * (width, height, width, height)).float(),
            scores=torch.from_numpy(found.scores).float(),
            labels=torch.from_numpy(found.labels),
        )
        return sample

    return predict


def _picture(inputs: torch.Tensor) -> Picture:
    if inputs.dtype != torch.uint8:
        raise ConfigError(
            f'the test pipeline gives pictures of {inputs.dtype}, expected torch.uint8, which an export takes; '
            'remove to_float32 from LoadImageFromFile'
        )
    picture: Picture = np.ascontiguousarray(inputs.numpy()[::-1].transpose(1, 2, 0))
    return picture


def _evaluator(samples: Samples) -> Evaluator:
    from mmdet.evaluation import CocoMetric  # late, as above

    evaluator = scoring.new_evaluator(samples)
    if samples.count < len(samples.dataset):
        used = [samples.dataset.get_data_info(index)['img_id'] for index in range(samples.count)]
        for judge in evaluator.metrics:
            if isinstance(judge, CocoMetric):
                judge.img_ids = used  # else all of the annotation file count, those not seen as missed
    return evaluator
