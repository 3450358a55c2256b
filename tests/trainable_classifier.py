"""ImageNet's layout with pictures drawn here, and the paper's recipe in six epochs above a tiny net."""

from pathlib import Path

import numpy as np
from PIL import Image

CONFIGS = Path(__file__).parents[1] / 'configs/classification'
PICTURES = 4
SIDE = 64  # px
ARCH = {
    'num_blocks': [1, 1, 1, 1],
    'width_factor': [0.25, 0.125, 0.125, 0.0625],
    'num_conv_branches': [2, 2, 2, 2],
    'num_se_blocks': [0, 0, 0, 1],
}
# Three times two epochs, which is what another length takes.
SHORT = """
_base_ = {base!r}
epochs = 6
switches = (2, 4)
train_cfg = dict(max_epochs=epochs, val_interval=3)
param_scheduler = [dict(scheduler, end=epochs, T_max=epochs) for scheduler in _base_.param_scheduler]
schedule = [dict(step, action_epoch=after + 1) for step, after in zip(_base_.schedule, switches, strict=True)]
custom_hooks = [dict(_base_.custom_hooks[0], schedule=schedule), *_base_.custom_hooks[1:]]
"""
TINY = """
model = dict(
    backbone=dict(arch=dict(_delete_=True, **{arch})), head=dict(in_channels=32, num_classes=1000)
)
root = dict(data_root={data!r})
train_dataloader = dict(batch_size=2, num_workers=1, dataset=root)  # a worker that stays has to get the new pipeline
val_dataloader = dict(batch_size=2, num_workers=0, persistent_workers=False, dataset=root)
test_dataloader = val_dataloader
default_hooks = dict(checkpoint=dict(max_keep_ckpts=-1))
env_cfg = dict(dist_cfg=dict(backend='gloo'))
randomness = dict(seed=0)
work_dir = {work_dir!r}
"""


def write_imagenet(folder: Path, repeats: int = 1) -> None:
    """Noisy pictures in train/ and val/, named with their labels in meta/; each is listed `repeats` times."""
    generator = np.random.default_rng(0)
    (folder / 'meta').mkdir(parents=True)
    for split in ('train', 'val'):
        (folder / split).mkdir()
        for number in range(PICTURES):
            noise = generator.integers(0, 256, (SIDE, SIDE + 16, 3), np.uint8)
            Image.fromarray(noise).save(folder / split / f'{number}.jpg')
        lines = [f'{number}.jpg {250 * number}\n' for number in range(PICTURES)]
        (folder / f'meta/{split}.txt').write_text(''.join(lines * repeats))


def write_classifier(folder: Path, base: str, *more: str) -> Path:
    """The short recipe of a shipped config, its data, and other lines at its end if need be."""
    if not (folder / 'data').exists():
        write_imagenet(folder / 'data')
    text = SHORT.format(base=str(CONFIGS / f'{base}.py'))
    text += TINY.format(arch=ARCH, data=str(folder / 'data'), work_dir=str(folder / 'work'))
    path = folder / 'classifier.py'
    path.write_text('\n'.join([text, *more, '']))
    return path
