"""Stops training at the first loss that is not a number, before it reaches a checkpoint."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import all_gather_object, all_reduce
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mobileone_mm.errors import DataError, MobileOneError
from mobileone_mm.registry import HOOKS


@HOOKS.register_module()
class StopOnInvalidLoss(Hook):  # type: ignore[misc]  # mmengine is untyped
    """Ends training at the very iteration whose loss is NaN or infinite, and names the images of that batch.

    Runs before the hooks that log, average (EMA) and save. In distributed training every rank stops at the same
    iteration, so that rank 0 does not go on to save weights that another rank's gradients have spoilt.
    """

    priority = 'VERY_HIGH'

    def before_train(self, runner: Runner) -> None:
        """Refuse a training without steps: mmengine would run its epochs and save the untrained weights.

        Raises:
            DataError: the data set makes no whole batch and `drop_last` drops the rest.
        """
        loader = runner.train_dataloader
        if len(loader) == 0:
            raise DataError(
                f'{len(loader.dataset)} images make no batch of {loader.batch_size}; '
                'lower train_dataloader.batch_size in the config'
            )

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Mapping[str, Any] | None = None,
    ) -> None:
        """Check every value the model returned for the log.

        Raises:
            MobileOneError: one of them is not finite.
        """
        faults = _faults(outputs or {})
        anywhere = torch.tensor(float(bool(faults)))
        all_reduce(anywhere, op='max')
        if not anywhere:
            return
        reports = all_gather_object(f'{", ".join(faults)} on {", ".join(_image_names(data_batch))}' if faults else '')
        found = '; '.join(report for report in reports if report)
        raise MobileOneError(
            f'training stopped at iteration {runner.iter + 1}: {found}. Expected finite losses; the weights are spoilt '
            'and were not saved. Look at the boxes or masks of these images; if they are sound, lower the learning '
            f'rate (now {_learning_rate(runner):.3g}) or lengthen the warm-up, and {_way_on(runner)}'
        )


def _faults(outputs: Mapping[str, Any]) -> list[str]:
    """'loss_cls = nan' for each loss that is not finite; a loss is what mmengine's `parse_losses` takes for one."""
    losses = {name: torch.as_tensor(value).float().mean().item() for name, value in outputs.items() if 'loss' in name}
    return [f'{name} = {value}' for name, value in losses.items() if not math.isfinite(value)]


def _image_names(data_batch: Any) -> list[str]:
    """Paths of a batch's images, as mmdet, mmseg and mmpretrain all keep them in their data samples."""
    samples = data_batch.get('data_samples') if isinstance(data_batch, Mapping) else None
    return [str(getattr(sample, 'img_path', 'an image without img_path')) for sample in samples or ()] or [
        'unknown images'
    ]


def _way_on(runner: Runner) -> str:
    """How to train on: --resume needs the file in which mmengine notes its last checkpoint."""
    if Path(runner.work_dir, 'last_checkpoint').is_file():
        return 'go on from the last checkpoint with --resume'
    return 'start again: there is no checkpoint yet'


def _learning_rate(runner: Runner) -> float:
    rates: Any = runner.optim_wrapper.get_lr()
    return float(next(iter(rates.values()))[0])
