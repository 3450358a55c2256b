"""Scores by a config's own test data and metric: of an exported file or a checkpoint, and beside it of its model."""

import logging
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from mmengine.config import Config
from mmengine.evaluator import Evaluator

from mobileone_mm.artifact.card import Card
from mobileone_mm.artifact.formats import ARTIFACTS, CHECKPOINT, ending_of, is_artifact
from mobileone_mm.errors import DataError, UsageError
from mobileone_mm.evaluation.candidates import Candidate, Session, exported, of_model
from mobileone_mm.evaluation.judgement import Judgement
from mobileone_mm.evaluation.page import write_page
from mobileone_mm.evaluation.scores import Row, Scores, main_metric
from mobileone_mm.openmmlab import configs
from mobileone_mm.openmmlab.metrics import without_copies
from mobileone_mm.openmmlab.open_model import open_model
from mobileone_mm.openmmlab.test_data import new_evaluator, open_samples, read_sample
from mobileone_mm.targets.artifact import open_artifact
from mobileone_mm.tasks.by_name import task_for
from mobileone_mm.threads import one_thread
from mobileone_mm.track import Track, untracked
from mobileone_mm.weights.checkpoint import Checkpoint

LOGGER = logging.getLogger(__name__)


def evaluate(
    path: str | Path,
    config_path: str | Path,
    checkpoint_path: str | Path | None = None,
    limit: int | None = None,
    track: Track = untracked,
    config_wins: bool = False,
    page: str | Path | None = None,
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
        page: a page to write, with what `path` mistakes and misses.

    Raises:
        UsageError: the ending is of nothing that can be scored, or the limit is below 1.
        ConfigError: the config has no test data, metric or rules to test by, or is another than the artifact's.
        CheckpointError: a checkpoint cannot be read or belongs to something else.
        ExportError: the artifact cannot be read.
        DataError: the test data cannot be read.
        MobileOneError: what draws a page is not installed.
    """
    path = Path(path)
    if ending_of(path) not in (*ARTIFACTS, CHECKPOINT):
        endings = ', '.join((*ARTIFACTS, CHECKPOINT))
        raise UsageError(f'{path}: ending {ending_of(path)!r} given, expected one of {endings}')
    with configs.quiet():
        config = configs.load_config(config_path)
    session = open_session(config, limit)
    if page:
        session.task.judging.require()  # before all pictures are predicted, not after
    judgement = Judgement(session.task.judging, session.classes) if page else None
    beside, source = _opened(session, checkpoint_path, config_wins) if checkpoint_path is not None else ([], None)
    if is_artifact(path):
        artifact = open_artifact(path)
        candidates = [*beside, exported(session, path, artifact.card, artifact.saved.runner)]
        notes, verdict = _notes(path, artifact.card, source), artifact.card.verdict if artifact.card.failed else ''
    else:
        candidates, notes, verdict = [*beside, *_opened(session, path, config_wins, path.name)[0]], [], ''
    scores = replace(score(session, path, candidates, notes, track, judgement), verdict=verdict)
    if page and judgement:
        write_page(Path(page), scores, judgement, session.task.name)
    return scores


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
    judgement: Judgement | None = None,
) -> Scores:
    """Score candidates, the one of `path` last, whose predictions are judged as well, if that is wanted.

    Raises:
        ConfigError: a picture is not what an artifact takes.
        DataError: a picture cannot be read, the metric belongs to other data, or no candidate got a score.
    """
    for note in notes:
        LOGGER.info('note: %s', note)
    rows = measure(session, candidates, track, judgement)
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
        return [f'{path} is scored alone; `checkpoint` adds the model that it was exported from']
    if source.sha256 != card.checkpoint_sha256:
        return [f'{path} was not made from {source.path}, but from a checkpoint with another sha256']
    return []


def _opened(session: Session, path: str | Path, wins: bool, name: str = '') -> tuple[list[Candidate], Checkpoint]:
    with configs.quiet():
        model, source = open_model(session.config, path, config_wins=wins)
    session.task.export.require(model)
    return of_model(session, model, name or f'{source.form} model ({source.path.name})'), source


def _evaluator(session: Session) -> Evaluator:
    evaluator = new_evaluator(session.samples)
    if session.samples.count < len(session.samples.dataset):
        session.task.predict.limit_metric(evaluator, session.samples)
    return evaluator


def measure(
    session: Session, candidates: Sequence[Candidate], track: Track = untracked, judgement: Judgement | None = None
) -> tuple[Row, ...]:
    """Predict every picture with every candidate, and score each; one row a candidate. The last one is judged.

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
            if judgement:
                judgement.add(samples.dataset.get_data_info(index), sample)
        found = [_evaluated(session, judge) for judge in evaluators]
    if not any(metrics for metrics, _ in found):
        raise DataError(
            f'{samples.config.filename}: the metric gave no number in {samples.count} pictures: nothing was found in '
            'any of them, or test_evaluator only writes files (format_only=True)'
        )
    return tuple(
        Row(candidate.name, candidate.rule, _floats(without_copies(metrics)), _median(times), _floats(classes))
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
