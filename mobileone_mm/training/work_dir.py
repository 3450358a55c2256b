"""Where a training writes: folders in which nothing of the user's is replaced."""

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.hooks import CheckpointHook
from mmengine.registry import HOOKS

from mobileone_mm.atomic import require_writable
from mobileone_mm.errors import UsageError
from mobileone_mm.hooks.plain_checkpoint import KEPT
from mobileone_mm.hooks.saved import RUN, Saving, entries, is_of, last_checkpoint, lies_in, saving
from mobileone_mm.outputs import TRAINING, TRAINING_PAGE, is_text
from mobileone_mm.rooms import require_way

PACKAGE = '.mlpackage'
WORK_DIR = '`work_dir`'
ENDING = '.pth'  # of checkpoints, and of fused files and all else that is made of them
ANY_NAME = f'{{}}{ENDING}'
NOTE = 'last_checkpoint'  # the file in a work dir in which mmengine's CheckpointHook notes its last one


def require_work_dir(folder: Path, config: Path) -> None:
    """Refuse a work dir in which mmengine would write over a config.

    Args:
        folder: the work dir, which need not exist.
        config: what is trained or tested; its whole text is kept in the work dir under its name.

    Raises:
        UsageError: it is a file, its name is no UTF-8, it lies in a package, or holds a config of that name that no run
            left, that was changed since, or that is a symbolic link.
        MobileOneError: it is not writable.
    """
    _require_folder(folder, WORK_DIR)
    kept = folder / config.name
    if os.path.realpath(kept) == os.path.realpath(config):  # the config itself is not written over
        return
    require_writable(kept)
    if not kept.exists():
        return
    runs = [entry for entry in folder.iterdir() if RUN.fullmatch(entry.name)]
    if not runs:
        raise UsageError(f'{kept}: would be written over, and no earlier run left it; choose another {WORK_DIR}')
    if not _may_be_left_by(runs, kept):
        raise UsageError(
            f'{kept}: would be written over, and no earlier run left it as it is; move it, give it as the config, or '
            f'choose another {WORK_DIR}'
        )


def _may_be_left_by(runs: Iterable[Path], kept: Path) -> bool:
    """Whether a config in the work dir may be as one of the runs left it.

    Of a run whose visualizer keeps nothing in local files, or whose config is no Python, that cannot be told.
    """
    copies = [run / KEPT for run in runs]
    if kept.suffix != '.py' or not all(copy.is_file() for copy in copies):
        return True
    return kept.is_file() and kept.read_bytes() in [copy.read_bytes() for copy in copies]


def require_checkpoints_kept(config: Config) -> list[Path]:
    """Refuse a training that may replace checkpoints, other than those that it goes on from.

    Args:
        config: of the training; `resume` and `load_from` say what it goes on from.

    Returns:
        the folders that it writes to: where its checkpoints go, and its work dir.

    Raises:
        UsageError: one of them is a file, lies in a package or the like, or it holds checkpoints, and the training
            neither goes on from one of these nor is known to have saved them; or checkpoints would get no names of
            files; or something stands in the way of the training's page, or of the note of its last checkpoint.
        MobileOneError: the work dir is not writable.
    """
    work_dir, savings = Path(config.work_dir), _savings(config)
    folders = {**{one.folder: key for key, one in savings}, work_dir: WORK_DIR}
    for folder, key in folders.items():
        _require_folder(folder, key)
    source: str | None = None
    if config.get('resume'):
        source = config.get('load_from') or last_checkpoint(work_dir, [one for _, one in savings])
    if source is None:  # one that goes on writes no checkpoint to a work dir beside the folder that they are saved to
        savings.append((WORK_DIR, Saving(work_dir, ANY_NAME)))
    goes_on = [one.folder for _, one in savings if source is not None and lies_in(source, one.folder)]
    same = bool(goes_on) and source is not None and is_of(source, work_dir)
    for key, one in savings:
        if one.folder in goes_on:
            continue
        held = [path for path in entries(one.folder) if path.name.endswith(ENDING) or one.may_have(path.name)]
        lost = [path.name for path in held if not (same and is_of(path, work_dir))]
        if lost:
            raise UsageError(f'{one.folder}: holds {lost[0]}, and {_reason(config, source, key, same)}')
    require_writable(work_dir / TRAINING_PAGE, TRAINING)
    require_writable(work_dir / NOTE)
    return list(folders)


