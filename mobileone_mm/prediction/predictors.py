"""Whatever predicts for a picture, opened by what a user types: an artifact, or a config and its checkpoint."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from mobileone_mm.artifact.formats import A_CHECKPOINT, A_CONFIG, is_artifact, kind_of
from mobileone_mm.artifact.inputs import fitted, fitted_for
from mobileone_mm.errors import UsageError
from mobileone_mm.openmmlab import configs
from mobileone_mm.openmmlab.open_model import open_model
from mobileone_mm.pictures.reading import Picture
from mobileone_mm.prediction.sources import EXPECTED
from mobileone_mm.reparam import fuse
from mobileone_mm.targets.artifact import open_artifact
from mobileone_mm.tasks.by_name import task_for, task_named
from mobileone_mm.tasks.task import Task
from mobileone_mm.threads import one_thread


@dataclass(frozen=True)
class Predictor:
    """Something opened that predicts.

    Attributes:
        path: of the artifact or the checkpoint, as it was given.
        config: path of its config, as it was given; None for an artifact, whose word for it is not taken.
        task: what it is for.
        classes: by label.
        rules: to look at its predictions with.
        predict: for a picture (H, W, 3) of any size, under rules.
        failed: the verdict on an artifact that failed a check; empty on others.
    """

    path: str
    config: str | None
    task: Task
    classes: tuple[str, ...]
    rules: Any
    predict: Callable[[Picture, Any], Any]
    failed: str = ''


def open_predictor(words: Sequence[str], config_wins: bool = False) -> Predictor:
    """Open an artifact (one word) or a config and its checkpoint (two).

    `config_wins` takes a config although its checkpoint says that it was trained with another one.

    Raises:
        UsageError: the words are neither.
        ConfigError: the config is unreadable, for a model that cannot be exported, or has no fixed input size.
        CheckpointError: the checkpoint is unreadable or belongs to something else.
        ExportError: the artifact cannot be read.
    """
    if len(words) == 1 and is_artifact(words[0]):
        return _of_artifact(words[0])
    if [kind_of(word) for word in words] == [A_CONFIG, A_CHECKPOINT]:
        config_path, path = words
        return _of_checkpoint(config_path, path, config_wins)
    raise UsageError(f'{" ".join(words)}: expected {EXPECTED}')


def _of_artifact(path: str) -> Predictor:
    artifact = open_artifact(path)
    card, runner = artifact.card, artifact.saved.runner
    task = task_named(card.task)

    def predict(picture: Picture, rules: Any) -> Any:
        return task.predict.by(runner, fitted_for(picture, card), rules)

    failed = card.verdict if card.failed else ''
    return Predictor(path, None, task, card.classes, task.predict.card_rules(card), predict, failed)


def _of_checkpoint(config_path: str, path: str, config_wins: bool) -> Predictor:
    with configs.quiet():
        config = configs.load_config(config_path)
        task = task_for(config)
        model, source = open_model(config, path, task.export.require, config_wins)
        classes = task.export.class_names(config, source.classes)
        frame = task.export.framed(task.options(), config, None)
    fused = fuse(model)  # the same numbers, in a fraction of the time

    def predict(picture: Picture, rules: Any) -> Any:
        with configs.running(config), one_thread():
            outputs = task.export.reference(
                fused, fitted(picture, frame.size, frame.crop, frame.resampling), frame.options
            )
        return task.predict.decode(outputs, rules)

    return Predictor(path, config_path, task, classes, task.predict.shown_rules(config), predict)
