"""configs/detection/ssd_mobileone_s0_own_voc.py as a user would fill it in for BCCD: benchmarks/bccd.md."""

_base_ = '../configs/detection/ssd_mobileone_s0.py'

classes = ('RBC', 'WBC', 'Platelets')
root = '{{$MOBILEONE_MM_DATA:.}}'
data_root = root + '/data/bccd_voc/'
train_list = 'ImageSets/Main/train.txt'
val_list = 'ImageSets/Main/val.txt'

max_epochs = 24
# Cells keep their size under the microscope, so nothing shrinks them; and they have no upside.
train_pipeline = [step for step in _base_.train_pipeline if step['type'] not in ('Expand', 'RandomFlip')]
train_pipeline.insert(-2, dict(type='RandomFlip', prob=0.75, direction=['horizontal', 'vertical', 'diagonal']))
norm_cfg = dict(momentum=0.1)  # mmdet's 0.03 lags behind a run of 200 iterations
model = dict(
    backbone=dict(
        # A fused file has one kernel a unit. One conv branch holds it and costs 0.4 of what S0's four cost to train.
        arch=dict(
            _delete_=True,
            num_blocks=[2, 8, 10, 1],
            width_factor=[0.75, 1.0, 1.0, 2.0],
            num_conv_branches=[1, 1, 1, 1],
            num_se_blocks=[0, 0, 0, 0],
        ),
        init_cfg=dict(checkpoint=root + '/weights/mobileone_s0/mobileone_s0.pth.tar'),
    ),
    neck=dict(norm_cfg=norm_cfg),
    bbox_head=dict(
        num_classes=len(classes),
        norm_cfg=norm_cfg,
        # At 320 px the boxes' sides are 22 (platelets), 59 (red cells) and 100 px (white cells), nearly square.
        anchor_generator=dict(
            min_sizes=[24, 60, 100, 150, 202, 253],
            max_sizes=[144, 160, 150, 202, 253, 304],
        ),
    ),
    # Half of the platelets lie too far off the anchors' 16 px grid for an IoU of 0.5; 84 % reach 0.4.
    train_cfg=dict(assigner=dict(pos_iou_thr=0.4, neg_iou_thr=0.4)),
)
voc = dict(
    type='mobileone_mm.VOCDataset',
    data_root=data_root,
    metainfo=dict(classes=classes),
    data_prefix=dict(_delete_=True, sub_data_root=''),
)
train_dataloader = dict(batch_size=16, num_workers=1, dataset=dict(ann_file=train_list, pipeline=train_pipeline, **voc))
val_dataloader = dict(num_workers=1, dataset=dict(ann_file=val_list, **voc))
test_dataloader = val_dataloader
val_evaluator = dict(_delete_=True, type='VOCMetric', metric='mAP', eval_mode='area')
test_evaluator = val_evaluator
train_cfg = dict(max_epochs=max_epochs, val_interval=6)
optim_wrapper = dict(optimizer=dict(_delete_=True, type='AdamW', lr=1e-3, weight_decay=0.05))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=True, begin=0, end=1, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', begin=0, end=max_epochs, T_max=max_epochs, convert_to_iter_based=True),
]
auto_scale_lr = dict(base_batch_size=16)
default_hooks = dict(logger=dict(interval=8))
randomness = dict(seed=0)
