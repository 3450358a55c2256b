"""A hook that puts the fused form of a model into validation and test."""

from pathlib import Path
from typing import Any

from mmengine.hooks import Hook
from mmengine.model import BaseTTAModel
from mmengine.runner import BaseLoop, Runner
from torch import nn

from mobileone_mm import reparam
from mobileone_mm.errors import CheckpointError
from mobileone_mm.hooks.unwrap import on_cpu, unwrapped
from mobileone_mm.openmmlab.fused_file import WRONG_FUSE_LIMIT, require_one_writing
from mobileone_mm.openmmlab.inputs import example_images
from mobileone_mm.registry import HOOKS
from mobileone_mm.weights.checkpoint import form_of


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
            CheckpointError: a fused file is to be trained, or a trained one loaded into a fused model, or a fused file
                and its config were not written together.
        """
        model = unwrapped(runner.model)
        fused_file = form_of(checkpoint.get('state_dict', checkpoint)) == 'fused'
        fused_model = reparam.is_fused(model)
        if fused_file and runner._load_from:
            require_one_writing(runner.cfg, Path(runner._load_from))
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
            _, parity = reparam.fuse_checked(on_cpu(core), example_images(runner.cfg), WRONG_FUSE_LIMIT)
            runner.logger.info(f'evaluating the fused model; fused against trained: {parity}')
        self._trained, runner.model = runner.model, fused

    def _restore(self, runner: Runner) -> None:
        if self._trained is not None:
            runner.model, self._trained = self._trained, None
