"""A second reader of a run's training data, which leaves the first one, training itself, undisturbed."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any

import numpy as np
import torch
from mmengine.runner import Runner
from torch.utils.data import DataLoader

from mobileone_mm.openmmlab.randomness import seed_step, seeded_batches


@contextmanager
def first_batches(runner: Runner, count: int) -> Iterator[Iterator[Any]]:
    """The first batches that training sees, from a loader of its own; at most `count`.

    They are augmented as RandomnessHook has training augment them, and for each this process is seeded as for its step.
    The run's own loader cannot be read twice: an InfiniteSampler holds one generator, which is closed with the first
    iterator over it, and loops that count steps have opened their iterator before any hook is called. Only the data set
    is shared, and every random state of this process is put back at the end. All ranks have to read.

    Args:
        runner: with its training loop built.
        count: batches, as the loader's `collate_fn` makes them; fewer where an epoch has fewer.
    """
    with same_dice():
        yield _read(runner, count)


def _read(runner: Runner, count: int) -> Iterator[Any]:
    loader: DataLoader[Any] = runner.train_dataloader
    second = DataLoader(
        loader.dataset,
        batch_sampler=seeded_batches(runner),  # type: ignore[arg-type]  # no lists, but as good to it
        num_workers=loader.num_workers,  # what a data set opened in this process, the workers of training would share
        collate_fn=loader.collate_fn,
        worker_init_fn=loader.worker_init_fn,
        multiprocessing_context=loader.multiprocessing_context,
    )
    for step, batch in enumerate(islice(second, count)):
        seed_step(runner.seed, step)
        yield batch


@contextmanager
def same_dice() -> Iterator[None]:
    """Put the random states of this process back where they were: transforms and samplers throw them."""
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.set_rng_state(states[2])
