"""What mmengine's CheckpointHook saves: where, under which names, and which of it belongs to a run."""

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Formatter

from mmengine.runner import find_latest_checkpoint

from mobileone_mm.errors import CheckpointError
from mobileone_mm.weights import safe_load

RUN = re.compile(r'[0-9]{8}_[0-9]{6}')  # the folder that mmengine makes in the work dir for each run, after the time
RUN_KEY = 'run'  # in a checkpoint's meta: the name of that folder


@dataclass(frozen=True)
class Saving:
    """Where a CheckpointHook saves to.

    Attributes:
        folder: what its checkpoints lie in.
        template: their names, a format string for the epoch or step; those of the best ones have `best_METRIC_` before.
    """

    folder: Path
    template: str

    def step(self, name: str) -> int | None:
        """The epoch or step of a checkpoint; None for a best one, any other name, and where names have no number."""
        return _number(re.fullmatch(self._pattern(), name, re.DOTALL))

    def may_have(self, name: str) -> bool:
        """Whether a checkpoint may have a name, whatever its epoch or step."""
        return self._any(name) is not None

    def may_write(self, name: str, steps: range) -> bool:
        """Whether a checkpoint of one of these epochs or steps may have a name."""
        found = self._any(name)
        return found is not None and (not found.re.groups or _number(found) in steps)

    def _any(self, name: str) -> re.Match[str] | None:
        return re.fullmatch(f'(?:best_.+_)?{self._pattern()}', name, re.DOTALL)

    def _pattern(self) -> str:
        parts = Formatter().parse(self.template)
        return ''.join(
            re.escape(text) + ('' if field is None else '([0-9]+)' if re.fullmatch('[0-9]*d?', spec or '') else '(.+)')
            for text, field, spec, _ in parts
        )


def _number(found: re.Match[str] | None) -> int | None:
    return int(found[1]) if found and found.re.groups and found[1].isdecimal() else None


def saving(work_dir: Path, out: str | None, template: str) -> Saving:
    """What a CheckpointHook saves to, as it works that out in its own `before_train`.

    Args:
        work_dir: the run's, absolute.
        out: the hook's `out_dir`.
        template: the hook's `filename_tmpl`.
    """
    return Saving(work_dir if out is None or out == str(work_dir) else Path(out) / work_dir.name, template)


def last_checkpoint(work_dir: Path, savings: Sequence[Saving]) -> str | None:
    """The checkpoint to go on from: the one that is noted in a work dir, if it is there.

    A copy or a moved work dir notes one elsewhere: then it is the one of that name where the run itself saves to.
    Where there is none, it is the last one that was saved: a process may be killed after it wrote a checkpoint and
    before it noted that. Two runs may share a folder for checkpoints, so nothing is taken there unless it is noted or
    this run's.

    Args:
        work_dir: the run's.
        savings: what it saves to.
    """
    noted: str | None = find_latest_checkpoint(str(work_dir)) or None
    folders = list(dict.fromkeys(one.folder for one in savings))
    if noted:
        there = '://' in noted or Path(noted).is_file()
        if there and ('://' in noted or any(lies_in(noted, folder) for folder in (work_dir, *folders))):
            return noted
        own = _first_of(work_dir, (folder / Path(noted).name for folder in folders))
        if own or there:
            return own or noted
    steps = {path: step for one in savings for path in entries(one.folder) if (step := one.step(path.name)) is not None}
    return _first_of(work_dir, sorted(steps, key=lambda path: steps[path], reverse=True)) or noted


def _first_of(work_dir: Path, paths: Iterable[Path]) -> str | None:
    return next((str(path) for path in paths if is_of(path, work_dir)), None)


def is_of(path: str | Path, work_dir: Path) -> bool:
    """Whether a checkpoint was saved by a run of a work dir: it lies there, or names one of the runs that are there."""
    if not Path(path).is_file():
        return False
    if lies_in(path, work_dir):
        return True
    try:
        contents = safe_load.read(Path(path))
    except CheckpointError:
        return False
    meta = contents.get('meta') if isinstance(contents, Mapping) else None
    if not isinstance(meta, Mapping):
        return False
    # mmengine alone has it in the name of the experiment, unless that is given.
    run = str(meta.get(RUN_KEY) or str(meta.get('experiment_name'))[-len('20260101_120000') :])
    return RUN.fullmatch(run) is not None and (work_dir / run).is_dir()


def entries(folder: Path) -> list[Path]:
    """What lies in a folder, by name; nothing where there is none."""
    return sorted(folder.iterdir()) if folder.is_dir() else []


def lies_in(path: str | Path, folder: Path) -> bool:
    """Whether a path names an entry of a folder, links to folders resolved."""
    return os.path.realpath(Path(path).parent) == os.path.realpath(folder)
