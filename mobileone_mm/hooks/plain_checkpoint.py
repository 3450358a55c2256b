"""A hook that keeps what mmengine adds to a checkpoint plain enough to be loaded again, and its paths in one folder."""

import os
from pathlib import Path
from typing import Any

from mmengine.hooks import CheckpointHook, Hook
from mmengine.runner import Runner, find_latest_checkpoint

from mobileone_mm.registry import HOOKS
from mobileone_mm.weights.intact import require_intact
from mobileone_mm.weights.plain import plain


@HOOKS.register_module()
class PlainCheckpointHook(Hook):  # type: ignore[misc]  # mmengine is untyped
    """Makes checkpoints that load with `weights_only=True`: in `mim test`, with `--resume`, in our tools, everywhere.

    mmengine 0.10.7 stores the histories of its logger as objects, which torch 2.6 and later refuse to load. Kept are
    the plain values (best score, last checkpoint, ...); the curves stay in the log files.

    A damaged checkpoint is refused before it is loaded. mmengine remembers its checkpoints by absolute paths: in a copy
    of a work folder, a resumed run would read those of the original, and delete the original's best one as soon as it
    had a better one. So it takes those of the same names in its own folder instead.
    """

    def before_run(self, runner: Runner) -> None:
        """Look at the file that is about to be loaded.

        Raises:
            CheckpointError: it is damaged.
        """
        if runner._resume and not runner._load_from:
            runner._load_from = _last(runner)
        path = Path(runner._load_from or '')
        if path.is_file():
            require_intact(path)

    def before_train(self, runner: Runner) -> None:  # before CheckpointHook's, which reads what is written here
        info = runner.message_hub.runtime_info
        for key in [key for key in info if key == 'last_ckpt' or key.startswith('best_ckpt')]:
            path, folders = str(info[key] or ''), _folders(runner)
            if path and '://' not in path and not any(_lies_in(path, folder) for folder in folders):
                runner.message_hub.update_info(key, str(folders[0] / Path(path).name))

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        info = plain(checkpoint['message_hub']['runtime_info'])
        # Marked to be stored again by a resumed run, or the best score would be forgotten at the second --resume.
        checkpoint['message_hub'] = {'log_scalars': {}, 'runtime_info': info, 'resumed_keys': dict.fromkeys(info, True)}
        checkpoint['meta'] = plain(checkpoint['meta'])


def _last(runner: Runner) -> str | None:
    """The checkpoint to go on from: the one that is noted, or its namesake in the run's own folder, if there is one."""
    named = find_latest_checkpoint(runner.work_dir)
    here = [folder / Path(named).name for folder in _folders(runner)] if named else []
    return next((str(path) for path in here if path.is_file()), named)


def _folders(runner: Runner) -> list[Path]:
    """The folders that the run is going to save to, as CheckpointHook works them out in its own `before_train`."""
    work_dir = Path(runner.work_dir)
    outs = [Path(hook.out_dir) for hook in runner.hooks if isinstance(hook, CheckpointHook) and hook.out_dir]
    return [out / work_dir.name for out in outs if out != work_dir] or [work_dir]


def _lies_in(path: str, folder: Path) -> bool:
    return os.path.realpath(Path(path).parent) == os.path.realpath(folder)
