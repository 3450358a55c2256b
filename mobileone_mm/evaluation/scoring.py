"""A config's own test data and metric, whatever its task, on the predictions of several candidates side by side."""

import copy
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.evaluator import Evaluator
from mmengine.registry import DATASETS, EVALUATOR

from mobileone_mm.cli import progress
from mobileone_mm.errors import ConfigError, DataError, MobileOneError, UsageError
from mobileone_mm.evaluation.scores import Row
from mobileone_mm.openmmlab import configs
from mobileone_mm.threads import one_thread


@dataclass(frozen=True)
class Samples:
    """What a config is tested on.

    Attributes:
        config: the config.
        dataset: of its `test_dataloader`, built, with its pipeline and in its wrappers.
        count: number of pictures that are used, the first ones.
    """

    config: Config
    dataset: Any
    count: int

    @property
    def folder(self) -> str:
        """Where the first picture lies; empty where the data set does not say."""
        path = self.dataset.get_data_info(0).get('img_path')
        return str(Path(path).parent) if path else ''


@dataclass(frozen=True)
class Candidate:
    """Something that predicts.

    Attributes:
        name: of the model or file.
        rule: how its outputs become predictions.
        predict: takes an item of the data set and gives its data sample, copied, with the prediction.
    """

    name: str
    rule: str
    predict: Callable[[Mapping[str, Any]], Any]


def open_samples(config: Config, limit: int | None = None) -> Samples:
    """Build the config's test data set; `limit` takes its first pictures only.

    Raises:
        UsageError: the limit is below 1.
        ConfigError: the config has no test data or metric, or they cannot be built.
        DataError: the data cannot be read.
    """
    if limit is not None and limit < 1:
        raise UsageError(f'--limit: {limit} given, expected a number of pictures from 1')
    if configs.test_dataset(config) is None or not config.get('test_evaluator'):
        raise ConfigError(
            f'{config.filename}: expected test_dataloader with a data set, and test_evaluator; '
            'without them there is nothing to score on'
        )
    configs.enter_scope(config)
    with configs.quiet(), _built('test_dataloader.dataset', config):
        dataset = DATASETS.build(copy.deepcopy(config.test_dataloader.dataset))
        dataset.full_init()
        total = len(dataset)
    return Samples(config, dataset, min(limit or total, total))


def new_evaluator(samples: Samples) -> Evaluator:
    """The config's test evaluator, empty.

    Raises:
        ConfigError: it cannot be built.
        DataError: its annotation file cannot be read.
    """
    given = copy.deepcopy(samples.config.test_evaluator)
    with configs.quiet(), _built('test_evaluator', samples.config):
        # As mmengine's Runner tells an evaluator from a metric.
        custom = isinstance(given, dict) and 'metrics' in given
        evaluator = EVALUATOR.build({'type': 'Evaluator', **given}) if custom else Evaluator(given)
    evaluator.dataset_meta = samples.dataset.metainfo
    return evaluator


@contextmanager
def _built(what: str, config: Config) -> Iterator[None]:
    try:
        yield
    except MobileOneError:
        raise
    except OSError as error:
        raise DataError(f'{config.filename}: {what} cannot be read: {error}; set its paths in the config') from error
    except Exception as error:  # whatever a host raises about its config is the user's to read
        raise ConfigError(f'{config.filename}: {what} cannot be built: {error}') from error


def measure(
    samples: Samples, candidates: Sequence[Candidate], evaluator: Callable[[Samples], Evaluator] = new_evaluator
) -> tuple[Row, ...]:
    """Predict every picture with every candidate, and score each; one row a candidate.

    Raises:
        DataError: a picture cannot be read, the metric belongs to other data, or no candidate got a score.
    """
    evaluators = [evaluator(samples) for _ in candidates]
    seconds: list[list[float]] = [[] for _ in candidates]
    with configs.quiet(), one_thread():  # one picture at a time; what exports run in takes one thread too
        for index in progress(range(samples.count), 'pictures'):
            item = _read(samples, index)
            for candidate, judge, times in zip(candidates, evaluators, seconds, strict=True):
                start = time.perf_counter()
                sample = candidate.predict(item)
                times.append(time.perf_counter() - start)
                judge.process([sample])
        found = [_evaluated(samples, judge) for judge in evaluators]
    if not any(found):
        raise DataError(
            f'{samples.config.filename}: the metric gave no number in {samples.count} pictures: nothing was found in '
            'any of them, or test_evaluator only writes files (format_only=True)'
        )
    return tuple(
        Row(candidate.name, candidate.rule, {key: float(value) for key, value in metrics.items()}, _median(times))
        for candidate, metrics, times in zip(candidates, found, seconds, strict=True)
    )


def _read(samples: Samples, index: int) -> Mapping[str, Any]:
    try:
        item: Mapping[str, Any] = samples.dataset[index]
    except Exception as error:  # of any kind, for a file that is no picture
        path = samples.dataset.get_data_info(index).get('img_path', f'picture {index}')
        raise DataError(f'{path}: cannot be read by the test pipeline: {str(error).strip()}') from error
    return item


def _evaluated(samples: Samples, evaluator: Evaluator) -> Mapping[str, float]:
    try:
        metrics: Mapping[str, float] = evaluator.evaluate(samples.count)
    except Exception as error:  # of any kind, for an annotation file of other pictures
        raise DataError(
            f'{samples.config.filename}: test_evaluator cannot score the predictions: {error}; '
            'expected one for the data set of test_dataloader: the same annotation file and classes'
        ) from error
    return metrics


def _median(times: Sequence[float]) -> float:
    return round(statistics.median(times), 4)


def main_metric(config: Config, rows: Sequence[Row]) -> str:
    """The key that training saves the best checkpoint by (`save_best`), else the first."""
    known = [key for row in rows for key in row.metrics]
    best = ((config.get('default_hooks') or {}).get('checkpoint') or {}).get('save_best') or ()
    wanted = [best] if isinstance(best, str) else best
    return next((key for key in wanted if key in known), known[0])
