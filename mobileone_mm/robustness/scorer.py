"""What gives a number for each of ImageNet's classes: a model, where there is one on the GPU, or an exported file."""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.registry import DATASETS
from torch import Tensor

from mobileone_mm.artifact.card import CENTER_CROP, Card
from mobileone_mm.artifact.formats import is_artifact
from mobileone_mm.errors import ConfigError
from mobileone_mm.openmmlab import configs
from mobileone_mm.openmmlab.centre_crop import centre_crop_of, see_whole, sizing_steps
from mobileone_mm.openmmlab.classes import require_same_classes
from mobileone_mm.openmmlab.inputs import picture_of
from mobileone_mm.openmmlab.open_model import open_model
from mobileone_mm.openmmlab.test_data import test_pipeline
from mobileone_mm.pictures.reading import Picture, middle
from mobileone_mm.reparam import fuse
from mobileone_mm.robustness.sets import Corruption
from mobileone_mm.robustness.synsets import synsets
from mobileone_mm.targets.artifact import open_artifact
from mobileone_mm.tasks.by_name import task_for
from mobileone_mm.tasks.task import Task

Item = Mapping[str, Any]
Step = dict[str, Any]
SHORT, SIDE = 256, 224  # px: how the pictures of ImageNet-C were resized and cropped before they were corrupted


@dataclass(frozen=True)
class Scorer:
    """Something opened that scores pictures.

    Attributes:
        config: its config.
        device: where it computes.
        score: gives numbers (N, 1000), the largest for the most probable class, for N items of a test pipeline.
        side: px of the square that it takes, in which it cuts out itself what it sees; None where the pipeline does.
    """

    config: Config
    device: str
    score: Callable[[Sequence[Item]], Tensor]
    side: int | None = None


def open_scorer(config_path: str | Path, path: str | Path, config_wins: bool = False) -> Scorer:
    """Open a config with its checkpoint, or with what was exported from it.

    Args:
        config_path: the classifier's config.
        path: its checkpoint, trained or fused, or an artifact made of it.
        config_wins: take this config although the checkpoint says that it was trained with another one.

    Raises:
        ConfigError: the config is no ImageNet classifier's, or has no test pipeline.
        CheckpointError: the checkpoint is unreadable or belongs to something else.
        ExportError: the artifact cannot be read.
    """
    with configs.quiet():
        config = configs.load_config(config_path)
        task = task_for(config)
        if task.name != 'classification':
            raise ConfigError(f'{config_path}: made for {task.name}, expected the config of an ImageNet classifier')
        configs.enter_scope(config)
        _require_imagenet(task, config_path, task.export.class_names(config, None))
        return _artifact(config, task, path) if is_artifact(path) else _model(config, task, path, config_wins)


def _require_imagenet(task: Task, path: str | Path, names: Sequence[str]) -> None:
    """Refuse what has other classes than ImageNet's 1000, or has them in another order."""
    by_synset = names[0] in synsets()
    expected: Sequence[str] = synsets() if by_synset else DATASETS.get('mmpretrain.ImageNet').METAINFO['classes']
    require_same_classes(
        (f'{path} has the classes', task.export.as_named(names)),
        (f"ImageNet's {len(expected)} are", task.export.as_named(expected)),
        'expected a classifier of those',
    )


def _model(config: Config, task: Task, path: str | Path, config_wins: bool) -> Scorer:
    model: Any
    model, source = open_model(config, path, task.export.require, config_wins)
    if source.classes is not None:
        _require_imagenet(task, path, source.classes)
    outputs = int(model.head.num_classes)
    if outputs != len(synsets()):
        raise ConfigError(f'{config.filename}: the head has {outputs} classes, expected {len(synsets())}')
    device = get_device()
    network = fuse(model).to(device)  # the same numbers, in a fraction of the time

    def score(items: Sequence[Item]) -> Tensor:
        batch = {key: [item[key] for item in items] for key in ('inputs', 'data_samples')}
        with torch.no_grad():
            logits: Tensor = network.head(network.extract_feat(network.data_preprocessor(batch)['inputs']))
        return logits.float().cpu()

    return Scorer(config, device, score)


def _artifact(config: Config, task: Task, path: str | Path) -> Scorer:
    artifact = open_artifact(path)
    card = artifact.card
    if card.task != task.name:
        raise ConfigError(f'{path}: made for {card.task}, expected an ImageNet classifier')
    _require_imagenet(task, path, card.classes)
    rules = task.predict.card_rules(card)

    def score(items: Sequence[Item]) -> Tensor:
        pictures = [_filling(picture_of(item['inputs']), card, path) for item in items]
        found = [task.predict.by(artifact.saved.runner, picture, rules).probabilities for picture in pictures]
        return torch.from_numpy(np.stack(found))

    cuts_inside = card.crop == CENTER_CROP and centre_crop_of(config) is not None
    return Scorer(config, 'cpu', score, card.input_size[0] if cuts_inside else None)


def _filling(picture: Picture, card: Card, path: str | Path) -> Picture:
    """A picture as an artifact takes it: one that is cropped already comes where the artifact crops.

    Raises:
        ConfigError: the artifact would see more than the picture, or less.
    """
    height, width = picture.shape[:2]
    if (width, height) == card.input_size:
        return picture
    if card.settings['crop_inside'] != width or width != height:
        raise ConfigError(
            f'{path}: sees {card.settings["crop_inside"] or card.input_size[0]} px of a side, pictures of {width}x'
            f'{height} px given; ImageNet-C needs a model that is tested at {SIDE} px'
        )
    whole = np.zeros((*card.input_size[::-1], 3), np.uint8)
    whole[middle(card.input_size, (width, height))] = picture
    return whole


def pipeline_of(scorer: Scorer, corruption: Corruption | None) -> list[Step]:
    """The test pipeline for a set.

    Pictures of ImageNet-C on disk are 224 px crops already, which are not resized again: 224 px of their middle are
    taken, as its authors do. Those that are corrupted here are resized to 256 px and cropped before, as theirs were.

    Raises:
        ConfigError: the config has no test pipeline that loads pictures.
    """
    steps: list[Step] = copy.deepcopy(list(test_pipeline(scorer.config)))
    if not steps or not _kind(steps[0]).startswith('Load'):
        raise ConfigError(f'{scorer.config.filename}: expected a test pipeline that begins with LoadImageFromFile')
    if corruption is not None:
        sizing = [step for _, step in sizing_steps(steps)]
        load, *rest = [step for step in steps if step not in sizing]
        return [load, *_sizing(corruption), *rest]
    if scorer.side is not None:
        see_whole(steps, scorer.side)
    return steps


def _sizing(corruption: Corruption) -> list[Step]:
    crop = {'type': 'CenterCrop', 'crop_size': SIDE}
    if not corruption.made:
        return [crop]
    resize = {'type': 'ResizeEdge', 'scale': SHORT, 'edge': 'short', 'backend': 'pillow'}
    corrupt = {'type': 'mobileone_mm.Corrupt', 'name': corruption.name, 'severity': corruption.severity}
    return [resize, crop, corrupt]


def _kind(step: Mapping[str, Any]) -> str:
    return str(step.get('type')).rpartition('.')[2]
