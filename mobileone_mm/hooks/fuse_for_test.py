"""Hooks that put the fused form of a model where it belongs: into validation and test, and beside the checkpoints."""

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.model import BaseTTAModel
from mmengine.runner import BaseLoop, Runner
from torch import nn

from mobileone_mm import reparam
from mobileone_mm.errors import CheckpointError, UsageError
from mobileone_mm.hooks.unwrap import unwrapped
from mobileone_mm.openmmlab.fused_file import fuse_checked, write_fused
from mobileone_mm.outputs import FUSED_CONFIG
from mobileone_mm.registry import HOOKS
from mobileone_mm.weights.checkpoint import BLOCK, form_of, load_weights, read_checkpoint

SUFFIX = '_fused'  # NAME.pth has its fused form in NAME_fused.pth


@HOOKS.register_module()
class FuseForTestHook(Hook):  # type: ignore[misc]  # mmengine is untyped
    """Runs validation and test on a fused copy of the model; training goes on with the untouched trained form.

    Hooks run in one order before and after an epoch. After EMAHook (NORMAL) the copy is made of the averaged weights,
    and before CheckpointHook (VERY_LOW) the trained form is back, so no checkpoint holds a fused model by accident.

    A fused file given to `mim test` with the training config is loaded into a model fused for it, where mmengine would
    leave out in silence what does not fit.
    """

    priority = 'LOW'

    def __init__(self) -> None:
        self._trained: nn.Module | None = None
        self._checked = False

    def before_val_epoch(self, runner: Runner) -> None:
        self._fuse(runner)

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        self._restore(runner)

    def before_test_epoch(self, runner: Runner) -> None:
        self._fuse(runner)

    def after_test_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        self._restore(runner)

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Fuse the runner's model before a fused file is loaded into it.

        Raises:
            CheckpointError: a fused file is to be trained, or a trained one loaded into a fused model.
        """
        model = unwrapped(runner.model)
        fused_file = form_of(checkpoint.get('state_dict', checkpoint)) == 'fused'
        fused_model = reparam.is_fused(model)
        if fused_file and isinstance(runner._train_loop, BaseLoop):
            raise CheckpointError(
                'load_from or --resume names a fused file, which cannot be trained; expected the trained checkpoint '
                "it was fused from. For its backbone alone: init_cfg=dict(type='Pretrained', checkpoint=FUSED.pth)"
            )
        if fused_model and not fused_file:
            raise CheckpointError(
                'a trained file given, but this config describes the fused form; use the config it was trained with'
            )
        if fused_file and not fused_model:
            reparam.fuse(model, inplace=True)
            runner.logger.info('a fused file: the model was fused before loading it')

    def _fuse(self, runner: Runner) -> None:
        model = unwrapped(runner.model)
        if reparam.is_fused(model):
            return
        fused = reparam.fuse(model)
        if not self._checked:
            self._checked = True
            core = model.module if isinstance(model, BaseTTAModel) else model
            # On the CPU: a GPU's TF32 convolutions differ from each other by more than fusing does.
            _, parity = fuse_checked(on_cpu(core), runner.cfg)
            runner.logger.info(f'evaluating the fused model; fused against trained: {parity}')
        self._trained, runner.model = runner.model, fused

    def _restore(self, runner: Runner) -> None:
        if self._trained is not None:
            runner.model, self._trained = self._trained, None


@HOOKS.register_module()
class SaveFusedHook(Hook):  # type: ignore[misc]
    """At the end of training writes `NAME_fused.pth` beside the last and the best checkpoints, and its config `.py`.

    `mim test mmdet NAME_fused.py --checkpoint NAME_fused.pth` tests it. An interrupted run has none: tools/fuse.py
    makes the same files from any checkpoint. Where a resumed run deletes a checkpoint of the run before (a better one
    was found), its fused files go with it; those whose checkpoint was gone already are the user's, and stay.
    """

    priority = 'LOWEST'  # after CheckpointHook

    def __init__(self) -> None:
        self._pairs: list[tuple[Path, Path]] = []

    def before_train(self, runner: Runner) -> None:
        folders = {Path(runner.work_dir), *(path.parent for path in _checkpoints(runner))}
        fused = [path for folder in folders for path in folder.glob(f'*{SUFFIX}.pth')]
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
            if not path.is_file():  # removed since, or in a remote store
                continue
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


def _checkpoints(runner: Runner) -> list[Path]:
    """The last and the best checkpoints that the run knows of."""
    info = runner.message_hub.runtime_info
    names = [str(info[key]) for key in info if key == 'last_ckpt' or key.startswith('best_ckpt')]
    return [Path(name) for name in dict.fromkeys(names)]


def _is_ours(path: Path) -> bool:
    """Whether `write_fused` wrote the file."""
    try:
        block = read_checkpoint(path).meta.get(BLOCK)
    except CheckpointError:
        return False
    return isinstance(block, Mapping) and block.get('kind') == 'fused'


def on_cpu(model: nn.Module) -> nn.Module:
    """A copy of `model` on the CPU."""
    return copy.deepcopy(model).cpu()
