"""What every command-line tool shares: errors to one line and a status, a report file, the next command."""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mobileone_mm.atomic import replacing
from mobileone_mm.errors import MobileOneError

INTERRUPTED = 130  # the shell's status for a command ended by Ctrl-C


def run(main: Callable[[Sequence[str] | None], int], argv: Sequence[str] | None = None) -> int:
    """Call a tool's `main` and turn what it raises into one line on stderr and an exit status.

    Status 0: done; 1: failed (`MobileOneError`, `OSError`); 2: wrong usage (`UsageError`, argparse). Anything else is a
    defect of this package and keeps its traceback.
    """
    try:
        return main(argv)
    except MobileOneError as error:
        say(f'error: {error}')
        return error.exit_status
    except OSError as error:
        say(f'error: {error}')
        return 1
    except KeyboardInterrupt:
        say('stopped')
        return INTERRUPTED


def say(message: str) -> None:
    """Print a message for the person at the terminal, on stderr: stdout is for results."""
    print(message, file=sys.stderr, flush=True)


def next_command(command: str) -> None:
    """Print, as a tool's last line, the command a user is likely to want now."""
    print(f'next: {command}', flush=True)


def write_report(path: str | Path, report: Mapping[str, Any]) -> None:
    """Write what a tool measured as JSON (`--report FILE.json`)."""
    with replacing(path) as fresh:
        fresh.write_text(json.dumps(report, indent=2, sort_keys=True, allow_nan=False) + '\n')
