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
# docs/train.md: the stride and the rates of ASPP go together.
output_stride = 16
rates = (1, 6, 12, 18)
class_weight = [0.34, 0.29, 1.45, 0.25, 0.66, 0.46, 1.35, 1.3, 0.59, 1.78, 2.52]  # as `mobileone check` offers it
crop_size = (320, 320)

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
train_dataloader = dict(
    num_workers=1,
    dataset=dict(
        **own,
        data_prefix=dict(img_path='images/train', seg_map_path='annotations/train'),
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=4,
    num_workers=1,
    dataset=dict(
        **own, data_prefix=dict(img_path='images/val', seg_map_path='annotations/val'), pipeline=test_pipeline
    ),
)
test_dataloader = val_dataloader
loss = dict(class_weight=class_weight, avg_non_ignore=True)
model = dict(
    data_preprocessor=dict(size=crop_size),
    backbone=dict(
        # A fused file has one kernel a unit. One conv branch holds it and costs 0.4 of what S0's four cost to train.
        arch=dict(
            _delete_=True,
            num_blocks=[2, 8, 10, 1],
            width_factor=[0.75, 1.0, 1.0, 2.0],
            num_conv_branches=[1, 1, 1, 1],
            num_se_blocks=[0, 0, 0, 0],
        ),
        out_indices=(0, 2, 3),
        output_stride=output_stride,
        init_cfg=dict(checkpoint=root + '/weights/mobileone_s0/mobileone_s0.pth.tar'),
    ),
    # The head of configs/segmentation/deeplabv3_light_*.py, at a quarter of its width, which two cores can train, and
    # with the details of stride 4 (DeepLabV3+): poles and signs are 2 px wide at stride 8.
    decode_head=dict(
        _delete_=True,
        type='DepthwiseSeparableASPPHead',
        in_channels=1024,
        in_index=2,
        channels=128,
        dilations=rates,
        c1_in_channels=48,
        c1_channels=24,
        dropout_ratio=0.1,
        num_classes=len(classes),
        norm_cfg=dict(type='BN'),
        align_corners=False,
        loss_decode=dict(type='mobileone_mm.CrossEntropyLoss', **loss),
    ),
    auxiliary_head=dict(
        num_classes=len(classes),
        out_channels=len(classes),
        loss_decode=dict(loss_weight=0.4, **loss),
        in_index=1,
        channels=64,
    ),
)
train_cfg = dict(max_epochs=max_epochs, val_interval=10)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=True, begin=0, end=1, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', begin=0, end=max_epochs, T_max=max_epochs, convert_to_iter_based=True),
]
default_hooks = dict(logger=dict(interval=11))
randomness = dict(seed=0)
