"""A detector that trains in a second, on drawn shapes and from fused weights, as the template for own data has it."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from trainable_detector import ARCH, write_detector

from mobileone_mm import cli, reparam
from mobileone_mm.commands import train
from mobileone_mm.datasets.toy import ToyOptions, write_coco
from mobileone_mm.models.backbones.mobileone import MobileOne
from mobileone_mm.weights.checkpoint import save_checkpoint

from ..conftest import forget_hosts  # noqa: TID252


@pytest.fixture(scope='session')
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """16 drawn pictures to train on, 13 of them with shapes, 4 to validate on, and fused weights; never change them."""
    folder = tmp_path_factory.mktemp('shapes')
    write_coco(folder, ToyOptions(images=16, val=4, size=64, seed=0))
    torch.manual_seed(0)
    backbone = MobileOne(arch=ARCH)
    backbone.init_weights()
    save_checkpoint(folder / 'fused.pth', reparam.fuse(backbone).state_dict(), None)
    return folder


@pytest.fixture(scope='session')
def write_config(shapes: Path) -> Callable[..., Path]:
    """A function that writes the detector's config into a folder, with other lines at its end if need be."""

    def write(folder: Path, *more: str) -> Path:
        return write_detector(folder / 'tiny.py', shapes, shapes / 'fused.pth', *more)

    return write


@pytest.fixture(scope='session')
def trained(write_config: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the config and what one epoch of it gave; never change it."""
    folder = tmp_path_factory.mktemp('trained')
    forget_hosts()
    words = [str(write_config(folder)), '--work-dir', str(folder), '--cfg-options', 'train_cfg.max_epochs=1']
    assert cli.run(train.main, words) == 0
    forget_hosts()
    return folder


@pytest.fixture
def config(write_config: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The detector's config in a folder of its own, which is the working directory."""
    monkeypatch.chdir(tmp_path)
    return write_config(tmp_path).relative_to(tmp_path)
