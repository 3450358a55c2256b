"""What a config is tested on: its data set and its metric."""

import copy
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.evaluator import Evaluator
from mmengine.registry import DATASETS, EVALUATOR

from mobileone_mm.errors import ConfigError, DataError, MobileOneError, UsageError, one_line
from mobileone_mm.openmmlab.configs import enter_scope, quiet
from mobileone_mm.openmmlab.data_sets import (
    explained,
    require_meta_keys,
    require_packed,
    require_plain_classes,
    why_not_given,
)
from mobileone_mm.openmmlab.places import naming, place_of


def test_dataset(config: Config) -> Mapping[str, Any] | None:
    """The config of the data set that is tested on, out of whatever is wrapped around it; None where there is none."""
    loader = config.get('test_dataloader')
    dataset = loader.get('dataset') if isinstance(loader, dict) else None
    while isinstance(dataset, dict) and 'dataset' in dataset:  # RepeatDataset, ClassBalancedDataset ...
        dataset = dataset['dataset']
    return dataset if isinstance(dataset, dict) else None


def test_pipeline(config: Config) -> Sequence[Any]:
    """The steps of a config's test pipeline; none where it has no test data set.

    Raises:
        ConfigError: it is no list of transforms.
    """
    steps = (test_dataset(config) or {}).get('pipeline', ())
    if not isinstance(steps, list | tuple):
        raise ConfigError(
            f"{config.filename}: the test data set's pipeline is {steps!r}, expected a list of transforms"
        )
    for number, step in enumerate(steps):
        if not isinstance(step, Mapping):
            raise ConfigError(
                f'{config.filename}: pipeline.{number} of the test data set is {step!r}, expected a transform: '
                'dict(type=...)'
            )
    return steps


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


def open_samples(config: Config, limit: int | None = None) -> Samples:
    """Build the config's test data set; `limit` takes its first pictures only.

    Raises:
        UsageError: the limit is below 1.
        ConfigError: the config has no test data or metric, or they cannot be built.
        DataError: the data cannot be read.
    """
    if limit is not None and limit < 1:
        raise UsageError(f'`limit`: {limit} given, expected a number of pictures from 1')
    if test_dataset(config) is None or not config.get('test_evaluator'):
        raise ConfigError(
            f'{config.filename}: expected test_dataloader with a data set, and test_evaluator; '
            'without them there is nothing to score on'
        )
    require_meta_keys(config)
    enter_scope(config)
    with quiet(), _built('test_dataloader.dataset', config), explained(config, 'test_dataloader'):
        dataset = DATASETS.build(copy.deepcopy(config.test_dataloader.dataset))
        dataset.full_init()
        total = len(dataset)
    require_plain_classes(dataset)
    return Samples(config, dataset, min(limit or total, total))


def open_dataset(config: Config, loader: str, least: int = logging.WARNING) -> Any:
    """The data set of one of the config's loaders, built and read, with its pipeline and in its wrappers.

    Args:
        config: the config.
        loader: 'train_dataloader', 'val_dataloader' or 'test_dataloader', which the config has.
        least: the level from which on what is logged is shown.

    Raises:
        ConfigError: it cannot be built.
        DataError: the data cannot be read, or cannot be trained or tested on.
    """
    enter_scope(config)
    with quiet(least), _built(f'{loader}.dataset', config), explained(config, loader):
        dataset = DATASETS.build(copy.deepcopy(config[loader].dataset))
        dataset.full_init()
        len(dataset)
    require_plain_classes(dataset)
    return dataset


def new_evaluator(samples: Samples) -> Evaluator:
    """The config's test evaluator, empty.

    Raises:
        ConfigError: it cannot be built.
        DataError: its annotation file cannot be read.
    """
    given = copy.deepcopy(samples.config.test_evaluator)
    with quiet(logging.ERROR), _built('test_evaluator', samples.config):  # mmseg's metric warns of its usual name
        # As mmengine's Runner tells an evaluator from a metric.
        custom = isinstance(given, dict) and 'metrics' in given
        evaluator = EVALUATOR.build({'type': 'Evaluator', **given}) if custom else Evaluator(given)
    evaluator.dataset_meta = samples.dataset.metainfo
    return evaluator


@contextmanager
def _built(what: str, config: Config) -> Iterator[None]:
    try:
        with naming(config, what):
            yield
    except MobileOneError:
        raise
    except OSError as error:
        raise DataError(f'{config.filename}: {what} cannot be read: {error}; set its paths in the config') from error
    except Exception as error:  # whatever a host raises about its config is the user's to read
        place = place_of(config, error, what)
        raise ConfigError(f'{config.filename}: {place} cannot be built: {one_line(error)}') from error


def read_sample(samples: Samples, index: int) -> Mapping[str, Any]:
    """An item of the test data.

    Raises:
        ConfigError: the test pipeline does not pack what it gives.
        DataError: it cannot read the picture.
    """
    try:
        item: Mapping[str, Any] = samples.dataset[index]
    except Exception as error:  # of any kind, for a file that is no picture
        path = samples.dataset.get_data_info(index).get('img_path', f'picture {index}')
        why = why_not_given(error, samples.config, 'test_dataloader')
        raise DataError(f'{path}: cannot be read by the test pipeline: {why}') from error
    require_packed(item, samples.config, 'test_dataloader')
    return item
