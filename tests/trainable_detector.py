"""The config for own boxes in COCO's layout above a tiny SSD, for drawn shapes of 64 px."""

from pathlib import Path

TEMPLATE = Path(__file__).parents[1] / 'configs/detection/ssd_mobileone_s0_own_coco.py'
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
    backbone=dict(arch=dict(_delete_=True, **{arch}), init_cfg={init_cfg}),
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


def write_detector(path: Path, data: Path, weights: Path | None, *more: str) -> Path:
    """Write the config for what `write_coco` drew into `data`, from fused weights or none, with more lines."""
    init_cfg = None if weights is None else f'dict(checkpoint={str(weights)!r})'
    text = TINY.format(template=str(TEMPLATE), data=f'{data}/', arch=ARCH, init_cfg=init_cfg)
    path.write_text(text + '\n'.join(more))
    return path
