"""One try: a folder of its own, a command run in it, and whether it was right, refused or failed."""

import fnmatch
import hashlib
import os
import re
import shutil
import stat
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hostile.children import Ended, run
from mobileone_mm.__main__ import main

SECONDS = 300.0  # by the clock, on a machine that others use too; see `children.WORK`
HERE, LOG, TEMPORARY, HOME = 'here', 'log', 'tmp', 'home'
RIGHT, REFUSED, FAILED = OUTCOMES = ('right', 'refused', 'failed')
TRACEBACK = 'Traceback (most recent call last)'
UNFORESEEN = re.compile(r'\(a defect; ')
ERROR = re.compile(r'^(?:.*?: )?error: ', re.MULTILINE)
LOGGED = ('work_dirs', 'work_dirs/*', 'w', 'w/*')  # where training and testing keep their log, whatever comes of them

Measure = Callable[[Path], str | None]
Files = Mapping[str, str]


@dataclass(frozen=True)
class Plan:
    """What is tried.

    Attributes:
        what: the change, in words.
        commands: command lines, one after another, as long as they end with 0.
        names: a refusal names at least one of these; with none, anything does.
        outputs: patterns of what the commands may write.
        may_leave: patterns of what they may write even when they refuse.
        measure: looks at the folder after a success: what is wrong with the result, or None.
        agreed: whether a refusal of a later command, after an earlier one found nothing wrong, is a failure.
        killed_after: seconds after which the first command is killed.
        file_bytes: no file may become larger.
    """

    what: str
    commands: Sequence[Sequence[str]]
    names: Sequence[str] = ()
    outputs: Sequence[str] = ('*',)
    may_leave: Sequence[str] = ()
    measure: Measure | None = None
    agreed: bool = False
    killed_after: float | None = None
    file_bytes: int | None = None
    replaced: Sequence[str] = ()


@dataclass(frozen=True)
class Verdict:
    """How a try ended: one of `OUTCOMES`, why, the command, and how long it took in seconds."""

    outcome: str
    what: str
    why: str
    command: str
    seconds: float = field(compare=False)


class Room:
    """The folder of a try: `here`, where the commands run, and beside it what a user has elsewhere.

    Args:
        folder: to make; what stands there goes.
    """

    def __init__(self, folder: Path) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        self.folder, self.here = folder, folder / HERE
        for name in (HERE, LOG, TEMPORARY, HOME):
            (folder / name).mkdir(parents=True)

    @classmethod
    def standing(cls, folder: Path) -> 'Room':
        """The one that was made there before."""
        room = cls.__new__(cls)
        room.folder, room.here = folder, folder / HERE
        return room

    def run(self, words: Sequence[str], **limits: float | int | None) -> Ended:
        """Run a command line in a child."""
        return self.call(lambda: main(list(words)), **limits)

    def call(self, function: Callable[[], object], **limits: float | int | None) -> Ended:
        """Run a function in a child."""
        variables = {'TMPDIR': str(self.folder / TEMPORARY), 'HOME': str(self.folder / HOME)}
        variables['XDG_CACHE_HOME'] = str(self.folder / HOME / '.cache')
        log = self.folder / LOG
        for file in log.iterdir():
            file.unlink()
        return run(function, self.here, log, seconds=SECONDS, variables=variables, **limits)  # type: ignore[arg-type]

    def beside(self) -> list[str]:
        """What lies beside the folder, where nothing is to be left."""
        return [entry.name for entry in self.folder.iterdir() if entry.name not in {HERE, LOG, TEMPORARY, HOME}]

    def temporary(self) -> list[str]:
        """What lies among the temporary files."""
        return [f'{TEMPORARY}/{entry.name}' for entry in (self.folder / TEMPORARY).iterdir()]


def files_in(folder: Path) -> dict[str, str]:
    """Every path below a folder, with the SHA-256 of a file, or what else it is."""
    found = {}
    for place, folders, names in os.walk(folder):
        for name in (*folders, *names):
            path = os.path.join(place, name)
            relative = os.path.relpath(path, folder)
            mode = os.lstat(path).st_mode
            if stat.S_ISREG(mode):
                with open(path, 'rb') as file:
                    found[relative] = (
                        hashlib.file_digest(file, 'sha256').hexdigest()
                        if hasattr(hashlib, 'file_digest')
                        else hashlib.sha256(file.read()).hexdigest()
                    )
            else:
                found[relative] = os.readlink(path) if stat.S_ISLNK(mode) else stat.filemode(mode)[0]
    return found


