"""Runs a function in a child of this process, which has everything imported, with limits, and says how it ended."""

import atexit
import logging
import os
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

POLL = 0.004  # seconds between two looks at a child
WORK = 60  # seconds of a processor: a child takes one to five
MEMORY = 6 * 2**30  # bytes that a child may take: what asks for more is to say so, not to stop the machine
SHOWN = 200_000  # characters of a child's output that are looked at


@dataclass(frozen=True)
class Ended:
    """How a child ended.

    Attributes:
        status: its exit status; -N where signal N ended it.
        out, err: what it wrote to stdout and stderr.
        seconds: how long it ran.
        late: whether it was ended because its time was up.
    """

    status: int
    out: str
    err: str
    seconds: float
    late: bool


def run(
    function: Callable[[], object],
    folder: Path,
    log: Path,
    *,
    seconds: float,
    killed_after: float | None = None,
    variables: Mapping[str, str] | None = None,
    file_bytes: int | None = None,
) -> Ended:
    """Run a function in a child.

    Args:
        function: its result, or the status that it exits with, is the child's status.
        folder: where the child stands.
        log: folder for what it writes to stdout and stderr.
        seconds: after these it is ended, and is late.
        killed_after: after these it is killed on purpose.
        variables: of its environment.
        file_bytes: no file may become larger.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    start = time.monotonic()
    child = os.fork()
    if child == 0:
        _become(function, folder, log, variables or {}, file_bytes)
    late, end = False, start + (seconds if killed_after is None else killed_after)
    while True:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            break
        if time.monotonic() > end:
            _kill(child)
            _, status = os.waitpid(child, 0)
            late = killed_after is None
            break
        time.sleep(POLL)
    spent = time.monotonic() - start
    _kill(child)  # workers that it may have left
    texts = [(log / name).read_text('utf-8', 'replace')[:SHOWN] if (log / name).exists() else '' for name in OUTPUTS]
    status = os.waitstatus_to_exitcode(status)
    return Ended(status, *texts, spent, late or status == -signal.SIGXCPU)


OUTPUTS = ('stdout', 'stderr')


def _kill(child: int) -> None:
    try:
        os.killpg(child, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


def _become(
    function: Callable[[], object], folder: Path, log: Path, variables: Mapping[str, str], file_bytes: int | None
) -> None:
    """The life of a child: it never returns."""
    status = 1
    try:
        os.setsid()
        for number, name in ((1, OUTPUTS[0]), (2, OUTPUTS[1])):
            file = os.open(log / name, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            os.dup2(file, number)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.environ.update(variables)
        tempfile.tempdir = None
        os.chdir(folder)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
        spent = int(time.process_time())
        resource.setrlimit(resource.RLIMIT_CPU, (spent + WORK, spent + WORK))
        if file_bytes is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, file_bytes))
        done = function()
        status = done if isinstance(done, int) else 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        try:
            atexit._run_exitfuncs()  # what libraries clear away at the end of a process
            logging.shutdown()
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(status)
