# configs/detection/ssd_mobileone_s0_own_voc.py as a user would fill it in for BCCD: benchmarks/bccd.md.
_base_ = '../configs/detection/ssd_mobileone_s0.py'

classes = ('RBC', 'WBC', 'Platelets')
root = '{{$MOBILEONE_MM_DATA:.}}'
data_root = root + '/data/bccd_voc/'
train_list = 'ImageSets/Main/train.txt'
val_list = 'ImageSets/Main/val.txt'

max_epochs = 20
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
    bbox_head=dict(
        num_classes=len(classes),
        # At 320 px the boxes' sides are 22 (platelets), 59 (red cells) and 100 px (white cells), nearly square.
        anchor_generator=dict(
            min_sizes=[24, 60, 100, 150, 202, 253],
            max_sizes=[144, 160, 150, 202, 253, 304],
        ),
    ),
)
voc = dict(
    type='mobileone_mm.VOCDataset',
    data_root=data_root,
    metainfo=dict(classes=classes),
    data_prefix=dict(_delete_=True, sub_data_root=''),
)
train_dataloader = dict(batch_size=16, num_workers=1, dataset=dict(ann_file=train_list, **voc))
val_dataloader = dict(num_workers=1, dataset=dict(ann_file=val_list, **voc))
test_dataloader = val_dataloader
val_evaluator = dict(_delete_=True, type='VOCMetric', metric='mAP', eval_mode='area')
test_evaluator = val_evaluator
train_cfg = dict(max_epochs=max_epochs, val_interval=5)
optim_wrapper = dict(optimizer=dict(lr=0.02))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=True, begin=0, end=1, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', begin=0, end=max_epochs, T_max=max_epochs, convert_to_iter_based=True),
]
auto_scale_lr = dict(base_batch_size=16)
default_hooks = dict(logger=dict(interval=8))
