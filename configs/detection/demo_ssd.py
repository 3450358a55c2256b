# The detector of `make demo`: learns drawn shapes from nothing in minutes on a CPU. S0's widths, a third of its layers.
_base_ = ['../_base_/ssdlite.py', '../_base_/coco_detection.py', '../_base_/detection_runtime.py']
data_root = 'demo/data/'
metainfo = dict(classes=('circle', 'square', 'triangle'))
resize = dict(type='Resize', scale=(160, 160), keep_ratio=False)
max_epochs = 10
channels = (256, 1024, 256, 128, 128, 64)
# The base's momentum of 0.03 is too slow for a few hundred iterations: the statistics would lag behind the weights.
norm_cfg = dict(eps=1e-5, momentum=0.1)
width_factor = [0.75, 1.0, 1.0, 2.0]
arch = dict(num_blocks=[1, 2, 3, 1], width_factor=width_factor, num_conv_branches=[1] * 4, num_se_blocks=[0] * 4)
model = dict(
    backbone=dict(arch=dict(_delete_=True, **arch)),
    neck=dict(in_channels=channels[:2], out_channels=channels, norm_cfg=norm_cfg),
    bbox_head=dict(
        in_channels=channels,
        num_classes=3,
        norm_cfg=norm_cfg,
        anchor_generator=dict(
            strides=[16, 32, 53, 80, 160, 160],  # maps of 10, 5, 3, 2, 1 and 1 cells
            min_sizes=[26, 54, 80, 104, 128, 152],
            max_sizes=[54, 80, 104, 128, 152, 160],
        ),
    ),
    # Of 10 x 10 cells many shapes lie between two, and no box overlaps them by half.
    train_cfg=dict(assigner=dict(pos_iou_thr=0.4, neg_iou_thr=0.4)),
)
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True),
    resize,
    dict(type='RandomFlip', prob=0.75, direction=['horizontal', 'vertical', 'diagonal']),
    dict(type='PackDetInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    resize,
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='PackDetInputs', meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor')),
]
train_set = dict(ann_file='annotations/train.json', data_prefix=dict(img='images/train/'), pipeline=train_pipeline)
val_set = dict(ann_file='annotations/val.json', data_prefix=dict(img='images/val/'), pipeline=test_pipeline)
own = dict(data_root=data_root, metainfo=metainfo)
loader = dict(batch_size=16, num_workers=0, persistent_workers=False)  # small pictures: workers would only cost
train_dataloader = dict(**loader, dataset=dict(**own, **train_set))
val_dataloader = dict(**loader, dataset=dict(**own, **val_set))
test_dataloader = val_dataloader
val_evaluator = dict(ann_file=data_root + 'annotations/val.json')
test_evaluator = val_evaluator
train_cfg = dict(type='mobileone_mm.EpochBasedTrainLoop', max_epochs=max_epochs, val_interval=5)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='AdamW', lr=2e-3, weight_decay=0.01))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=30),
    dict(type='CosineAnnealingLR', begin=0, end=max_epochs, T_max=max_epochs, convert_to_iter_based=True),
]
default_hooks = dict(logger=dict(interval=20), checkpoint=dict(interval=5, max_keep_ckpts=1))
log_processor = dict(window_size=20)
randomness = dict(seed=0)
