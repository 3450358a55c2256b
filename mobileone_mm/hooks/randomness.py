"""A hook by which a resumed training draws what the uninterrupted one would have drawn."""

from collections.abc import Mapping
from itertools import chain, repeat
from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import IterBasedTrainLoop, Runner
from torch.utils.data import DataLoader

from mobileone_mm.openmmlab.randomness import SeededBatches, seed_step, seeded_batches
from mobileone_mm.registry import HOOKS


@HOOKS.register_module()
class RandomnessHook(Hook):  # type: ignore[misc]  # mmengine is untyped
    """Seeds each sample by (seed, epoch, index) and each step by (seed, iteration).

    The seed is `randomness.seed`, or the one that mmengine draws without it; a resumed run has that of its checkpoint.
    So what is random depends neither on the number of workers nor on what was drawn before, and on one CPU a resumed
    run ends with the very weights of the uninterrupted one. A loop of iterations goes on with the batch after the last,
    without loading those before. A data loader that someone built, instead of configuring it, stays as it is.
    """

    priority = 'VERY_HIGH'  # before hooks that draw in a step

    def __init__(self) -> None:
        self._batches: SeededBatches | None = None

    def before_train(self, runner: Runner) -> None:  # after the checkpoint to resume from was loaded
        loop, loader = runner.train_loop, runner.train_dataloader
        configured = isinstance(runner._train_dataloader, Mapping) and isinstance(loader, DataLoader)
        if not configured or loader.batch_sampler is None:
            return
        endless = isinstance(loop, IterBasedTrainLoop)
        self._batches = seeded_batches(runner, loop.iter if endless else None)
        # torch forbids to assign it, since a loader could be left with parts that do not go together; these do.
        object.__setattr__(loader, 'batch_sampler', self._batches)
        if endless:  # its iterator was opened with the loop
            loop.dataloader_iterator = loader._iterator = None
            # mmengine skips as many batches as were trained with, and would load them all.
            loop.dataloader_iterator = chain(repeat(None, loop.iter), iter(loader))

    def before_train_epoch(self, runner: Runner) -> None:
        if self._batches is not None:
            self._batches.epoch = runner.epoch

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        seed_step(runner.seed, runner.iter)
