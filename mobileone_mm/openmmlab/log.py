"""Entries of mmengine's log that a person should see on the screen as well."""

ATTRIBUTE = 'on_screen'  # of a log record: the line that a screen shows for it


def on_screen(line: str) -> dict[str, str]:
    """The `extra` of a logging call below the level of a warning that a user should see, as `line`."""
    return {ATTRIBUTE: line}
