"""What is scored: an exported file, or a model in torch, each as something that predicts."""

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config

from mobileone_mm.artifact.card import Card
from mobileone_mm.artifact.runner import Runner
from mobileone_mm.errors import ConfigError
from mobileone_mm.openmmlab.classes import require_same_classes
from mobileone_mm.openmmlab.inputs import picture_of
from mobileone_mm.openmmlab.test_data import Samples
from mobileone_mm.tasks.task import Task

Item = Mapping[str, Any]


@dataclass(frozen=True)
class Candidate:
    """Something that predicts.

    Attributes:
        name: of the model or file.
        rule: how its outputs become predictions.
        predict: takes an item of the data set and gives its data sample, copied, with the prediction.
        samples: the data set, where it is not the session's.
    """

    name: str
    rule: str
    predict: Callable[[Mapping[str, Any]], Any]
    samples: Samples | None = None


@dataclass(frozen=True)
class Session:
    """What everything is scored on.

    Attributes:
        config: the config.
        task: of its models.
        rules: how its model is tested.
        samples: its test data.
        classes: names of the config's classes, as an export has them.
    """

    config: Config
    task: Task
    rules: Any
    samples: Samples
    classes: tuple[str, ...]


def of_model(session: Session, model: Any, name: str) -> list[Candidate]:
    """A model in torch, as its host tests it, and, where that is something else, as an artifact predicts."""
    task, rules = session.task, session.rules
    own = Candidate(name, task.predict.own_rule, _own(model))
    if task.predict.own_rule == task.predict.exported_rule:
        return [own]

    def as_exported(item: Item) -> Any:
        outputs = task.export.reference(model, picture_of(item['inputs']), task.options())
        return task.predict.to_sample(task.predict.decode(outputs, rules), item['data_samples'])

    return [own, Candidate(name, task.predict.exported_rule, as_exported)]


def exported(session: Session, path: Path, card: Card, runner: Runner) -> Candidate:
    """An artifact as a candidate.

    Raises:
        ConfigError: the config is for another task, or names other classes.
    """
    if card.task != session.task.name:
        raise ConfigError(
            f'{path} is made for {card.task}, {session.config.filename} for {session.task.name}; '
            'score it with the config it was made with'
        )
    task, rules = session.task, session.rules
    require_same_classes(
        (f'{path} has the classes', task.export.as_named(card.classes)),
        (f'{session.config.filename} names', session.classes),
        'score it with the config it was made with',
    )

    def predict(item: Item) -> Any:
        picture = picture_of(item['inputs'])
        height, width = picture.shape[:2]
        if (width, height) != card.input_size:
            raise ConfigError(
                f'the test pipeline gives pictures of {width}x{height} px, expected '
                f'{card.input_size[0]}x{card.input_size[1]} px, which the export takes; score it with the config it '
                'was made with, whose Resize has keep_ratio=False, or export again'
            )
        return task.predict.to_sample(task.predict.by(runner, picture, rules), item['data_samples'])

    return Candidate(path.name, task.predict.exported_rule, predict, task.predict.samples(session.samples, card))


def _own(model: Any) -> Callable[[Item], Any]:
    """What a host's test loop does with an item."""

    def predict(item: Item) -> Any:
        batch = {'inputs': [item['inputs']], 'data_samples': [copy.deepcopy(item['data_samples'])]}
        with torch.no_grad():
            return model.test_step(batch)[0]

    return predict