def _savings(config: Config) -> list[tuple[str, Saving]]:
    """What a training saves checkpoints to, with the key that names each folder."""
    given, work_dir = Path(config.work_dir), Path(os.path.abspath(config.work_dir))
    savings = []
    for place, hook in _checkpoint_hooks(config):
        out, by_epoch = hook.get('out_dir'), hook.get('by_epoch', True)
        template = str(hook.get('filename_tmpl') or ('epoch_{}.pth' if by_epoch else 'iter_{}.pth'))
        _require_template(template, f'`{place}.filename_tmpl`')
        one = saving(work_dir, None if '://' in str(out) else out, template)
        if one.folder == work_dir:
            savings.append((WORK_DIR, Saving(given, template)))
        else:
            savings.append((f'`{place}.out_dir`', one))
    return savings or [(WORK_DIR, Saving(given, ANY_NAME))]


def _require_template(template: str, key: str) -> None:
    """Refuse what makes no name of a file: mmengine would fail at the first checkpoint, or write it elsewhere."""
    try:
        name = template.format(1)
    except (ValueError, LookupError):
        name = ''
    if Path(name).name != name or name in ('', '..'):
        raise UsageError(
            f'{key}: {template!r} given, expected a file name with one {{}} for the epoch or step, such as '
            "'epoch_{}.pth'"
        )


def _checkpoint_hooks(config: Config) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """What is said of each hook that saves checkpoints, with its place in the config; mmengine has one by default."""
    default, custom = config.get('default_hooks'), config.get('custom_hooks')
    named = default if isinstance(default, dict) else {}
    listed = custom if isinstance(custom, list | tuple) else ()
    hooks: dict[str, Any] = {
        'default_hooks.checkpoint': {'type': CheckpointHook},
        **{f'default_hooks.{name}': hook for name, hook in named.items()},
        **{f'custom_hooks.{index}': hook for index, hook in enumerate(listed)},
    }
    for place, hook in hooks.items():
        kind = hook.get('type') if isinstance(hook, dict) else None  # anything else is an error, which mmengine reports
        kind = HOOKS.get(kind) if isinstance(kind, str) else kind
        if isinstance(kind, type) and issubclass(kind, CheckpointHook):
            yield place, hook


def _reason(config: Config, source: str | None, key: str, same: bool) -> str:
    if same:
        return (
            f'a training that goes on from {source} may replace it, and nothing says that this training saved it; move '
            f'it away, or choose another {key}'
        )
    if source is not None:
        return (
            f'a training that goes on from {source} may replace checkpoints; `resume` one of this folder, or choose '
            f'another {key}, which keeps them'
        )
    if config.get('resume'):
        return (
            f'none to go on from, so that a new training may replace checkpoints; name the one to `resume`, or choose '
            f'another {key}, which keeps them'
        )
    return f'a new training may replace checkpoints; `resume` goes on from the last one, another {key} keeps them'


def _require_folder(folder: Path, key: str) -> None:
    require_way(folder / NOTE)
    if folder.exists() and not folder.is_dir():
        raise UsageError(f'{folder}: this is a file, expected a folder; choose another {key}')
    if not is_text(folder):
        raise UsageError(f'{folder}: this name is no UTF-8, which mmengine writes it as; choose another {key}')
    place = Path(os.path.realpath(folder))
    for outer in (place, *place.parents):
        if outer.suffix == PACKAGE:
            raise UsageError(f'{folder}: lies in the package {outer.name}, which holds nothing else')
