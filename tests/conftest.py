"""Fixtures for every test: seeds, the real data folder, batch statistics that tell a right fold from a wrong one."""

import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.logging import MessageHub, MMLogger
from mmengine.registry import DefaultScope
from mmengine.visualization import Visualizer
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from tiny_classifier import classifier, classifier_package  # noqa: F401 - fixtures
from tiny_detector import detector, exported, make_detector, onnx_files, onnx_reports  # noqa: F401 - fixtures
from tiny_segmenter import segmenter, segmenter_package  # noqa: F401 - fixtures

DATA_VARIABLE = 'MOBILEONE_MM_DATA'
SEED = 0


@pytest.fixture(scope='session', autouse=True)
def _threads() -> None:
    """Tiny models lose time to many threads, and xdist's workers would fight over the cores."""
    torch.set_num_threads(int(os.environ.get('OMP_NUM_THREADS', '1')))


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is kept of masks goes into a folder of the tests, not into the user's."""
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path_factory.getbasetemp() / 'cache'))


@pytest.fixture(autouse=True)
def _seeded() -> None:
    random.seed(SEED)
    np.random.seed(SEED)
    torch.manual_seed(SEED)


@pytest.fixture(autouse=True)
def _fresh_hosts() -> Iterator[None]:
    yield
    forget_hosts()


def forget_hosts() -> None:
    """Forget mmengine's globals: a scope, logger or message hub left over would change the next test or run."""
    for logger in MMLogger._instance_dict.values():
        for handler in logger.handlers:
            handler.close()  # a log file that stays open is a warning, and so an error, at some later collection
    for manager in (DefaultScope, MMLogger, MessageHub, Visualizer, *Visualizer.__subclasses__()):
        manager._instance_dict.clear()


@pytest.fixture(scope='session')
def real_data() -> Path:
    """The folder that holds `data/` and `weights/`; tests on real pictures and weights are skipped without it."""
    folder = os.environ.get(DATA_VARIABLE)
    if not folder:
        pytest.skip(f'{DATA_VARIABLE} is not set: it names the folder that holds data/ and weights/')
    path = Path(folder).resolve()
    if not path.is_dir():
        pytest.fail(f'{DATA_VARIABLE}={folder}: no such folder')
    return path


@pytest.fixture(scope='session')
def randomise_batch_norm() -> Callable[..., nn.Module]:
    """A function that gives every batch norm of a model random statistics, gammas and betas, and returns the model.

    Fresh statistics (mean 0, variance 1, gamma 1, beta 0) hide a forgotten bias and a wrong eps.
    """
    return _randomise_batch_norm


def _randomise_batch_norm(model: nn.Module, seed: int = SEED) -> nn.Module:
    generator = torch.Generator().manual_seed(seed)

    def uniform(low: float, high: float, like: torch.Tensor) -> torch.Tensor:
        return low + (high - low) * torch.rand(like.shape, generator=generator, dtype=torch.float64)

    def normal(like: torch.Tensor) -> torch.Tensor:
        return torch.randn(like.shape, generator=generator, dtype=torch.float64)

    with torch.no_grad():
        for module in model.modules():
            if not isinstance(module, _BatchNorm):
                continue
            if module.running_mean is not None and module.running_var is not None:
                module.running_mean.copy_(normal(module.running_mean))
                module.running_var.copy_(uniform(0.5, 2.0, module.running_var))
            if module.affine:
                module.weight.copy_(uniform(0.5, 1.5, module.weight))
                module.bias.copy_(normal(module.bias))
    return model
