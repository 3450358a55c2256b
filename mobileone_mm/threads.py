"""How many threads torch computes with."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute with one thread, for what is too small to share: threads that wait for each other on busy cores are slow.

    Measured on two busy cores: a fold in float64 70 s with two threads, 2 s with one; a picture through a saved S0
    detector 143 ms with two, 45 ms with one.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
