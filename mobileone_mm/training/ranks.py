"""One process among several: which one it is, as torchrun's variables say, and which of them speaks."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from mobileone_mm.errors import INTERRUPTED, MobileOneError

PATIENCE = 10.0  # seconds


def launched() -> bool:
    """Whether torchrun, or whoever sets its variables, started this process as one of several."""
    return {'RANK', 'WORLD_SIZE'} <= os.environ.keys()


def rank() -> int:
    """The number of this process among all, from 0."""
    return int(os.environ['RANK']) if launched() else 0


def count() -> int:
    """How many processes train together."""
    return int(os.environ['WORLD_SIZE']) if launched() else 1


def join_without_gpu(config: Any) -> None:
    """Let processes on machines without a GPU train together: mmengine's own start asks for a CUDA device."""
    import torch
    from mmengine.device import get_device
    from mmengine.dist import is_distributed

    if config.launcher == 'none' or get_device() != 'cpu' or is_distributed():
        return
    torch.distributed.init_process_group('gloo')
    wrapper = {'broadcast_buffers': False, 'find_unused_parameters': config.get('find_unused_parameters', False)}
    config.model_wrapper_cfg = {**wrapper, **(config.get('model_wrapper_cfg') or {}), 'device_ids': None}


def leave() -> None:
    """Part from the other processes, or torch complains at the end."""
    import torch
    from mmengine.dist import is_distributed

    if is_distributed():
        torch.distributed.destroy_process_group()


@contextmanager
def one_voice() -> Iterator[None]:
    """Let the first process say what went wrong, and another only if the first has not: mostly it is the same for all.

    A process that torchrun sees fail brings the others down. So those that wait their turn never get it where the first
    one fails as well.
    """
    try:
        yield
    except MobileOneError as error:
        if rank() == 0:
            raise
        time.sleep(PATIENCE)
        raise type(error)(f'process {rank()}: {error}') from error
    except KeyboardInterrupt:
        if rank() == 0:
            raise
        raise SystemExit(INTERRUPTED) from None
