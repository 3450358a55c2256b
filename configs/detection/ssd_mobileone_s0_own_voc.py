# Fine-tuning on your own VOC-format set: docs/own_data.md. For another variant, change the line below.
_base_ = 'ssd_mobileone_s0.py'

# --- yours: names and paths ---
classes = ('circle', 'square', 'triangle')  # as the XML files name them, in the order of the labels
data_root = 'data/own/'  # holds Annotations/, JPEGImages/ and the lists
train_list = 'ImageSets/Main/train.txt'
val_list = 'ImageSets/Main/val.txt'  # None: hold out a fifth of train_list, always the same pictures

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
voc = dict(
    type='mobileone_mm.VOCDataset',
    data_root=data_root,
    metainfo=dict(classes=classes),
    data_prefix=dict(_delete_=True, sub_data_root=''),
)
parted = val_list is None
train_set = dict(ann_file=train_list, part='train' if parted else 'all')
val_set = dict(ann_file=train_list if parted else val_list, part='val' if parted else 'all')
train_dataloader = dict(batch_size=batch_size, dataset=dict(**voc, **train_set, pipeline=in_one_warp))
val_dataloader = dict(dataset=dict(**voc, **val_set, pipeline=test_pipeline))
test_dataloader = val_dataloader
# 'area': all points of the precision-recall curve, as VOC since 2010; '11points' is VOC 2007's.
val_evaluator = dict(_delete_=True, type='VOCMetric', metric='mAP', eval_mode='area')
test_evaluator = val_evaluator
train_cfg = dict(max_epochs=max_epochs, val_interval=5)
optim_wrapper = dict(optimizer=dict(_delete_=True, type='AdamW', lr=1e-3, weight_decay=0.05))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=True, begin=0, end=1, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', begin=0, end=max_epochs, T_max=max_epochs, convert_to_iter_based=True),
]
auto_scale_lr = dict(base_batch_size=16)
default_hooks = dict(checkpoint=dict(save_best='pascal_voc/mAP'))
