"""deeplabv3_light_mobileone_s0_own_masks.py as a user would fill it in for CamVid: segmentation.md."""

_base_ = '../configs/segmentation/deeplabv3_light_mobileone_s0_own_masks.py'

classes = (
    'sky',
    'building',
    'pole',
    'road',
    'pavement',
    'tree',
    'signsymbol',
    'fence',
    'car',
    'pedestrian',
    'bicyclist',
)
root = '{{$MOBILEONE_MM_DATA:.}}'
class_weight = [0.34, 0.29, 1.45, 0.25, 0.66, 0.46, 1.35, 1.3, 0.59, 1.78, 2.52]  # as `mobileone init` writes it
crop_size = (320, 320)  # takes half the time of the whole input

max_epochs = 70
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='mobileone_mm.LoadMask'),
    dict(type='RandomResize', scale=(480, 360), ratio_range=(0.75, 2.0), keep_ratio=True),
    dict(type='RandomCrop', crop_size=crop_size, cat_max_ratio=0.75),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PhotoMetricDistortion'),
    dict(type='PackSegInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(480, 360), keep_ratio=False),
    dict(type='mobileone_mm.LoadMask'),
    dict(type='PackSegInputs'),
]
own = dict(data_root=root + '/data/camvid_small/', metainfo=dict(classes=classes), ignore_index=11, part='all')
train_set = dict(data_prefix=dict(img_path='images/train', seg_map_path='annotations/train'), pipeline=train_pipeline)
val_set = dict(data_prefix=dict(img_path='images/val', seg_map_path='annotations/val'), pipeline=test_pipeline)
train_dataloader = dict(num_workers=1, dataset=dict(**own, **train_set))
val_dataloader = dict(batch_size=4, num_workers=1, dataset=dict(**own, **val_set))
test_dataloader = val_dataloader
head = dict(num_classes=len(classes), out_channels=len(classes), loss_decode=dict(class_weight=class_weight))
model = dict(
    data_preprocessor=dict(size=crop_size),
    backbone=dict(
        # A fused file has one kernel a unit. One conv branch holds it and costs less than S0's four to train.
        arch=dict(
            _delete_=True,
            num_blocks=[2, 8, 10, 1],
            width_factor=[0.75, 1.0, 1.0, 2.0],
            num_conv_branches=[1, 1, 1, 1],
            num_se_blocks=[0, 0, 0, 0],
        ),
        init_cfg=dict(checkpoint=root + '/weights/mobileone_s0/mobileone_s0.pth.tar'),
    ),
    decode_head=head,
    auxiliary_head=head,
)
train_cfg = dict(max_epochs=max_epochs, val_interval=10)
param_scheduler = _base_.param_scheduler
param_scheduler[1].update(end=max_epochs, T_max=max_epochs)
default_hooks = dict(logger=dict(interval=11))
randomness = dict(seed=0)
