"""What every command-line tool shares: errors to one line and a status, progress, a report file, the next command."""

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from mobileone_mm.atomic import replacing
from mobileone_mm.errors import MobileOneError
from mobileone_mm.outputs import REPORT, report_text

INTERRUPTED = 130  # the shell's status for a command ended by Ctrl-C
BAR = 30  # characters
BAR_INTERVAL = 0.2  # seconds between two pictures of the bar at a terminal
LINE_INTERVAL = 30.0  # seconds between two lines elsewhere, such as a log file
CLEAR_REST = '\033[K'  # erases from the cursor to the end of the terminal's line

Item = TypeVar('Item')


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
    # Over what a bar left behind when its work was stopped.
    print(f'{CLEAR_REST}{message}' if sys.stderr.isatty() else message, file=sys.stderr, flush=True)


def progress(items: Sequence[Item], what: str) -> Iterator[Item]:
    """The items, one by one; says on stderr how many are done and how long the others will take.

    At a terminal a bar, which goes when all are done; elsewhere a line now and then, and none if they take no time.
    """
    at_terminal = sys.stderr.isatty()
    interval = BAR_INTERVAL if at_terminal else LINE_INTERVAL
    start = said = time.monotonic()
    for done, item in enumerate(items, 1):
        yield item
        now = time.monotonic()
        if now - said < interval:
            continue
        said = now
        left = f'{done} of {len(items)} {what}, {(now - start) / done * (len(items) - done):.0f} s left'
        if at_terminal:
            bar = ('#' * (BAR * done // len(items))).ljust(BAR, '.')
            print(f'{bar} {left}{CLEAR_REST}', end='\r', file=sys.stderr, flush=True)
        else:
            say(left)
    if at_terminal:
        print(CLEAR_REST, end='', file=sys.stderr, flush=True)


def next_command(command: str) -> None:
    """Print, as a tool's last line, the command a user is likely to want now."""
    print(f'next: {command}', flush=True)


def write_report(path: str | Path, report: Mapping[str, Any]) -> None:
    """Write what a tool measured as JSON (`--report FILE.json`)."""
    with replacing(path, REPORT) as fresh:
        fresh.write_text(report_text(report))
