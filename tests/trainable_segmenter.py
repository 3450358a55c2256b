"""A segmenter that trains in seconds: the shipped config for VOC above a tiny net, on masks drawn here."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from mobileone_mm import reparam
from mobileone_mm.models.backbones.mobileone import MobileOne
from mobileone_mm.weights.checkpoint import save_checkpoint

CONFIG = Path(__file__).parents[1] / 'configs/segmentation/deeplabv3_mobileone_s1_voc.py'
PICTURES = 8
SIDE = 64  # px
BATCH = 4
COLOURS = {0: (40, 40, 40), 1: (220, 60, 60), 2: (60, 60, 220)}  # of VOC's first classes, by label
ARCH = {
    'num_blocks': [1, 1, 2, 1],
    'width_factor': [0.25, 0.125, 0.125, 0.125],
    'num_conv_branches': [2, 2, 2, 2],
    'num_se_blocks': [0, 0, 0, 0],
}
TINY = """
_base_ = {base!r}
root = {data!r}
size = ({side}, {side})
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(type='RandomChoiceResize', scales=[48, 64, 80], resize_type='ResizeShortestEdge', max_size=128),
    dict(type='RandomCrop', crop_size=size, cat_max_ratio=0.75),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackSegInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=size, keep_ratio=False),
    dict(type='LoadAnnotations'),
    dict(type='PackSegInputs'),
]
model = dict(
    data_preprocessor=dict(size=size),
    backbone=dict(arch=dict(_delete_=True, **{arch}), init_cfg=dict(checkpoint={weights!r}), output_stride=8),
    decode_head=dict(in_channels=64, channels=16),
    auxiliary_head=dict(in_channels=32, channels=8),
)
loader = dict(num_workers=0, persistent_workers=False)
masks = dict(img_path='JPEGImages', seg_map_path='SegmentationClass')
voc = dict(type='PascalVOCDataset', data_root=root, ann_file='all.txt', data_prefix=masks)
train_dataloader = dict(
    batch_size={batch}, **loader, dataset=dict(datasets=[dict(**voc, pipeline=train_pipeline)])
)
val_dataloader = dict(**loader, dataset=dict(**voc, pipeline=test_pipeline))
test_dataloader = val_dataloader
train_cfg = dict(max_epochs=30, val_interval=15)
default_hooks = dict(checkpoint=dict(interval=15))
optim_wrapper = dict(optimizer=dict(lr=3e-3))
auto_scale_lr = dict(base_batch_size={batch})
param_scheduler = []
custom_hooks = [dict(type='EMAHook', momentum=0.5, update_buffers=True), *_base_.custom_hooks[1:]]
env_cfg = dict(dist_cfg=dict(backend='gloo'))
randomness = dict(seed=0)
work_dir = {work_dir!r}
"""


def write_masks(folder: Path) -> None:
    """Noisy pictures of 64 x 64 and 80 x 48 px, each with a red and a blue box and a border without a label."""
    generator = np.random.default_rng(0)
    for part in ('JPEGImages', 'SegmentationClass'):
        (folder / part).mkdir(parents=True)
    for number in range(PICTURES):
        width, height = (SIDE, SIDE) if number % 2 else (80, 48)
        mask = np.zeros((height, width), np.uint8)
        for label, left in ((1, 2), (2, width // 2 + 2)):
            top, side = generator.integers(2, height // 3), height // 2
            mask[top : top + side, left : left + side] = label
        picture = np.array([COLOURS[label] for label in range(3)])[mask] + generator.normal(0, 20, (height, width, 3))
        mask[:, width // 2 - 1 : width // 2 + 1] = 255
        Image.fromarray(picture.clip(0, 255).astype(np.uint8)).save(folder / f'JPEGImages/{number}.jpg', quality=95)
        Image.fromarray(mask).save(folder / f'SegmentationClass/{number}.png')
    (folder / 'all.txt').write_text(''.join(f'{number}\n' for number in range(PICTURES)))


def write_segmenter(folder: Path, *more: str) -> Path:
    """The config, its data and the fused weights it starts from, with other lines at its end if need be."""
    if not (folder / 'data').exists():
        write_masks(folder / 'data')
        torch.manual_seed(0)
        backbone = MobileOne(arch=ARCH)
        backbone.init_weights()
        save_checkpoint(folder / 'fused.pth', reparam.fuse(backbone).state_dict(), None)
    values = {'base': str(CONFIG), 'data': f'{folder}/data', 'weights': str(folder / 'fused.pth')}
    text = TINY.format(side=SIDE, batch=BATCH, arch=ARCH, work_dir=str(folder / 'work'), **values)
    path = folder / 'segmenter.py'
    path.write_text('\n'.join([text, *more, '']))
    return path
