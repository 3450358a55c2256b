"""The classes of a config: their names, their colours, and whether they are those of a file."""

from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.config import Config
from mmengine.dataset import BaseDataset
from mmengine.registry import DATASETS

from mobileone_mm.errors import ConfigError, DataError, MobileOneError, printable, shown
from mobileone_mm.openmmlab.configs import enter_scope
from mobileone_mm.openmmlab.test_data import open_dataset, test_dataset
from mobileone_mm.pictures.colours import distinct_colours

LISTED = 20  # classes that a message lists whole

Classes = tuple[str, Sequence[str]]  # what they are those of, in words, and their names


def class_names(config: Config, known: Sequence[str] | None = None) -> tuple[str, ...]:
    """The classes of the config's test data set, in the order of the model's outputs.

    Those of its `metainfo`, else of its class, else those that it finds in its data, such as the names of folders;
    else the `known` ones.

    Raises:
        ConfigError: there is no test data set, or nothing names any class.
    """
    dataset = test_dataset(config)
    if dataset is None:
        given = config.get('test_dataloader')
        raise ConfigError(
            f'{config.filename}: test_dataloader is {given!r}, expected one with a data set, which names the classes; '
            'add test_dataloader=dict(dataset=dict(type=..., metainfo=dict(classes=(...))))'
        )
    named = _metainfo(config, dataset, 'classes') or _found(config) or known
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
    about = dataset.get('metainfo') or {}
    if not isinstance(about, Mapping):
        raise ConfigError(
            f'{config.filename}: test_dataloader.dataset.metainfo holds a {type(about).__name__}, expected a dict: '
            'metainfo=dict(classes=(...))'
        )
    named = about.get(key)
    if named is None:
        enter_scope(config)
        with DATASETS.switch_scope_and_registry(config.default_scope) as registry:
            kind: type[BaseDataset] | None = registry.get(dataset['type']) if 'type' in dataset else None
        named = getattr(kind, 'METAINFO', {}).get(key)  # a ConcatDataset has none
    return named


def _found(config: Config) -> Any:
    """The classes that the test data set finds in its data; None where they cannot be read."""
    try:
        return open_dataset(config, 'test_dataloader').metainfo.get('classes')
    except (ConfigError, DataError):
        return None


def require_same_classes(one: Classes, other: Classes, cure: str, error: type[MobileOneError] = ConfigError) -> None:
    """Refuse classes that are not the same in the same order.

    Raises:
        MobileOneError: of the kind of `error`, with both lists, and the `cure`.
    """
    names, expected = one[1], other[1]
    if tuple(names) == tuple(expected):
        return
    where = ''
    if len(names) == len(expected) > LISTED:  # of which both may show the same
        place = next(place for place, name in enumerate(names) if name != expected[place])
        where = f' (number {place} is the first to differ: {printable((names[place], expected[place]))})'
    raise error(f'{one[0]} {listed(names)}, {other[0]} {listed(expected)}{where}; {cure}')


def listed(names: Sequence[str]) -> str:
    """The names of a few classes, or the first of many."""
    return printable(tuple(names)) if len(names) <= LISTED else shown(names)
