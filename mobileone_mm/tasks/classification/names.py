"""The names of a classifier's classes as a file has them, where each stands once."""

from collections import Counter
from collections.abc import Sequence

from mmengine.config import Config

from mobileone_mm.openmmlab import classes


def class_names(config: Config, known: Sequence[str] | None = None) -> tuple[str, ...]:
    """The classes of the config's test data set, else the `known` ones.

    Raises:
        ConfigError: there is no test data set, or nothing names any class.
    """
    return as_named(classes.class_names(config, known))


def as_named(names: Sequence[str]) -> tuple[str, ...]:
    """Class names as an export has them: told apart by their index where two are the same.

    Labels are the keys of a dictionary, and 'crane' stands twice in ImageNet's list.
    """
    counts, taken, named = Counter(names), set(names), []
    for index, name in enumerate(names):
        apart = name
        while counts[name] > 1 and apart in taken:
            apart = f'{apart} ({index})'
        taken.add(apart)
        named.append(apart)
    return tuple(named)
