# The segmenter of `make demo-segmentation`: drawn shapes from nothing on a CPU. S0's widths, a third of its layers.
_base_ = ['../_base_/deeplabv3.py', '../_base_/segmentation_pipelines.py', '../_base_/segmentation_runtime.py']
data_root = 'demo/data/'
classes = ('ground', 'circle', 'square', 'triangle')
class_weight = [0.3, 1.12, 1.18, 1.4]  # as `mobileone check` offers it
crop_size = (160, 160)  # whole pictures
max_epochs = 6
width_factor = [0.75, 1.0, 1.0, 2.0]
arch = dict(num_blocks=[1, 2, 3, 1], width_factor=width_factor, num_conv_branches=[1] * 4, num_se_blocks=[0] * 4)
head = dict(num_classes=len(classes), out_channels=len(classes), loss_decode=dict(class_weight=class_weight))
model = dict(
    data_preprocessor=dict(size=crop_size),
    backbone=dict(arch=dict(_delete_=True, **arch), out_indices=(0, 2, 3)),
    # A separable ASPP of few channels, and the details of stride 4 (DeepLabV3+): a map of 10 x 10 alone has no edges of
    # small shapes. Of the same map, rates of 12 and 18 would see nothing but padding.
    decode_head=dict(
        **head,
        type='DepthwiseSeparableASPPHead',
        in_index=2,
        channels=64,
        dilations=(1, 2, 4),
        c1_in_channels=48,
        c1_channels=16,
    ),
    auxiliary_head=dict(**head, in_index=1, channels=64),
)
resize = dict(type='Resize', scale=crop_size, keep_ratio=False)
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='mobileone_mm.LoadMask'),
    resize,
    dict(type='RandomFlip', prob=0.75, direction=['horizontal', 'vertical', 'diagonal']),
    dict(type='PackSegInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    resize,
    dict(type='mobileone_mm.LoadMask'),
    dict(type='PackSegInputs'),
]
own = dict(type='mobileone_mm.MaskDataset', data_root=data_root, metainfo=dict(classes=classes))
train_set = dict(data_prefix=dict(img_path='images/train', seg_map_path='masks/train'), pipeline=train_pipeline)
val_set = dict(data_prefix=dict(img_path='images/val', seg_map_path='masks/val'), pipeline=test_pipeline)
loader = dict(batch_size=8, num_workers=0, persistent_workers=False)  # small pictures: workers would only cost
shuffled, in_order = dict(type='DefaultSampler', shuffle=True), dict(type='DefaultSampler', shuffle=False)
train_dataloader = dict(**loader, drop_last=True, sampler=shuffled, dataset=dict(**own, **train_set))
val_dataloader = dict(**loader, sampler=in_order, dataset=dict(**own, **val_set))
test_dataloader = val_dataloader
train_cfg = dict(type='mobileone_mm.EpochBasedTrainLoop', max_epochs=max_epochs, val_interval=2)
val_cfg, test_cfg = dict(type='ValLoop'), dict(type='TestLoop')
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='AdamW', lr=2e-3, weight_decay=0.01))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=30),
    dict(type='CosineAnnealingLR', begin=0, end=max_epochs, T_max=max_epochs, convert_to_iter_based=True),
]
default_hooks = dict(logger=dict(interval=20), checkpoint=dict(interval=2, max_keep_ckpts=1))
# Weights averaged over thousands of steps would lag behind a run of some hundred.
custom_hooks = [hook for hook in _base_.custom_hooks if hook['type'] != 'EMAHook']
log_processor = dict(window_size=20)
randomness = dict(seed=0)
