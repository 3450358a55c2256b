# The segmenter of `make demo-segmentation`: drawn shapes from nothing on a CPU.
_base_ = [
    '../_base_/deeplabv3.py',
    '../_base_/segmentation_pipelines.py',
    '../_base_/segmentation_runtime.py',
    '../_base_/demo.py',
]
data_root = 'demo/data/'
classes = ('ground', 'circle', 'square', 'triangle')
class_weight = [0.3, 1.12, 1.18, 1.4]  # as `mobileone check` offers it
crop_size = (160, 160)  # whole pictures
head = dict(num_classes=len(classes), out_channels=len(classes), loss_decode=dict(class_weight=class_weight))
model = dict(
    data_preprocessor=dict(size=crop_size),
    backbone=dict(arch=dict(_delete_=True, **_base_.arch), out_indices=(0, 2, 3)),
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
loader = dict(_base_.loader, batch_size=8)
shuffled, in_order = dict(type='DefaultSampler', shuffle=True), dict(type='DefaultSampler', shuffle=False)
train_dataloader = dict(**loader, drop_last=True, sampler=shuffled, dataset=dict(**own, **train_set))
val_dataloader = dict(**loader, sampler=in_order, dataset=dict(**own, **val_set))
test_dataloader = val_dataloader
default_hooks = dict(logger=dict(interval=20), checkpoint=dict(interval=2, max_keep_ckpts=1))
# Weights averaged over thousands of steps would lag behind a run of some hundred.
custom_hooks = [hook for hook in _base_.custom_hooks if hook['type'] != 'EMAHook']
log_processor = dict(window_size=20)