def attempt(plan: Plan, room: Room) -> Verdict:
    """Carry a plan out in its room, and judge."""
    before, spent, done = files_in(room.here), 0.0, []
    for words in plan.commands:
        ended = room.run(words, file_bytes=plan.file_bytes)
        spent += ended.seconds
        done.append(words)
        if ended.status != 0 or _broken(ended):
            break
    command = ' '.join(done[-1])
    outcome, why = _judged(plan, room, before, ended, len(done))
    return Verdict(outcome, plan.what, why, command, spent)


def _judged(plan: Plan, room: Room, before: Files, ended: Ended, ran: int) -> tuple[str, str]:
    after = files_in(room.here)
    broken = _broken(ended) or _lost(plan, before, after) or _strays(plan, room)
    if broken:
        return FAILED, broken
    if ended.status == 0:
        left = _new(before, after, plan.outputs)
        wrong = f'left {left}' if left else plan.measure and plan.measure(room.here)
        return (FAILED, f'exit 0, and {wrong}') if wrong else (RIGHT, '')
    said = last_line(ended)
    if plan.agreed and ran > 1:
        return FAILED, f'what the first command found nothing wrong with is refused: {said}'
    wrong = badly_refused(plan.names, ended)
    if wrong:
        return FAILED, f'{wrong}: {said}'
    made = () if ran == 1 else plan.outputs  # by the commands before it
    left = _new(before, after, (*plan.may_leave, *made))
    return (FAILED, f'refused ({said}), and left {left}') if left else (REFUSED, said)


def _broken(ended: Ended) -> str:
    """What no command may do, whatever it is given; empty where it did not."""
    if ended.late:
        return f'hangs: ended after {ended.seconds:.0f} s'
    if ended.status < 0:
        return f'ended by signal {-ended.status}'
    if TRACEBACK in ended.err + ended.out:
        return f'traceback: {last_line(ended)}'
    return ''


def badly_refused(names: Sequence[str], ended: Ended) -> str:
    """What is wrong with how a command refused; empty where nothing is."""
    found = UNFORESEEN.search(ended.err)
    if found:
        return 'an error that nobody foresaw'
    errors = len(ERROR.findall(ended.err))
    if errors != 1:
        return f'status {ended.status} with {errors} error lines'
    said = ended.out + ended.err
    if names and not any(name and name in said for name in names):
        return f'the refusal names none of {", ".join(dict.fromkeys(filter(None, names)))}'[:200]
    return ''


def last_line(ended: Ended) -> str:
    """The error line of a command, or else the last that it wrote on stderr."""
    lines = ended.err.strip().splitlines() or ['(nothing on stderr)']
    errors = [line for line in lines if ERROR.search(line)]
    return (errors or lines)[-1][:400]


def _lost(plan: Plan, before: Files, after: Files) -> str:
    changed = [path for path in before if after.get(path) != before[path] and not _matches(path, plan.replaced)]
    return f'changed what was there: {", ".join(sorted(changed)[:4])}' if changed else ''


def _strays(plan: Plan, room: Room) -> str:
    asked = any('..' in words for words in plan.commands)  # as a place for outputs
    strays = [] if asked else room.beside()
    strays += room.temporary()
    return f'left elsewhere: {", ".join(strays[:4])}' if strays else ''


def _new(before: Files, after: Files, allowed: Sequence[str]) -> str:
    new = [path for path in after if path not in before]
    wrong = [path for path in new if not _matches(path, allowed) or os.path.basename(path).startswith('.')]
    wrong = [path for path in wrong if os.path.basename(path) != '.mobileone_mm' or not _matches(path, allowed)]
    return ', '.join(sorted(wrong)[:4])


def _matches(path: str, patterns: Sequence[str]) -> bool:
    return any(fnmatch.fnmatch(path, pattern) for pattern in patterns)
