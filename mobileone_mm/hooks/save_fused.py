"""A hook that leaves the fused form of a model beside its checkpoints."""

import os
from collections.abc import Mapping
from pathlib import Path

from mmengine.dist import is_main_process
from mmengine.hooks import CheckpointHook, Hook
from mmengine.runner import Runner

from mobileone_mm.errors import CheckpointError, UsageError
from mobileone_mm.hooks.unwrap import on_cpu, unwrapped
from mobileone_mm.openmmlab.fused_file import write_fused
from mobileone_mm.outputs import FUSED_CONFIG
from mobileone_mm.registry import HOOKS
from mobileone_mm.weights.checkpoint import BLOCK, load_weights, read_checkpoint

SUFFIX = '_fused'  # NAME.pth has its fused form in NAME_fused.pth


@HOOKS.register_module()
class SaveFusedHook(Hook):  # type: ignore[misc]  # mmengine is untyped
    """At the end of training writes `NAME_fused.pth` beside the last and the best checkpoints, and its config `.py`.

    `mim test mmdet NAME_fused.py --checkpoint NAME_fused.pth` tests it. An interrupted run has none: `mobileone fuse`
    makes the same files from any checkpoint. Where a resumed run deletes a checkpoint of the run before (a better one
    was found), its fused files go with it; those whose checkpoint was gone already are the user's, and stay. So is
    whatever lies outside the folders that the run itself saves to: a run resumed in a copy of a work folder still knows
    the checkpoints of the original by their paths.
    """

    priority = 'LOWEST'  # after CheckpointHook

    def __init__(self) -> None:
        self._pairs: list[tuple[Path, Path]] = []

    def before_train(self, runner: Runner) -> None:
        fused = [path for folder in _folders(runner) for path in folder.glob(f'*{SUFFIX}.pth')]
        pairs = [(path.with_name(f'{path.stem.removesuffix(SUFFIX)}.pth'), path) for path in fused]
        self._pairs = [(source, path) for source, path in pairs if source.is_file()]

    def after_train(self, runner: Runner) -> None:
        if not is_main_process():
            return
        for source, path in self._pairs:
            if not source.is_file() and _is_ours(path):
                path.unlink()
                config = path.with_suffix('.py')
                if config.is_file() and FUSED_CONFIG.ours(config):
                    config.unlink()
                runner.logger.info(f'{path}: removed with {source.name}, which this run deleted')
        for path in _checkpoints(runner):
            out = path.with_name(f'{path.stem}{SUFFIX}.pth')
            model = on_cpu(unwrapped(runner.model))
            try:
                written = write_fused(model, load_weights(model, path), runner.cfg, out)
            except UsageError as error:  # at the end of a long training
                runner.logger.warning(f'the fused form of {path.name} was not written: {error}')
                continue
            runner.logger.info(f'{out}: the fused form of {path.name}; against it: {written.parity}')
            if written.fault:
                runner.logger.warning(f'{out}: written without a config of its own: {written.fault}')


def _folders(runner: Runner) -> list[Path]:
    """The folders that the run saves to, each once."""
    outs = [hook.out_dir for hook in runner.hooks if isinstance(hook, CheckpointHook) and hook.out_dir]
    folders = {os.path.realpath(folder): Path(folder) for folder in (runner.work_dir, *outs)}
    return list(folders.values())


def _checkpoints(runner: Runner) -> list[Path]:
    """The last and the best checkpoints that the run knows of, as far as they lie in its folders.

    Of one that the original of a copied work folder saved, the copy.
    """
    info = runner.message_hub.runtime_info
    paths = [str(info[key]) for key in info if key == 'last_ckpt' or key.startswith('best_ckpt')]
    names = dict.fromkeys(Path(path).name for path in paths)
    found = [folder / name for name in names for folder in _folders(runner)]
    return [path for path in found if path.is_file()]  # some are removed since, or in a remote store


def _is_ours(path: Path) -> bool:
    """Whether `write_fused` wrote the file."""
    try:
        block = read_checkpoint(path).meta.get(BLOCK)
    except CheckpointError:
        return False
    return isinstance(block, Mapping) and block.get('kind') == 'fused'
