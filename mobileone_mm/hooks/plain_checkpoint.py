"""A hook that keeps checkpoints plain enough to be loaded again, whole, and their paths in one folder."""

import operator
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import is_main_process
from mmengine.hooks import CheckpointHook, Hook
from mmengine.logging import HistoryBuffer
from mmengine.runner import Runner

from mobileone_mm.atomic import require_writable
from mobileone_mm.hooks import whole_files
from mobileone_mm.hooks.saved import RUN_KEY, Saving, entries, last_checkpoint, lies_in, saving
from mobileone_mm.openmmlab.config_text import BRACES
from mobileone_mm.openmmlab.plain_config import PlainConfig, plain_config
from mobileone_mm.registry import HOOKS
from mobileone_mm.weights.intact import require_intact
from mobileone_mm.weights.plain import plain

KEPT = 'vis_data/config.py'  # in the folder of a run, the text of the config that mmengine also keeps in the work dir
CURVES = 'curves'  # in a checkpoint's message_hub
AT_LEAST = {'greater': operator.ge, 'less': operator.le}  # instead of mmengine's > and <
LONGEST = 1000  # values of a curve; a line of the log is the mean of the last `log_processor.window_size`, 50 or so


@HOOKS.register_module()
class PlainCheckpointHook(Hook):  # type: ignore[misc]  # mmengine is untyped
    """Makes checkpoints that load with `weights_only=True`: in `mim test`, with `--resume`, in our tools, everywhere.

    mmengine 0.10.7 stores the histories of its logger as objects, which torch 2.6 and later refuse to load. Kept are
    the plain values (best score, last checkpoint, ...) and, as tensors, the end of each curve, from which a resumed run
    goes on averaging; whole curves are in the log files.

    Checkpoints in local files are written whole, and outdated ones removed after that (`WholeFiles`); a damaged one is
    refused before it is loaded. mmengine remembers its checkpoints by absolute paths: in a copy
    of a work folder, a resumed run would read those of the original, and delete the original's best one as soon as it
    had a better one. So it takes those of the same names in its own folder instead. Each checkpoint names the run that
    saved it, by its folder in the work dir.

    Of checkpoints with the same score, which are common where there are few validation pictures, the last is the best:
    it was trained longer, and at a lower learning rate. mmengine would keep the first.

    The config, in checkpoints and in the work folder, has no double braces, in which a class of a data set could have
    mmengine read something else (`openmmlab.config_text`).
    """

    def before_run(self, runner: Runner) -> None:
        """Look at the file that is about to be loaded, and set how the others are written, and the best is chosen.

        Raises:
            CheckpointError: it is damaged.
        """
        _keep_plainly(runner)
        for hook in _hooks(runner):
            place = str(hook.out_dir or runner.work_dir)
            _prefer_later(hook)
            if hook.backend_args is None and hook.file_client_args is None and '://' not in place:
                hook.backend_args = whole_files.backend_args()
        for folder in _folders(runner) if is_main_process() else ():
            whole_files.clear(folder)
        if runner._resume and not runner._load_from:
            runner._load_from = last_checkpoint(Path(runner.work_dir), _savings(runner))
        path = Path(runner._load_from or '')
        if path.is_file():
            require_intact(path)

    def before_train(self, runner: Runner) -> None:  # before CheckpointHook's, which reads what is written here
        """Take the checkpoints that are remembered from the run's own folders.

        Raises:
            UsageError: what stands in the way of a checkpoint that is still to be written cannot be replaced.
        """
        if is_main_process():
            _require_writable(runner)
        info = runner.message_hub.runtime_info
        for key in [key for key in info if key == 'last_ckpt' or key.startswith('best_ckpt')]:
            path, folders = str(info[key] or ''), _folders(runner)
            if path and '://' not in path and not any(lies_in(path, folder) for folder in folders):
                runner.message_hub.update_info(key, str(folders[0] / Path(path).name))

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        info = plain(checkpoint['message_hub']['runtime_info'])
        curves = {name: _end(curve) for name, curve in checkpoint['message_hub']['log_scalars'].items()}
        checkpoint['message_hub'] = {
            'log_scalars': {},  # mmengine warns of whatever is no object of its own
            'runtime_info': info,
            # Marked to be stored again by a resumed run, or the best score would be forgotten at the second --resume.
            'resumed_keys': dict.fromkeys(info, True),
            CURVES: curves,
        }
        checkpoint['meta'] = {**plain(checkpoint['meta']), RUN_KEY: runner.timestamp}

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Take the curves in, and out what mmengine would run on resuming: `meta['config']`, of older versions."""
        checkpoint.get('meta', {}).pop('config', None)
        hub = checkpoint.get('message_hub') if runner._resume else None
        if isinstance(hub, dict) and isinstance(hub.get(CURVES), dict):
            ends = {name: [part.cpu().numpy() for part in end] for name, end in hub[CURVES].items()}
            hub['log_scalars'] = {name: HistoryBuffer(*end) for name, end in ends.items()}
            hub['resumed_keys'].update(dict.fromkeys(ends, True))


def _prefer_later(hook: CheckpointHook) -> None:
    if hook.save_best and hook.rule_map is CheckpointHook.rule_map:  # a kind of its own may have rules of its own
        hook.rule_map = AT_LEAST  # for 'auto', whose rule is chosen at the first validation
        rules = zip(hook.key_indicators or (), hook.rules, strict=False)
        hook.is_better_than.update({key: AT_LEAST[rule] for key, rule in rules if rule})


def _keep_plainly(runner: Runner) -> None:
    """Write what mmengine has kept of the config again where it has double braces; our own tools' has none."""
    if isinstance(runner.cfg, PlainConfig):
        return
    runner.cfg = plain_config(runner.cfg)
    name = Path(runner.cfg.filename).name if runner.cfg.filename else f'{runner.timestamp}.py'
    for path in (Path(runner.work_dir, name), Path(runner.log_dir, KEPT)) if is_main_process() else ():
        if path.is_file() and BRACES in path.read_text('utf-8'):
            runner.cfg.dump(path)


def _end(curve: HistoryBuffer) -> list[torch.Tensor]:
    """The last values of a curve, and how many each is the sum of."""
    return [torch.tensor(part[-LONGEST:], dtype=torch.float64) for part in curve.data]


def _hooks(runner: Runner) -> list[CheckpointHook]:
    return [hook for hook in runner.hooks if isinstance(hook, CheckpointHook)]


def _savings(runner: Runner) -> list[Saving]:
    return [saving(Path(runner.work_dir), hook.out_dir, hook.filename_tmpl) for hook in _hooks(runner)]


def _folders(runner: Runner) -> list[Path]:
    return list(dict.fromkeys(one.folder for one in _savings(runner))) or [Path(runner.work_dir)]


def _require_writable(runner: Runner) -> None:
    """Refuse what stands where a checkpoint of this run is to be written, and cannot be replaced."""
    for hook, one in zip(_hooks(runner), _savings(runner), strict=True):
        done, end = (runner.epoch, runner.max_epochs) if hook.by_epoch else (runner.iter, runner.max_iters)
        for path in entries(one.folder):
            if one.may_write(path.name, range(done + 1, end + 1)):
                require_writable(path)
