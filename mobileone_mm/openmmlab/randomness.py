"""What is random in a training follows from its seed and the sample or the step it is drawn for, from nothing else.

So a resumed training draws what the uninterrupted one would have drawn, with any number of workers: neither depends on
what a process has drawn before.
"""

import copy
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count, islice
from typing import Any

import numpy as np
import torch
from mmengine.dataset import DefaultSampler, InfiniteSampler
from mmengine.dist import get_dist_info, get_rank
from mmengine.registry import DATA_SAMPLERS
from mmengine.runner import Runner
from torch.utils.data import BatchSampler, DataLoader

SAMPLE, STEP = range(2)  # what is drawn for
DEFAULT_SAMPLER = {'type': 'DefaultSampler', 'shuffle': True}


def seed_step(seed: int, step: int) -> None:
    """Seed what a process draws for a training step: dropout, Mixup and CutMix; on its GPUs too."""
    drawn = _seed_process(seed, STEP, step)
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        torch.cuda.manual_seed_all(drawn)


def _seed_process(seed: int, *place: int) -> int:
    """Seed `random`, numpy and torch of this process; returns torch's seed.

    Of torch's generators only the CPU's: `torch.manual_seed` would be heard on every GPU, at ten times the cost.
    """
    words = np.random.SeedSequence(seed, spawn_key=place).generate_state(3, np.uint64).tolist()
    random.seed(words[0])
    np.random.seed(words[1] >> 32)  # it takes 32 bits
    torch.default_generator.manual_seed(words[2])
    return int(words[2])


@dataclass(frozen=True)
class Batch:
    """The indices of a batch's samples; to read one of them seeds the process that reads it.

    torch's loader reads an index, has the data set load that sample, and reads the next one. It does so in a worker or,
    without workers, in the main process; and as the seeds come with the indices, workers need not know the epoch.

    Attributes:
        seed: of the training.
        indices: of the samples.
        places: what each sample is seeded by beside the seed: its epoch, and its number in it.
    """

    seed: int
    indices: Sequence[Any]
    places: Sequence[tuple[int, int]]

    def __len__(self) -> int:
        return len(self.indices)

    def __iter__(self) -> Iterator[Any]:
        for index, place in zip(self.indices, self.places, strict=True):
            _seed_process(self.seed, SAMPLE, *place)
            yield index


class SeededBatches:
    """The batches of another batch sampler, as `Batch`.

    A sample's number is its index. Under samplers other than mmengine's two, which may take a picture twice in an epoch
    and should not get the same crop of it twice, it is the sample's position among those of all ranks.

    Args:
        batches: a batch sampler like torch's, whose `sampler` may have a `set_epoch`.
        seed: of the training, the same on all ranks.
        start: None, and each iteration is one epoch, that of the attribute `epoch`. A number, and it is all epochs, one
            after the other without end, as loops of iterations need it, after this many batches.

    Attributes:
        epoch: from 0; to be set before each iteration.
    """

    def __init__(self, batches: Any, seed: int, start: int | None = None) -> None:
        self.epoch = 0
        self.sampler, self.batch_size = batches.sampler, getattr(batches, 'batch_size', 1)  # as torch's have it
        self._batches, self._seed, self._start = batches, seed, start

    def __len__(self) -> int:
        return len(self._batches)  # of an epoch

    def __iter__(self) -> Iterator[Batch]:
        if self._start is None:
            return self._in(self.epoch)
        return islice((batch for epoch in count() for batch in self._in(epoch)), self._start, None)

    def _in(self, epoch: int) -> Iterator[Batch]:
        if hasattr(self.sampler, 'set_epoch'):
            self.sampler.set_epoch(epoch)
        position, ranks = get_dist_info()
        for indices in self._batches:
            positions = range(position, position + ranks * len(indices), ranks)
            position += ranks * len(indices)
            yield Batch(self._seed, list(indices), list(self._places(epoch, indices, positions)))

    def _places(self, epoch: int, indices: Sequence[Any], positions: range) -> Iterator[tuple[int, int]]:
        if isinstance(self.sampler, InfiniteSampler):  # goes round and round, and leaves it to others to count
            rounds = (epoch + position // self.sampler.size for position in positions)
            return zip(rounds, map(int, indices), strict=True)
        if isinstance(self.sampler, DefaultSampler):
            return ((epoch, int(index)) for index in indices)
        return ((epoch, position) for position in positions)


def seeded_batches(runner: Runner, start: int | None = None) -> SeededBatches:
    """Batches as the runner's training loader was configured to draw them, from samplers of their own.

    Samplers are built anew, with the runner's seed of now: a resumed run learns its seed only from the checkpoint, and
    an InfiniteSampler cannot be read twice.

    Args:
        runner: with its training loop built.
        start: see SeededBatches.
    """
    loader: DataLoader[Any] = runner.train_dataloader
    given = runner._train_dataloader
    configured: Mapping[str, Any] = given if isinstance(given, Mapping) else {}  # of one that someone built, no more
    seed = _common_seed(runner)
    order = DATA_SAMPLERS.build(
        copy.deepcopy(configured.get('sampler', DEFAULT_SAMPLER)),
        default_args={'dataset': loader.dataset, 'seed': seed},
    )
    size: Any = loader.batch_size or getattr(loader.batch_sampler, 'batch_size', 1)
    batches: Any = BatchSampler(order, size, loader.drop_last)
    if configured.get('batch_sampler'):
        batches = DATA_SAMPLERS.build(
            copy.deepcopy(configured['batch_sampler']), default_args={'sampler': order, 'batch_size': size}
        )
    return SeededBatches(batches, seed, start)


def _common_seed(runner: Runner) -> int:
    """The seed of all ranks, where `randomness.diff_rank_seed` gives each one of its own."""
    return int(runner.seed) - (get_rank() if runner._randomness_cfg.get('diff_rank_seed') else 0)
