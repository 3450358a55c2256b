"""What a config is tested on: its data set, its classes and its metric."""

import copy
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.dataset import BaseDataset
from mmengine.evaluator import Evaluator
from mmengine.registry import DATASETS, EVALUATOR

from mobileone_mm.errors import ConfigError, DataError, MobileOneError, UsageError, one_line
from mobileone_mm.openmmlab.configs import enter_scope, quiet
from mobileone_mm.openmmlab.data_sets import explained
from mobileone_mm.openmmlab.places import place_of
from mobileone_mm.pictures.colours import distinct_colours


def test_dataset(config: Config) -> Mapping[str, Any] | None:
    """The config of the data set that is tested on, out of whatever is wrapped around it; None where there is none."""
    loader = config.get('test_dataloader')
    dataset = loader.get('dataset') if isinstance(loader, dict) else None
    while isinstance(dataset, dict) and 'dataset' in dataset:  # RepeatDataset, ClassBalancedDataset ...
        dataset = dataset['dataset']
    return dataset if isinstance(dataset, dict) else None


def names_said(config: Config) -> Any:
    """The class names in the `metainfo` of the config's test data set, or else in its class; None where it has none.

    Raises:
        ConfigError: there is no test data set.
    """
    dataset = test_dataset(config)
    if dataset is None:
        given = config.get('test_dataloader')
        raise ConfigError(
            f'{config.filename}: test_dataloader is {given!r}, expected one with a data set, which names the classes; '
            'add test_dataloader=dict(dataset=dict(type=..., metainfo=dict(classes=(...))))'
        )
    return _metainfo(config, dataset, 'classes') or None


def class_names(config: Config, known: Sequence[str] | None = None) -> tuple[str, ...]:
    """The classes that the config's test data set names, else the `known` ones, in the order of the model's outputs.

    Raises:
        ConfigError: there is no test data set, or neither names any class.
    """
    named = names_said(config) or known
    if not named:
        raise ConfigError(
            f'{config.filename}: the test data set names no classes; set its metainfo=dict(classes=(...))'
        )
    return (named,) if isinstance(named, str) else tuple(named)


def palette(config: Config, count: int) -> list[tuple[int, int, int]]:
    """A colour (red, green, blue), 0..255, for each of so many classes: the test data set's own, else made up."""
    named = _metainfo(config, test_dataset(config) or {}, 'palette')
    colours = distinct_colours(count) if named is None or len(named) < count else named[:count]
    return [(int(red), int(green), int(blue)) for red, green, blue in colours]


def _metainfo(config: Config, dataset: Mapping[str, Any], key: str) -> Any:
    """What a data set says about itself, in its `metainfo` or else in its class; None where it says nothing."""
    named = (dataset.get('metainfo') or {}).get(key)
    if named is None:
        enter_scope(config)
        with DATASETS.switch_scope_and_registry(config.default_scope) as registry:
            kind: type[BaseDataset] | None = registry.get(dataset['type']) if 'type' in dataset else None
        named = getattr(kind, 'METAINFO', {}).get(key)  # a ConcatDataset has none
    return named


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
    enter_scope(config)
    with quiet(), _built('test_dataloader.dataset', config), explained(config, 'test_dataloader'):
        dataset = DATASETS.build(copy.deepcopy(config.test_dataloader.dataset))
        dataset.full_init()
        total = len(dataset)
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
        DataError: the test pipeline cannot read its picture.
    """
    try:
        item: Mapping[str, Any] = samples.dataset[index]
    except Exception as error:  # of any kind, for a file that is no picture
        path = samples.dataset.get_data_info(index).get('img_path', f'picture {index}')
        raise DataError(f'{path}: cannot be read by the test pipeline: {str(error).strip()}') from error
    return item
