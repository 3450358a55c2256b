"""What is known and asked of a set of own data before a config is written, and what comes of it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from mmengine.config import Config

from mobileone_mm.errors import UsageError, printable
from mobileone_mm.openmmlab.configs import load_config, quiet
from mobileone_mm.openmmlab.own_config import own_config
from mobileone_mm.setup.folder import Found
from mobileone_mm.setup.text import comment

VARIANTS = ('s0', 's1', 's2', 's3', 's4')
DEFAULT_VARIANT = 's0'
SMALLEST, LARGEST = 64, 2048  # px of an input's side
LONGEST_FOLDER = 60  # characters of a path in a title


@dataclass(frozen=True)
class Wishes:
    """What a user asks for, whatever the folder holds.

    Attributes:
        variant: 's0' to 's4'.
        input_size: (width, height) in px; None: as it fits.
        classes: names, in the order of the labels; empty: as the folder says.
        ignored: ids in masks of what has no class; None: as the folder says.
    """

    variant: str = DEFAULT_VARIANT
    input_size: tuple[int, int] | None = None
    classes: tuple[str, ...] = ()
    ignored: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        if self.variant not in VARIANTS:
            raise UsageError(f'`variant` {self.variant}: expected one of {", ".join(VARIANTS)}')
        if self.input_size and not all(SMALLEST <= side <= LARGEST for side in self.input_size):
            given = ','.join(map(str, self.input_size))
            raise UsageError(f'`input_size` {given}: expected sides from {SMALLEST} to {LARGEST} px')

    def side(self, default: int) -> int:
        """The side of a square input.

        Raises:
            UsageError: another shape is asked for.
        """
        width, height = self.input_size or (default, default)
        if width != height:
            raise UsageError(
                f'`input_size` {width},{height}: expected one number: detectors and classifiers see squares'
            )
        return width


@dataclass(frozen=True)
class Proposal:
    """A config for a set of own data.

    Attributes:
        text: of the config.
        found: what the set holds, line by line.
        chosen: what the config has because of it, line by line.
    """

    text: str
    found: tuple[str, ...]
    chosen: tuple[str, ...]


@dataclass(frozen=True)
class Draft:
    """A template with names and paths filled in.

    Attributes:
        template: its name.
        classes: names, in the order of the labels.
        root: the folder that paths begin in, as it is typed.
        lines: other variables.
    """

    template: str
    classes: tuple[str, ...]
    root: str
    lines: Mapping[str, Any] = field(default_factory=dict)

    def text(self, **more: Any) -> str:
        """The template's text with them, and with more variables."""
        return own_config(self.template, self.classes, self.root, {**self.lines, **more})


def draft_of(found: Found, root: str, wishes: Wishes) -> Draft:
    """The template that fits a folder, with what it holds."""
    return Draft(found.template, wishes.classes or found.classes, root, found.lines)


def title(what: str, root: str) -> str:
    """The comment that a config begins with; of a long path, it has the end.

    Args:
        what: it trains: 'An SSD'.
        root: the folder that it was written for.
    """
    folder = printable(root)
    if len(folder) > LONGEST_FOLDER:
        folder = f'...{folder[-LONGEST_FOLDER:]}'
    text = f'{what} for {folder}, written by `mobileone init` (docs/own_data.md). Change whatever you like.'
    return '\n'.join(comment(text))


@contextmanager
def read(text: str) -> Iterator[Config]:
    """The config of a text that is not yet in a file of its own."""
    with TemporaryDirectory(prefix='mobileone_mm') as folder:
        path = Path(folder, 'config.py')
        path.write_text(text, encoding='utf-8')
        with quiet():
            config = load_config(path)
        yield config
