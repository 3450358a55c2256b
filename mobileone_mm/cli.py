"""What every command shares: errors to one line and a status, messages, progress, a report file, the next command."""

import argparse
import io
import logging
import os
import re
import shlex
import shutil
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import Any, TypeVar

from mobileone_mm.atomic import replacing
from mobileone_mm.errors import INTERRUPTED, MobileOneError, interrupted, is_plain, printable
from mobileone_mm.flags import FLAGS
from mobileone_mm.locks import holding
from mobileone_mm.outputs import REPORT, report_text
from mobileone_mm.sigint import remembered

BAR = 30  # characters
BAR_INTERVAL = 0.2  # seconds between two pictures of the bar at a terminal
LABEL = 10  # characters that the name of a fact takes
LINE_INTERVAL = 30.0  # seconds between two lines elsewhere, such as a log file
CLEAR_REST = '\033[K'  # erases from the cursor to the end of the terminal's line
SCRIPT, MODULE = 'mobileone', 'mobileone_mm'  # the console script, and what `python -m` and loggers know it by
OPTION = re.compile('`([a-z][a-z0-9_]*)`')  # how the library names an option

TRACEBACKS = 'MOBILEONE_MM_TRACEBACKS'  # environment variable that does what `TRACEBACK` does, for all that is started
TRACEBACK = '--traceback'  # an option of every command

Item = TypeVar('Item')

_KEPT: ContextVar[bool] = ContextVar('whether tracebacks are kept', default=False)
_PARSER: ContextVar[argparse.ArgumentParser | None] = ContextVar("the running command's", default=None)


def run(main: Callable[[Sequence[str] | None], int], argv: Sequence[str] | None = None) -> int:
    """Call a command's `main` and turn what it raises into one line on stderr and an exit status.

    Status 0: done; 1: failed; 2: wrong usage (`UsageError`, argparse); 130: stopped, as is whatever fails after Ctrl-C.
    What is neither a `MobileOneError` nor an `OSError` is a defect of this package: it is said so, and raised with
    `TRACEBACK` among the words, where the environment variable `TRACEBACKS` is set, or `keep_tracebacks` was called;
    there, what a `MobileOneError` came from is printed above its line. What the library logs is printed while `main`
    runs. Options that it names in backticks are printed as their flags.
    """
    try:
        return _run(main, argv)
    except KeyboardInterrupt:  # before Ctrl-C is remembered, or on the way out
        say('stopped')
        return INTERRUPTED


def _run(main: Callable[[Sequence[str] | None], int], argv: Sequence[str] | None) -> int:
    _KEPT.set(bool(os.environ.get(TRACEBACKS)) or TRACEBACK in (sys.argv if argv is None else argv))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors='backslashreplace')  # file names are no text, and terminals do not know all
    with _printed_log(), holding(), remembered() as pressed:
        try:
            return main(argv)
        except (Exception, KeyboardInterrupt) as error:
            if pressed or interrupted(error):
                say('stopped')
                return INTERRUPTED
            return _status_of(error)


def _status_of(error: BaseException) -> int:
    """The status of a command that an error ended, which is said in a line."""
    if isinstance(error, MobileOneError):
        if _KEPT.get() and error.__cause__:  # of code of the user's, as a rule
            traceback.print_exception(error.__cause__)
        say(f'error: {_with_flags(str(error))}')
        return error.exit_status
    if isinstance(error, OSError):
        say(f'error: {error}')
        return 1
    if _KEPT.get():
        raise error
    what = ' '.join([f'{type(error).__name__}:', *str(error).split()])
    say(f'error: {what} (a defect; {TRACEBACK} shows where)')
    return 1


def keep_tracebacks() -> None:
    """Let the running command end with the traceback of what nobody foresaw."""
    _KEPT.set(True)


class _Parser(argparse.ArgumentParser):
    """Shows the example of its help where argparse shows a usage line: above what is wrong with the arguments."""

    def format_usage(self) -> str:
        example = (self.description or '').partition('\n\n')[0]
        return f'{example % {"prog": self.prog}}\n'

    def _print_message(self, message: str, file: Any = None) -> None:
        super()._print_message(printable(message, kept='\n\t'), file)


