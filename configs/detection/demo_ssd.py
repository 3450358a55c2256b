# The detector of `make demo`: learns drawn shapes from nothing in minutes on a CPU.
_base_ = [
    '../_base_/ssdlite.py',
    '../_base_/coco_detection.py',
    '../_base_/detection_runtime.py',
    '../_base_/demo.py',
]
data_root = 'demo/data/'
metainfo = dict(classes=('circle', 'square', 'triangle'))
resize = dict(type='Resize', scale=(160, 160), keep_ratio=False)
max_epochs = 10
channels = (256, 1024, 256, 128, 128, 64)
# The base's momentum of 0.03 is too slow for a few hundred iterations: the statistics would lag behind the weights.
norm_cfg = dict(eps=1e-5, momentum=0.1)
model = dict(
    backbone=dict(arch=dict(_delete_=True, **_base_.arch)),
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
train_dataloader = dict(**_base_.loader, dataset=dict(**own, **train_set))
val_dataloader = dict(**_base_.loader, dataset=dict(**own, **val_set))
test_dataloader = val_dataloader
val_evaluator = dict(ann_file=data_root + 'annotations/val.json')
test_evaluator = val_evaluator
train_cfg = dict(max_epochs=max_epochs, val_interval=5)
param_scheduler = [_base_.param_scheduler[0], dict(_base_.param_scheduler[1], end=max_epochs, T_max=max_epochs)]
default_hooks = dict(logger=dict(interval=20), checkpoint=dict(interval=5, max_keep_ckpts=1))
log_processor = dict(window_size=20)
