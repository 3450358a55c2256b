"""Stops training at a loss that is not a number, before it reaches a checkpoint and without slowing the steps down."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import all_gather_object, all_reduce
from mmengine.hooks import CheckpointHook, Hook
from mmengine.runner import Runner

from mobileone_mm.errors import ConfigError, MobileOneError
from mobileone_mm.hooks.unwrap import unwrapped
from mobileone_mm.openmmlab.class_weight import require_usable_class_weights
from mobileone_mm.openmmlab.loops import require_batches
from mobileone_mm.registry import HOOKS


@dataclass(frozen=True)
class _Iteration:
    """What is kept of an iteration until the next check."""

    number: int  # counted from 1
    losses: Mapping[str, torch.Tensor]  # scalars where the model computed them: reading them here would wait for it
    images: Sequence[str]


@HOOKS.register_module()
class StopOnInvalidLoss(Hook):  # type: ignore[misc]  # mmengine is untyped
    """Ends training once a loss was NaN or infinite, and names the iteration and the images of its batch.

    An iteration neither waits for the device nor talks to other ranks. Its losses stay where they are, and are read
    together every `interval` iterations, before each validation, before CheckpointHook saves, and at the end. The
    trained weights are read as well: a gradient can spoil them while every loss is still finite. So what is saved
    or scored is always sound, and up to `interval` iterations are computed in vain. In distributed training every
    rank stops at the same check.

    Args:
        interval: the most iterations between two checks; the default is that of mmengine's log.

    Raises:
        ConfigError: `interval` is no count.
    """

    priority = 'VERY_HIGH'  # before the hooks that log, average (EMA) and save

    def __init__(self, interval: int = 50) -> None:
        if not isinstance(interval, int) or interval < 1:
            raise ConfigError(f'interval={interval!r} given, expected a number of iterations, at least 1')
        self.interval = interval
        self._kept: list[_Iteration] = []

    def before_train(self, runner: Runner) -> None:
        """Refuse a training that cannot go well: without steps, or with a loss that fails at the first ignored pixel.

        Without steps mmengine's own loops would save the untrained weights.

        Raises:
            DataError: the data set makes no whole batch and `drop_last` drops the rest.
            ConfigError: mmseg's own loss with class weights.
        """
        require_batches(runner.train_dataloader)
        require_usable_class_weights(unwrapped(runner.model))

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Mapping[str, Any] | None = None,
    ) -> None:
        self._kept.append(_Iteration(runner.iter + 1, _losses(outputs or {}), _image_names(data_batch)))
        if len(self._kept) >= self.interval or _saves_now(runner):
            self._check(runner)

    def before_val(self, runner: Runner) -> None:
        self._check(runner)

    def after_train_epoch(self, runner: Runner) -> None:  # loops of iterations end with it as well
        self._check(runner)

    def _check(self, runner: Runner) -> None:
        """Read what was kept since the last check; every rank comes here at the same iterations.

        Raises:
            MobileOneError: a loss or a weight is not finite, on any rank.
        """
        kept, self._kept = self._kept, []
        if not kept:
            return
        faults = _faults(kept, runner.model)
        anywhere = torch.tensor(float(bool(faults)))
        all_reduce(anywhere, op='max')
        if anywhere:
            raise MobileOneError(_message(kept, all_gather_object(faults), runner))


def _losses(outputs: Mapping[str, Any]) -> dict[str, torch.Tensor]:
    """A copy of each loss, since a compiled model may reuse the memory; a loss is what `parse_losses` takes for one."""
    return {name: torch.as_tensor(value).detach().float().mean() for name, value in outputs.items() if 'loss' in name}


def _image_names(data_batch: Any) -> list[str]:
    """Paths of a batch's images, as mmdet, mmseg and mmpretrain all keep them in their data samples."""
    samples = data_batch.get('data_samples') if isinstance(data_batch, Mapping) else None
    return [str(getattr(sample, 'img_path', 'an image without img_path')) for sample in samples or ()] or [
        'unknown images'
    ]


def _saves_now(runner: Runner) -> bool:
    """Whether a checkpoint is saved after this very iteration.

    `before_save_checkpoint` would be too late to find out: it is called on rank 0 alone, and only after the files
    beyond `max_keep_ckpts`, perhaps the last sound one, are deleted.
    """
    return any(
        hook.every_n_train_iters(runner, hook.interval, hook.save_begin) or hook.is_last_train_iter(runner)
        for hook in runner.hooks
        if isinstance(hook, CheckpointHook) and not hook.by_epoch
    )


def _faults(kept: Sequence[_Iteration], model: torch.nn.Module) -> dict[int, str]:
    """'loss_cls = nan on 1.jpg, 2.jpg' by iteration, for this rank.

    Weights that are not finite belong to the last iteration (or, where gradients are accumulated, to the last few): had
    an earlier one spoilt them, the losses after it would tell.
    """
    names = [(iteration.number, name) for iteration in kept for name in iteration.losses]
    losses = [loss for iteration in kept for loss in iteration.losses.values()]
    norms = [weight.detach().norm().float() for weight in model.parameters() if weight.requires_grad]
    values = _read([*losses, *norms])
    found: dict[int, list[str]] = defaultdict(list)
    for (number, name), value in zip(names, values, strict=False):
        if not math.isfinite(value):
            found[number].append(f'{name} = {value}')
    if not all(map(math.isfinite, values[len(losses) :])):
        found[kept[-1].number].append('weights that are not finite')
    return {
        iteration.number: f'{", ".join(found[iteration.number])} on {", ".join(iteration.images)}'
        for iteration in kept
        if iteration.number in found
    }


def _read(scalars: Sequence[torch.Tensor]) -> list[float]:
    """The values of many scalars with one wait for each device."""
    places: dict[torch.device, list[int]] = defaultdict(list)
    for place, scalar in enumerate(scalars):
        places[scalar.device].append(place)
    values = [math.nan] * len(scalars)
    for here in places.values():
        for place, value in zip(here, torch.stack([scalars[place] for place in here]).tolist(), strict=True):
            values[place] = value
    return values


def _message(kept: Sequence[_Iteration], ranks: Sequence[Mapping[int, str]], runner: Runner) -> str:
    failed = sorted({number for faults in ranks for number in faults})
    found = '; '.join(faults[failed[0]] for faults in ranks if failed[0] in faults)
    among = 'the only one' if len(failed) == 1 else f'the first of {len(failed)}'
    span = f' ({among} between {kept[0].number} and {kept[-1].number})' if len(kept) > 1 else ''
    return (
        f'training stopped: iteration {failed[0]}{span} gave {found}. Expected finite losses and weights; nothing was '
        'saved since then. Look at the boxes or masks of these images; if they are sound, lower the learning '
        f'rate (now {_learning_rate(runner):.3g}) or lengthen the warm-up, and {_way_on(runner)}'
    )


def _way_on(runner: Runner) -> str:
    """How to train on: `resume` needs the file in which mmengine notes its last checkpoint."""
    if Path(runner.work_dir, 'last_checkpoint').is_file():
        return 'go on from the last checkpoint with `resume`'
    return 'start again: there is no checkpoint yet'


def _learning_rate(runner: Runner) -> float:
    rates: Any = runner.optim_wrapper.get_lr()
    return float(next(iter(rates.values()))[0])
