"""Where a training writes: a folder in which nothing of the user's is replaced."""

import re
from pathlib import Path

from mobileone_mm.errors import UsageError
from mobileone_mm.outputs import is_text

RUN = re.compile(r'[0-9]{8}_[0-9]{6}')  # the folder that mmengine makes for each run, after the time
PACKAGE = '.mlpackage'


def require_work_dir(folder: Path, config: Path, afresh: bool) -> None:
    """Refuse a work dir in which mmengine would write over what is there.

    Args:
        folder: the work dir, which need not exist.
        config: what is trained or tested; its whole text is kept in the work dir under its name.
        afresh: a training begins that does not go on from an earlier one, whose checkpoints it would replace.

    Raises:
        UsageError: it is a file, its name is no UTF-8, it lies in a package, or holds a config of that name that no run
            left, or checkpoints.
    """
    if folder.exists() and not folder.is_dir():
        raise UsageError(f'{folder}: this is a file, expected a folder; choose another `work_dir`')
    if not is_text(folder):
        raise UsageError(f'{folder}: this name is no UTF-8, which mmengine writes it as; choose another `work_dir`')
    place = folder.resolve()
    for outer in (place, *place.parents):
        if outer.suffix == PACKAGE:
            raise UsageError(f'{folder}: lies in the package {outer.name}, which holds nothing else')
    kept = folder / config.name
    own = kept.resolve() == config.resolve()  # the config itself, which is not written over
    if kept.exists() and not own and not any(RUN.fullmatch(entry.name) for entry in folder.iterdir()):
        raise UsageError(f'{kept}: would be written over, and no earlier run left it; choose another `work_dir`')
    checkpoints = sorted(folder.glob('*.pth'))
    if afresh and checkpoints:
        raise UsageError(
            f'{folder}: holds {checkpoints[0].name}, and a new training may replace checkpoints; `resume` goes on from '
            'the last one, another `work_dir` keeps them'
        )
