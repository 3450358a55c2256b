"""A detector that trains in a second, on drawn shapes and from fused weights, as the template for own data has it."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from mobileone_mm import cli, reparam
from mobileone_mm.commands import train
from mobileone_mm.datasets.toy import ToyOptions, write_coco
from mobileone_mm.models.backbones.mobileone import MobileOne
from mobileone_mm.weights.checkpoint import save_checkpoint

from ..conftest import forget_hosts  # noqa: TID252

TEMPLATE = Path(__file__).parents[2] / 'configs/detection/ssd_mobileone_s0_own_coco.py'
ARCH = {
    'num_blocks': [1, 1, 1, 1],
    'width_factor': [0.25, 0.125, 0.125, 0.125],
    'num_conv_branches': [2, 2, 2, 2],
    'num_se_blocks': [0, 0, 0, 0],
}
TINY = """
_base_ = {template!r}
root = {data!r}
channels = (32, 64, 16, 16, 16, 16)
model = dict(
    backbone=dict(arch=dict(_delete_=True, **{arch}), init_cfg=dict(checkpoint={weights!r})),
    neck=dict(in_channels=channels[:2], out_channels=channels),
    bbox_head=dict(in_channels=channels),
)
loader = dict(num_workers=0, persistent_workers=False)
train_dataloader = dict(batch_size=4, **loader, dataset=dict(data_root=root, data_prefix=dict(img='images/train/')))
val_dataloader = dict(**loader, dataset=dict(data_root=root, data_prefix=dict(img='images/val/')))
test_dataloader = val_dataloader
val_evaluator = dict(ann_file=root + 'annotations/val.json')
test_evaluator = val_evaluator
train_cfg = dict(max_epochs=2, val_interval=1)
randomness = dict(seed=2)  # finds something at once
"""


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
        text = TINY.format(template=str(TEMPLATE), data=f'{shapes}/', arch=ARCH, weights=str(shapes / 'fused.pth'))
        path = folder / 'tiny.py'
        path.write_text(text + '\n'.join(more))
        return path

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
