"""Scores by a config's own test data and metric: of an exported file or a checkpoint, and beside it of its model."""

import copy
import logging
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.evaluator import Evaluator

from mobileone_mm.artifact.card import Card
from mobileone_mm.artifact.formats import ARTIFACTS, CHECKPOINT, ending_of, is_artifact
from mobileone_mm.artifact.runner import Runner
from mobileone_mm.errors import ConfigError, DataError, UsageError
from mobileone_mm.evaluation.scores import Row, Scores, main_metric
from mobileone_mm.openmmlab import configs
from mobileone_mm.openmmlab.classes import require_same_classes
from mobileone_mm.openmmlab.inputs import picture_of
from mobileone_mm.openmmlab.open_model import open_model
from mobileone_mm.openmmlab.test_data import Samples, new_evaluator, open_samples, read_sample
from mobileone_mm.targets.artifact import open_artifact
from mobileone_mm.tasks.by_name import task_for
from mobileone_mm.tasks.task import Task
from mobileone_mm.threads import one_thread
from mobileone_mm.track import Track, untracked
from mobileone_mm.weights.checkpoint import Checkpoint

LOGGER = logging.getLogger(__name__)

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


def evaluate(
    path: str | Path,
    config_path: str | Path,
    checkpoint_path: str | Path | None = None,
    limit: int | None = None,
    track: Track = untracked,
    config_wins: bool = False,
) -> Scores:
    """Score a package, an ONNX file or a checkpoint by the config's own test data and metric, and its model beside it.

    Args:
        path: what is scored.
        config_path: config with the test data and the metric.
        checkpoint_path: the model to put beside it. Without it an artifact is scored alone, and a note says so: the
            checkpoint that it names is not opened, since whoever made the file chose that path.
        limit: take the first pictures only.
        track: says how far it is.
        config_wins: take this config although a checkpoint says that it was trained with another one.

    Raises:
        UsageError: the ending is of nothing that can be scored, or the limit is below 1.
        ConfigError: the config has no test data, metric or rules to test by, or is another than the artifact's.
        CheckpointError: a checkpoint cannot be read or belongs to something else.
        ExportError: the artifact cannot be read.
        DataError: the test data cannot be read.
    """
    path = Path(path)
    if ending_of(path) not in (*ARTIFACTS, CHECKPOINT):
        endings = ', '.join((*ARTIFACTS, CHECKPOINT))
        raise UsageError(f'{path}: ending {ending_of(path)!r} given, expected one of {endings}')
    with configs.quiet():
        config = configs.load_config(config_path)
    session = open_session(config, limit)
    beside, source = _opened(session, checkpoint_path, config_wins) if checkpoint_path is not None else ([], None)
    if is_artifact(path):
        artifact = open_artifact(path)
        candidates = [*beside, exported(session, path, artifact.card, artifact.saved.runner)]
        notes, verdict = _notes(path, artifact.card, source), artifact.card.verdict if artifact.card.failed else ''
    else:
        candidates, notes, verdict = [*beside, *_opened(session, path, config_wins, path.name)[0]], [], ''
    return replace(score(session, path, candidates, notes, track), verdict=verdict)


def open_session(config: Config, limit: int | None = None) -> Session:
    """Open what is scored on; what cannot be scored on is refused here.

    Raises:
        UsageError: the limit is below 1.
        ConfigError: the config is for no known task, or has no test data, metric or rules to test by.
        DataError: the test data cannot be read.
    """
    task = task_for(config)
    rules, samples = task.predict.rules(config), open_samples(config, limit)
    session = Session(config, task, rules, samples, task.export.class_names(config, None))
    _evaluator(session)
    return session


def score(
    session: Session,
    path: Path,
    candidates: Sequence[Candidate],
    notes: Sequence[str] = (),
    track: Track = untracked,
) -> Scores:
    """Score candidates, the one of `path` last.

    Raises:
        ConfigError: a picture is not what an artifact takes.
        DataError: a picture cannot be read, the metric belongs to other data, or no candidate got a score.
    """
    for note in notes:
        LOGGER.info('note: %s', note)
    rows = measure(session, candidates, track)
    return Scores(
        artifact=str(path),
        config=str(session.config.filename),
        main=main_metric(session.config, rows, session.task.predict.main_metric),
        rows=rows,
        pictures=session.samples.count,
        total=len(session.samples.dataset),
        rules=session.task.predict.as_dict(session.rules),
        percent=session.task.predict.percent,
        notes=tuple(notes),
        folder=session.samples.folder,
        class_metric=session.task.predict.class_metric,
        rule_change=session.task.predict.rule_change(len(session.classes)),
    )


def _notes(path: Path, card: Card, source: Checkpoint | None) -> list[str]:
    if source is None:
        return [f'{path} is scored alone; `checkpoint` puts the model that it was made from beside it']
    if source.sha256 != card.checkpoint_sha256:
        return [f'{path} was not made from {source.path}, but from a checkpoint with another sha256']
    return []


def _opened(session: Session, path: str | Path, wins: bool, name: str = '') -> tuple[list[Candidate], Checkpoint]:
    with configs.quiet():
        model, source = open_model(session.config, path, config_wins=wins)
    session.task.export.require(model)
    return of_model(session, model, name or f'{source.form} model ({source.path.name})'), source


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


def _evaluator(session: Session) -> Evaluator:
    evaluator = new_evaluator(session.samples)
    if session.samples.count < len(session.samples.dataset):
        session.task.predict.limit_metric(evaluator, session.samples)
    return evaluator


def measure(session: Session, candidates: Sequence[Candidate], track: Track = untracked) -> tuple[Row, ...]:
    """Predict every picture with every candidate, and score each; one row a candidate.

    Raises:
        DataError: a picture cannot be read, the metric belongs to other data, or no candidate got a score.
    """
    samples, evaluators = session.samples, [_evaluator(session) for _ in candidates]
    seconds: list[list[float]] = [[] for _ in candidates]
    with configs.quiet(), one_thread():  # one picture at a time; what exports run in takes one thread too
        for index in track(range(samples.count), 'pictures'):
            shared = read_sample(samples, index)
            for candidate, judge, times in zip(candidates, evaluators, seconds, strict=True):
                item = read_sample(candidate.samples, index) if candidate.samples else shared
                start = time.perf_counter()
                with configs.running(session.config):
                    sample = candidate.predict(item)
                times.append(time.perf_counter() - start)
                judge.process([sample])
        found = [_evaluated(session, judge) for judge in evaluators]
    if not any(metrics for metrics, _ in found):
        raise DataError(
            f'{samples.config.filename}: the metric gave no number in {samples.count} pictures: nothing was found in '
            'any of them, or test_evaluator only writes files (format_only=True)'
        )
    return tuple(
        Row(candidate.name, candidate.rule, _floats(metrics), _median(times), _floats(classes))
        for candidate, (metrics, classes), times in zip(candidates, found, seconds, strict=True)
    )


def _evaluated(session: Session, evaluator: Evaluator) -> tuple[Mapping[str, float], Mapping[str, float]]:
    try:
        return session.task.predict.evaluated(evaluator, session.samples.count, session.classes)
    except Exception as error:  # of any kind, for an annotation file of other pictures
        raise DataError(
            f'{session.config.filename}: test_evaluator cannot score the predictions: {error}; '
            'expected one for the data set of test_dataloader: the same annotation file and classes'
        ) from error


def _floats(values: Mapping[str, float]) -> dict[str, float]:
    return {key: float(value) for key, value in values.items()}


def _median(times: Sequence[float]) -> float:
    return round(statistics.median(times), 4)
