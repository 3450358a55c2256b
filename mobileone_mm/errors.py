"""What can go wrong in front of a user: every message names what was given, what was expected and what to do."""

import re
from collections.abc import Iterable
from typing import Any

NAMES_SHOWN = 5  # how many files, names or ids a message lists before it only counts
# What moves a terminal's cursor or changes its colours, breaks a line, or turns the direction of the text around it.
CONTROL = re.compile('[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]')


class MobileOneError(Exception):
    """A failure whose text is written for the user; command-line tools end with `exit_status`."""

    exit_status = 1


class UsageError(MobileOneError):
    """The command or option itself is wrong; nothing was read or written."""

    exit_status = 2


class CheckpointError(MobileOneError):
    """A weight file cannot be read, or does not belong to this model."""


class ConfigError(MobileOneError):
    """A config cannot be read, or asks for what this project cannot build."""


class DataError(MobileOneError):
    """A data set cannot be trained or evaluated on as it is."""


class FuseError(MobileOneError):
    """A model cannot be fused, or a fused model is used as if it could be trained."""


class ExportError(MobileOneError):
    """A model cannot be exported, or the written package is not what was asked for."""


class ParityError(MobileOneError):
    """Two forms of a model that have to agree do not."""


def printable(text: Any) -> str:
    """A text out of a file as a terminal or a page may show it: control characters as Python writes them."""
    return CONTROL.sub(lambda found: ascii(found[0])[1:-1], str(text))


def shown(names: Iterable[Any], between: str = ', ') -> str:
    """The first few names, and how many more there are."""
    every = [printable(name) for name in names]
    rest = len(every) - NAMES_SHOWN
    return between.join(every[:NAMES_SHOWN]) + (f' and {rest} more' if rest > 0 else '')
