"""The demo's steps: the commands a user would type, one after the other, in the folder where the demo stands."""

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from mobileone_mm.errors import MobileOneError
from mobileone_mm.outputs import DEMO, mark_folder, require_outputs

FOLDER = 'demo'
MARK = 'demo'  # what the folder is marked with
BEST = '{best}'  # in a command: the best checkpoint, known once the training has written it

Say = Callable[[str], None]


class StepError(MobileOneError):
    """A step of the demo failed."""


@dataclass(frozen=True)
class Step:
    """One command of the demo: the words behind `mobileone`."""

    name: str
    says: str
    words: str


@dataclass(frozen=True)
class Done:
    """A step that went well: what was run, and for how long (seconds)."""

    name: str
    command: str
    seconds: float


def make_room(root: Path) -> Path | None:
    """Make an empty folder for a demo, and put that of an earlier one aside: nothing old passes for new, or is lost.

    Returns:
        Where the earlier one is now: demo_1, demo_2, ...; None if there was none.

    Raises:
        UsageError: a folder stands there that no demo made.
    """
    folder = root / FOLDER
    require_outputs([(folder, DEMO)], ())
    aside = None
    if folder.is_dir() and any(folder.iterdir()):
        aside = next(path for number in count(1) if not os.path.lexists(path := root / f'{FOLDER}_{number}'))
        folder.rename(aside)
    (folder / 'logs').mkdir(parents=True)
    mark_folder(folder, MARK)
    return aside


def run_steps(root: Path, steps: Sequence[Step], say: Say) -> Iterator[Done]:
    """Run one command after the other in `root`, each with its whole output in demo/logs.

    Args:
        root: the folder that holds the demo's.
        steps: what is run.
        say: takes what a person reads meanwhile: the commands, and what they say themselves of how far they are.

    Raises:
        StepError: a command fails; says which, why and where its log is.
    """
    for number, step in enumerate(steps, 1):
        words = step.words.replace(BEST, best_checkpoint(root)) if BEST in step.words else step.words
        what, command = f'[{number}/{len(steps)}] {step.name}', f'mobileone {words}'
        say(f'\n{what}: {step.says}\n  $ {command}')
        started = time.monotonic()
        _run(root, what, words, Path(FOLDER, 'logs', f'{step.name}.log'), say)
        yield Done(step.name, command, time.monotonic() - started)


def best_checkpoint(root: Path) -> str:
    """The trained checkpoint that scored best in validation, relative to `root`.

    Raises:
        StepError: the training left none, or several.
    """
    found = [path for path in (root / FOLDER / 'training').glob('best_*.pth') if 'fused' not in path.name]
    if len(found) != 1:
        raise StepError(f'{FOLDER}/training: {len(found)} best checkpoints, expected 1; see {FOLDER}/logs/train.log')
    return found[0].relative_to(root).as_posix()


def _run(root: Path, what: str, words: str, log: Path, say: Say) -> None:
    """Run a verb; what it says on stderr is said and logged, its results on stdout are logged."""
    command = [sys.executable, '-m', 'mobileone_mm', *shlex.split(words)]
    environment = {**os.environ, 'PYTHONUNBUFFERED': '1'}
    last = ''
    with (root / log).open('w', encoding='utf-8', errors='backslashreplace') as file:
        process = subprocess.Popen(
            command, cwd=root, env=environment, stdout=file, stderr=subprocess.PIPE, text=True, errors='replace'
        )
        with process:
            assert process.stderr is not None
            for line in process.stderr:
                file.write(line)
                file.flush()
                last = line.strip() or last
                say(f'  {line.rstrip()}')
    if process.returncode:
        raise StepError(f'{what} failed with status {process.returncode}: {last}\n  its whole output: {log}')
