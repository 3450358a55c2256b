# Fine-tuning on your own COCO-format set: docs/own_data.md. For another variant, change the line below.
_base_ = 'ssd_mobileone_s0.py'

# --- yours: names and paths ---
classes = ('circle', 'square', 'triangle')  # the file's categories, in its order
data_root = 'data/own/'
train_file, train_images = 'annotations/train.json', 'train/'
val_file, val_images = 'annotations/val.json', 'val/'  # None: hold out a fifth of the above, always the same ones

# --- follows from the above ---
batch_size, max_epochs = 16, 60
train_pipeline = _base_.train_pipeline
test_pipeline = _base_.test_pipeline
in_one_warp = [dict(type='mobileone_mm.OneWarp', transforms=train_pipeline)]  # the same, faster
norm_cfg = dict(momentum=0.1)  # the base's 0.03 lags behind in a run of a few hundred steps
model = dict(
    backbone=dict(train_impl='auto'),  # the same steps in less time: docs/training-cost.md
    neck=dict(norm_cfg=norm_cfg),
    bbox_head=dict(num_classes=len(classes), norm_cfg=norm_cfg),
)
metainfo = dict(classes=classes)
own = dict(data_root=data_root, metainfo=metainfo)
parted = val_file is None
train_set = dict(ann_file=train_file, data_prefix=dict(img=train_images), part='train' if parted else 'all')
val_set = dict(
    ann_file=train_file if parted else val_file,
    data_prefix=dict(img=train_images if parted else val_images),
    part='val' if parted else 'all',
)
train_dataloader = dict(batch_size=batch_size, dataset=dict(**own, **train_set, pipeline=in_one_warp))
val_dataloader = dict(dataset=dict(**own, **val_set, pipeline=test_pipeline))
test_dataloader = val_dataloader
val_evaluator = dict(type='mobileone_mm.CocoMetric', ann_file=data_root + val_set['ann_file'], classwise=True)
test_evaluator = val_evaluator
train_cfg = dict(max_epochs=max_epochs, val_interval=5)
optim_wrapper = dict(optimizer=dict(_delete_=True, type='AdamW', lr=1e-3, weight_decay=0.05))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=True, begin=0, end=1, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', begin=0, end=max_epochs, T_max=max_epochs, convert_to_iter_based=True),
]
auto_scale_lr = dict(base_batch_size=16)
default_hooks = dict(checkpoint=dict(save_best='coco/bbox_mAP'))  # 'auto' would follow the first class's own number
