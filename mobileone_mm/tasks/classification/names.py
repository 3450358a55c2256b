"""The names of a classifier's classes: found in folders where a config does not say them, and each once in a file."""

from collections import Counter
from collections.abc import Sequence

from mmengine.config import Config

from mobileone_mm.errors import ConfigError, DataError
from mobileone_mm.openmmlab import test_data


def class_names(config: Config, known: Sequence[str] | None = None) -> tuple[str, ...]:
    """The classes of the config's test data set, else those of the folders that it reads, else the `known` ones.

    Raises:
        ConfigError: there is no test data set, or nothing names any class.
    """
    said = test_data.names_said(config)
    return as_named(test_data.class_names(config, known if said else _folder_names(config) or known))


def as_named(names: Sequence[str]) -> tuple[str, ...]:
    """Class names as an export has them: told apart by their index where two are the same.

    Labels are the keys of a dictionary, and 'crane' stands twice in ImageNet's list.
    """
    counts = Counter(names)
    return tuple(f'{name} ({index})' if counts[name] > 1 else name for index, name in enumerate(names))


def _folder_names(config: Config) -> Sequence[str] | None:
    """The classes that the test data set finds in its folders; None where it cannot be read."""
    try:
        names: Sequence[str] | None = test_data.open_dataset(config, 'test_dataloader').metainfo.get('classes')
    except (ConfigError, DataError):
        return None
    return names
