"""The data sets that a config names, out of whatever is wrapped around them, before any of them is built."""

from collections.abc import Iterator, Mapping
from typing import Any

from mmengine.config import Config

LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')


def sets_of(config: Config, loader: str) -> Iterator[tuple[str, Any]]:
    """The data sets of a loader, each with its place in the config: 'train_dataloader.dataset.datasets.0'.

    None where the config does not have that loader.
    """
    given = config.get(loader)
    if isinstance(given, Mapping):
        yield from _innermost(f'{loader}.dataset', given.get('dataset'))


def _innermost(place: str, given: Any) -> Iterator[tuple[str, Any]]:
    if not isinstance(given, Mapping):  # a data set that is built already has nothing to be looked up or changed
        return
    if isinstance(given.get('datasets'), list | tuple):  # ConcatDataset
        for index, one in enumerate(given['datasets']):
            yield from _innermost(f'{place}.datasets.{index}', one)
    elif isinstance(given.get('dataset'), Mapping):  # RepeatDataset, ClassBalancedDataset ...
        yield from _innermost(f'{place}.dataset', given['dataset'])
    else:
        yield place, given
