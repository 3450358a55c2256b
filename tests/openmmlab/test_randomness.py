"""What samples and steps draw: the same with any number of workers, wherever one begins, and never the same twice."""

import random
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.dataset import DefaultSampler, InfiniteSampler
from torch.utils.data import BatchSampler, DataLoader

from mobileone_mm.openmmlab import randomness
from mobileone_mm.openmmlab.randomness import Batch, SeededBatches, seed_step

SIZE = 10  # samples
EACH = 4  # a batch
SEED = 7
pytestmark = pytest.mark.filterwarnings('ignore:This DataLoader will create 2 worker:UserWarning')  # on one core

Drawn = tuple[Any, ...]


def draw() -> Drawn:
    """A number from each generator that transforms use."""
    return random.random(), float(np.random.random()), float(torch.rand(()))


class Draws:
    """A data set of what is drawn for its samples: for some more than once, as transforms do."""

    def __len__(self) -> int:
        return SIZE

    def __getitem__(self, index: int) -> Drawn:
        return (index, *[draw() for _ in range(1 + index % 3)])


class Thrice:
    """A sampler that takes each sample three times in a row, like mmpretrain's RepeatAugSampler."""

    def __len__(self) -> int:
        return 3 * SIZE

    def __iter__(self) -> Iterator[int]:
        return (index for index in range(SIZE) for _ in range(3))


def as_list(batch: list[Drawn]) -> list[Drawn]:
    return batch


def batches(sampler: Any, **options: Any) -> SeededBatches:
    return SeededBatches(BatchSampler(sampler, EACH, drop_last=False), SEED, **options)


def epochs_of(workers: int, count: int = 3) -> list[list[list[Drawn]]]:
    """What a loader with a DefaultSampler gives in so many epochs, by workers that stay."""
    seeded = batches(DefaultSampler(range(SIZE), seed=0))
    loader = DataLoader(
        Draws(),  # type: ignore[arg-type]
        batch_sampler=seeded,
        num_workers=workers,
        persistent_workers=workers > 0,
        collate_fn=as_list,
    )
    found = []
    for epoch in range(count):
        seeded.epoch = epoch
        draw()  # whatever else the main process draws
        found.append(list(loader))
    return found


def flat(nested: Any) -> list[Drawn]:
    return [sample for batch in nested for sample in batch]


def test_samples_are_the_same_with_any_number_of_workers() -> None:
    expected = epochs_of(0)
    assert [sorted(sample[0] for sample in flat(epoch)) for epoch in expected] == [list(range(SIZE))] * 3
    for workers in (1, 2):
        assert epochs_of(workers) == expected


def test_no_two_samples_and_no_two_epochs_draw_the_same() -> None:
    drawn = [numbers for epoch in epochs_of(0) for sample in flat(epoch) for numbers in sample[1:]]
    for position in range(3):  # random, numpy, torch
        assert max(Counter(numbers[position] for numbers in drawn).values()) == 1


def test_draws_of_neighbours_are_not_correlated() -> None:
    """Of 2,000 samples in 2 epochs: a correlation of chance has a standard deviation of 1 / sqrt(2000)."""
    places = [[(epoch, index) for index in range(2000)] for epoch in range(2)]
    table = np.array([[draw() for _ in Batch(SEED, range(2000), row)] for row in places])  # epoch, sample, generator
    assert np.abs(table.mean(axis=1) - 0.5).max() < 5 * np.sqrt(1 / 12 / 2000)
    columns = [*table[0].T, *table[1].T, *np.roll(table[0], 1, axis=0).T]
    correlation = np.corrcoef(columns) - np.eye(len(columns))
    assert np.abs(correlation).max() < 5 / np.sqrt(2000)


@pytest.mark.parametrize('kind', [InfiniteSampler, DefaultSampler])
def test_endless_batches_begin_anywhere(kind: Any) -> None:
    def first(count: int, start: int = 0) -> list[list[tuple[int, tuple[int, int]]]]:
        seeded = iter(batches(kind(range(SIZE), seed=0), start=start))
        return [
            list(zip(batch.indices, batch.places, strict=True)) for batch, _ in zip(seeded, range(count), strict=False)
        ]

    expected = first(12)
    for start in (1, 3, 7):
        assert first(12 - start, start) == expected[start:]
    # Each sample once an epoch, and its place says which.
    taken = flat(expected)[: 3 * SIZE]
    assert [epoch for _, (epoch, _) in taken] == [0] * SIZE + [1] * SIZE + [2] * SIZE
    assert all(index == number for index, (_, number) in taken)
    assert sorted(taken) == sorted((index, (epoch, index)) for epoch in range(3) for index in range(SIZE))


@pytest.mark.parametrize('ranks', [1, 2])
def test_a_sample_taken_again_in_an_epoch_draws_anew(ranks: int, monkeypatch: pytest.MonkeyPatch) -> None:
    places = []
    for rank in range(ranks):
        monkeypatch.setattr(randomness, 'get_dist_info', lambda rank=rank: (rank, ranks))
        places += [place for batch in batches(Thrice()) for place in batch.places]
    assert len(set(places)) == len(places) == 3 * SIZE * ranks


def test_ranks_share_the_epochs_of_an_infinite_sampler(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = []
    for rank in range(2):
        monkeypatch.setattr(randomness, 'get_dist_info', lambda rank=rank: (rank, 2))
        monkeypatch.setattr('mmengine.dataset.sampler.get_dist_info', lambda rank=rank: (rank, 2))
        seeded = iter(batches(InfiniteSampler(range(SIZE), seed=0), start=0))
        taken += flat(batch.places for batch, _ in zip(seeded, range(5), strict=False))  # half of four epochs
    assert sorted(taken) == sorted((epoch, index) for epoch in range(4) for index in range(SIZE))


def test_a_step_draws_by_its_number_and_the_seed() -> None:
    drawn = {}
    for seed, step in ((0, 0), (0, 1), (1, 0), (1, 1)):
        seed_step(seed, step)
        drawn[seed, step] = draw()
        draw()
        seed_step(seed, step)
        assert draw() == drawn[seed, step]
    for position in range(3):
        assert len({numbers[position] for numbers in drawn.values()}) == 4


def test_seeds_are_those_of_older_runs() -> None:
    """A run may be resumed with another Python, numpy or torch than it began with."""
    for _ in Batch(0, [5], [(1, 5)]):
        assert random.random() == 0.39856506429178085
        assert np.random.randint(2**31) == 287097875
        assert torch.initial_seed() == 13878696886795400490
