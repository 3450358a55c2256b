"""Which entries of a training's log get a line on the screen, and which line."""

import logging

from mobileone_mm.errors import one_line
from mobileone_mm.openmmlab.log import ATTRIBUTE, COLOURS

LONGEST = 300  # characters of a line; the log has the whole entry
# Addressed to the authors of mmengine and its packages, or true of every sound run.
NOISE = (
    'deprecated',
    'prefix is not set in metric class',
    'has no metainfo',
    'Reach the end of the dataloader',
    '`self.param_schedulers` is None',
    'The draw is False',
    'Advance dataloader',  # mmengine, of a resumed loop of iterations: no picture is loaded for it
    'Image shapes are different in the batch',  # mmseg, of the pictures before they were resized
)


def line_for(record: logging.LogRecord) -> str | None:
    """What the screen shows of an entry: warnings and worse, but no noise, and what was logged with `on_screen`."""
    line: str | None = getattr(record, ATTRIBUTE, None)
    if line is not None:
        return line
    text = short_line(record.getMessage())
    if record.levelno < logging.WARNING or any(noise in text for noise in NOISE):
        return None
    return f'warning: {text}'


def short_line(text: str) -> str:
    """A text of any number of lines as one of a length that can be read."""
    line = one_line(COLOURS.sub('', text))
    return line if len(line) <= LONGEST else f'{line[:LONGEST]} ... (all of it is in the log)'