def parser(verb: str, text: str) -> argparse.ArgumentParser:
    """The parser of a command, whose help opens with `text`, not with a usage line.

    Args:
        verb: as in `mobileone VERB`.
        text: begins with an example and an empty line; `%(prog)s` in it is the command itself, as it is typed here.
    """
    made = _Parser(
        prog=command(verb),
        usage=argparse.SUPPRESS,
        description=text,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument(TRACEBACK, action='store_true', help='show where in the code an error comes from')
    _PARSER.set(made)
    return made


def add_config_wins(parser: argparse.ArgumentParser) -> None:
    """Let a command take a config that a checkpoint was not trained with."""
    parser.add_argument(
        '--config-wins',
        action='store_true',
        help='take CONFIG although the checkpoint says that it was trained with another one',
    )


def command(verb: str, *words: str | Path) -> str:
    """The shell line that runs a verb from where the user stands.

    `mobileone VERB ...` where that is the running environment's own script; where the environment is not active, the
    script by its path; where it has none, by way of its interpreter.
    """
    return typed([*_program(), verb, *map(str, words)])


def typed(words: Sequence[str]) -> str:
    """Words as they are typed into bash or zsh; also pasted, from a terminal that cannot show some of their letters."""
    return ' '.join(map(_quoted, words))


def _quoted(word: str) -> str:
    name = os.fsencode(word)
    with suppress(UnicodeEncodeError):
        if is_plain(word) and word.encode(getattr(sys.stdout, 'encoding', None) or 'utf-8') == name:
            return shlex.quote(word)
    letters = (chr(byte) if 32 <= byte < 127 and byte not in b"'\\" else f'\\{byte:03o}' for byte in name)
    return f"$'{''.join(letters)}'"


def _program() -> list[str]:
    own = os.path.dirname(sys.executable)
    script = shutil.which(SCRIPT)
    if script and os.path.samefile(os.path.dirname(os.path.realpath(script)), own):
        return [SCRIPT]
    script = shutil.which(SCRIPT, path=own)
    return [_from_here(script)] if script else [_from_here(sys.executable), '-m', MODULE]


def _from_here(program: str) -> str:
    """The shorter way to type the path of a program from here."""
    relative = os.path.relpath(program)
    if os.sep not in relative:
        relative = os.path.join(os.curdir, relative)
    return min(relative, program, key=len)


def _with_flags(message: str) -> str:
    """What the library says with the running command's options as their flags: `input_size` as --input-size.

    Those of an export that help where a check fails are known to every command.
    """
    parser = _PARSER.get()
    actions = parser._actions if parser else []
    flags = FLAGS | {action.dest: action.option_strings[-1] for action in actions if action.option_strings}
    return OPTION.sub(lambda name: flags.get(name[1], name[0]), message)


class _Printed(logging.Handler):
    """Prints what the library logs as it prints everything else."""

    def emit(self, record: logging.LogRecord) -> None:
        prefix = f'{record.levelname.lower()}: ' if record.levelno >= logging.WARNING else ''
        say(_with_flags(f'{prefix}{self.format(record)}'))


@contextmanager
def _printed_log() -> Iterator[None]:
    """Print what the library logs, from INFO upwards, on stderr, once: handlers of the root logger do not see it."""
    logger, handler = logging.getLogger(MODULE), _Printed()
    level, propagate = logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        logger.propagate = propagate


def say(message: str) -> None:
    """Print a message for the person at the terminal, on stderr: stdout is for results."""
    message = printable(message, kept='\n\t')
    # Over what a bar left behind when its work was stopped.
    print(f'{CLEAR_REST if sys.stderr.isatty() else ""}{message}', file=sys.stderr, flush=True)


def fact(label: str, text: object) -> None:
    """Say a line of what stands above a long work: what it is, where its files go."""
    say(f'{label:{LABEL}}{text}')


class Meter:
    """How far a long work is, on stderr: at a terminal a bar, which `clear` takes away; elsewhere a line now and then.

    Args:
        total: number of steps.
    """

    def __init__(self, total: int) -> None:
        self._total = total
        self._at_terminal = sys.stderr.isatty()
        self._interval = BAR_INTERVAL if self._at_terminal else LINE_INTERVAL
        self._start = self._said = time.monotonic()

    def step(self, done: int, text: Callable[[float], str]) -> None:
        """Show, where it is time to, how far the work is: `text` of the seconds that the other steps will take."""
        now = time.monotonic()
        if now - self._said < self._interval:
            return
        self._said = now
        left = printable(text((now - self._start) / done * (self._total - done)))
        if self._at_terminal:
            bar = ('#' * (BAR * done // self._total)).ljust(BAR, '.')
            print(f'{bar} {left}{CLEAR_REST}', end='\r', file=sys.stderr, flush=True)
        else:
            say(left)

    def clear(self) -> None:
        """Take the bar away."""
        if self._at_terminal:
            print(CLEAR_REST, end='', file=sys.stderr, flush=True)


def progress(items: Sequence[Item], what: str) -> Iterator[Item]:
    """The items, one by one; says on stderr how many are done and how long the others will take."""
    meter = Meter(len(items))
    for done, item in enumerate(items, 1):
        yield item
        meter.step(done, lambda left, done=done: f'{done} of {len(items)} {what}, {left:.0f} s left')  # type: ignore[misc]
    meter.clear()


def result(text: str) -> None:
    """Print what a command found, on stdout; options that the library names in it are printed as their flags."""
    print(printable(_with_flags(text), kept='\n\t'), flush=True)


def next_command(command: str) -> None:
    """Print, as the last line, the command that a user is likely to want now: `command(...)`."""
    print(printable(f'next: {command}'), flush=True)


def write_report(path: str | Path, report: Mapping[str, Any]) -> None:
    """Write what a tool measured as JSON (`--report FILE.json`)."""
    with replacing(path, REPORT) as fresh:
        fresh.write_text(report_text(report))
