"""Entries of mmengine's log that a person should see on the screen as well."""

import re

from mmengine.logging import MMLogger

COLOURS = re.compile(r'\x1b\[[\d;]*m')  # that mmengine writes into entries for a terminal
ATTRIBUTE = 'on_screen'  # of a log record: the line that a screen shows for it


def on_screen(line: str) -> dict[str, str]:
    """The `extra` of a logging call below the level of a warning that a user should see, as `line`."""
    return {ATTRIBUTE: line}


def say_on_screen(text: str) -> None:
    """Log what may take a minute, so that who trains sees what is waited for."""
    MMLogger.get_current_instance().info(text, extra=on_screen(text))
