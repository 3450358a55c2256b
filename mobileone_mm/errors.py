"""What can go wrong in front of a user: every message names what was given, what was expected and what to do."""

import unicodedata
from collections.abc import Iterable
from typing import Any

JOINERS = '\u200c\u200d'  # not printable to Python, but letters of Persian and Hindi, and emoji, need them
INTERRUPTED = 130  # the shell's status for a command ended by Ctrl-C
NAMES_SHOWN = 5  # how many files, names or ids a message lists before it only counts


class MobileOneError(Exception):
    """A failure whose text is written for the user; command-line tools end with `exit_status`."""

    exit_status = 1

    def __str__(self) -> str:
        return printable(super().__str__(), kept='\n\t')


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


def interrupted(error: BaseException | None) -> bool:
    """Whether Ctrl-C is behind an error: mmengine makes another of one that comes while it formats a config."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        if isinstance(error, KeyboardInterrupt):
            return True
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return False


def shown(names: Iterable[Any], between: str = ', ') -> str:
    """The first few names, and how many more there are."""
    every = [printable(name) for name in names]
    rest = len(every) - NAMES_SHOWN
    return between.join(every[:NAMES_SHOWN]) + (f' and {rest} more' if rest > 0 else '')


def counted(number: int, unit: str) -> str:
    """A number and its unit, which is a plural unless it is one: '1 picture', '2 pictures'."""
    return f'{number} {unit}' if number == 1 else f'{number} {unit}s'


def one_line(error: object) -> str:
    """What an error of a library says, or a text, in one line; the error's type where it says nothing."""
    return ' '.join(str(error).split()) or (type(error).__name__ if isinstance(error, Exception) else '')


def printable(text: object, kept: str = '') -> str:
    """A text that comes from a file, with what would move a terminal's cursor written out, as repr() does it.

    Args:
        text: a text, or what has one.
        kept: control characters that stay.
    """
    return ''.join(one if is_shown(one) or one in kept else one.encode('unicode_escape').decode() for one in str(text))


def is_plain(text: str) -> bool:
    """Whether a text shows as it is: without control characters."""
    return printable(text) == text


def is_shown(one: str) -> bool:
    """Whether a character is a letter, a sign or a space: nothing that moves a cursor or turns a line round."""
    return one.isprintable() or unicodedata.category(one) == 'Zs' or one in JOINERS
