"""A second reader of a run's training data, which leaves the first one, training itself, undisturbed."""

import copy
import itertools
import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from mmengine.registry import DATA_SAMPLERS
from mmengine.runner import Runner
from torch.utils.data import DataLoader

DEFAULT_SAMPLER = {'type': 'DefaultSampler', 'shuffle': True}


@contextmanager
def first_batches(runner: Runner, count: int) -> Iterator[Iterator[Any]]:
    """The first batches that training would see, from a loader of its own; at most `count`.

    The run's own loader cannot be read twice: an InfiniteSampler holds one generator, which is closed with the first
    iterator over it, and loops that count steps have opened their iterator before any hook is called. Only the data
    set is shared. Sampler and batch sampler are built anew from what the run was configured with, and every random
    state of this process is put back at the end. All ranks have to read.

    Args:
        runner: with its training loop built.
        count: batches, as the loader's `collate_fn` makes them; fewer where an epoch has fewer.
    """
    loader: DataLoader[Any] = runner.train_dataloader
    with _same_dice():
        yield itertools.islice(_second_loader(loader, runner), count)


def _second_loader(loader: 'DataLoader[Any]', runner: Runner) -> 'DataLoader[Any]':
    given = runner._train_dataloader
    configured: Mapping[str, Any] = given if isinstance(given, Mapping) else {}  # of one that someone built, no more
    seed = None if runner._randomness_cfg.get('diff_rank_seed') else runner.seed
    order = DATA_SAMPLERS.build(
        copy.deepcopy(configured.get('sampler', DEFAULT_SAMPLER)),
        default_args={'dataset': loader.dataset, 'seed': seed},
    )
    size = loader.batch_size or getattr(loader.batch_sampler, 'batch_size', 1)
    batching: dict[str, Any] = {'sampler': order, 'batch_size': size, 'drop_last': loader.drop_last}
    if configured.get('batch_sampler'):
        batches = DATA_SAMPLERS.build(
            copy.deepcopy(configured['batch_sampler']), default_args={'sampler': order, 'batch_size': size}
        )
        batching = {'batch_sampler': batches}
    return DataLoader(
        loader.dataset,
        **batching,
        num_workers=loader.num_workers,  # what a data set opened in this process, the workers of training would share
        collate_fn=loader.collate_fn,
        worker_init_fn=loader.worker_init_fn,
        multiprocessing_context=loader.multiprocessing_context,
    )


@contextmanager
def _same_dice() -> Iterator[None]:
    """Put the random states of this process back where they were: transforms and samplers throw them."""
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.set_rng_state(states[2])
