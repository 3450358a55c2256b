"""A classifier of one's own folders, from fused weights: the template filled in by `init`, trained, named, fused."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.config import Config
from PIL import Image
from trainable_classifier import ARCH

from mobileone_mm import reparam
from mobileone_mm.commands import init, test, train
from mobileone_mm.models.backbones.mobileone import MobileOne
from mobileone_mm.openmmlab import configs
from mobileone_mm.openmmlab.open_model import open_model
from mobileone_mm.weights.checkpoint import read_checkpoint, save_checkpoint

from .conftest import forget_hosts

COLOURS = {'blue': (60, 60, 220), 'green': (60, 200, 60), 'red': (220, 60, 60)}
CLASSES = ('red', 'green', 'blue')  # not in the order of the folders
PICTURES = {'train': 8, 'val': 4}
SIDE = 64  # px
TINY = """
model['backbone'].update(arch=dict(_delete_=True, **{arch}), init_cfg=dict(type='Pretrained', checkpoint='fused.pth'))
model['head'].update(in_channels=32)
model['train_cfg'] = None  # in so few steps, pictures that are not mixed
for loader in (train_dataloader, val_dataloader):
    loader.update(batch_size=8, num_workers=0, persistent_workers=False, pin_memory=False)  # or torch warns on a CPU
train_cfg.update(max_epochs=10, val_interval=5)
optim_wrapper['optimizer'].update(lr=1e-2)
custom_hooks[1].update(momentum=0.5)  # 30 steps
del train_pipeline[3]  # RandAugment: these classes differ by colour alone
randomness = dict(seed=0)
"""


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """What `init` writes for folders of noisy one-coloured pictures, above a tiny net that starts fused."""
    monkeypatch.chdir(tmp_path)
    generator = np.random.default_rng(0)
    for split, count in PICTURES.items():
        for name, colour in COLOURS.items():
            folder = tmp_path / 'pictures' / split / name
            folder.mkdir(parents=True)
            for number in range(count):
                noise = np.array(colour) + generator.normal(0, 20, (SIDE, SIDE + 16, 3))
                Image.fromarray(noise.clip(0, 255).astype(np.uint8)).save(folder / f'{number}.jpg')
    torch.manual_seed(0)
    backbone = MobileOne(arch=ARCH)
    backbone.init_weights()
    save_checkpoint(Path('fused.pth'), reparam.fuse(backbone).state_dict(), None)
    words = ['--from', 'mobileone_s0_own_classes', '--data', 'pictures', '--classes', ','.join(CLASSES)]
    assert init.main(['own.py', *words]) == 0
    text = Path('own.py').read_text().replace('input_size = 288', f'input_size = {SIDE}')
    Path('own.py').write_text(text + TINY.format(arch=ARCH))
    return Path('own.py')


def test_own_folders_from_init_to_fused(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert train.main([str(config)]) == 0
    said = capsys.readouterr()
    assert 'top1 100.00' in said.out
    assert 'calibrated on 24 training images' in said.err
    last = Path('work_dirs/own/epoch_10.pth')
    for file in (last, last.with_name('epoch_10_fused.pth')):
        assert tuple(read_checkpoint(file).classes or ()) == CLASSES
    described = last.with_name('epoch_10_fused.py')
    assert Config.fromfile(described).model.backbone.deploy
    forget_hosts()
    assert test.main([str(described), str(last.with_name('epoch_10_fused.pth'))]) == 0
    assert 'accuracy/top1   100.00' in capsys.readouterr().out

    trained, _ = open_model(configs.load_config(config), last)
    assert trained.head.fc.out_features == len(CLASSES)
    for label, name in enumerate(CLASSES):
        picture = torch.full((1, 3, SIDE, SIDE), 0.0) + torch.tensor(COLOURS[name][::-1])[:, None, None]
        scores = trained(trained.data_preprocessor({'inputs': picture})['inputs'], mode='tensor')
        assert scores.argmax() == label
