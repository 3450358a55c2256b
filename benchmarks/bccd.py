"""What `mobileone init cells.py $MOBILEONE_MM_DATA/data/bccd_voc` writes, with weights and a seed: bccd.md."""

_base_ = '../configs/detection/ssd_mobileone_s0.py'

# --- yours: names and paths ---
classes = ('Platelets', 'RBC', 'WBC')  # as the XML files name them, in the order of the labels
root = '{{$MOBILEONE_MM_DATA:.}}'
data_root = root + '/data/bccd_voc/'  # holds Annotations/, JPEGImages/ and the two lists
train_list = 'ImageSets/Main/train.txt'
val_list = 'ImageSets/Main/val.txt'  # None: hold out a fifth of train_list, always the same pictures

# --- chosen for 140 pictures with 1,897 boxes ---
input_size = 320  # px, width and height; strides and anchors depend on it
batch_size = 16
max_epochs = 60  # of 8 steps each, 480 steps in all
# 6 % of the boxes are smaller than 24 px at this size, so there is a map of stride 8. Without it, anchors
# would reach 96 % of the boxes (Platelets: 54 %). None is larger than 174 px, so the maps of the backbone are
# enough.
out_indices = (1, 2, 3)  # backbone stages whose maps are used
channels = (128, 256, 1024)  # of each map: from S0
strides = [8, 16, 32]
# Widths and heights of the anchors in px at the input, map by map: k-means with 1 - IoU over the training
# boxes that suit the map, or SSD's usual shapes where there are too few. At an IoU of 0.5, they reach over 99
# % of the boxes: Platelets 98 %, WBC 99 %, RBC over 99 %.
anchors = [
    [(16, 21), (19, 25), (24, 30), (37, 44)],
    [(44, 65), (54, 56), (55, 71), (68, 82)],
    [(82, 106), (108, 96), (102, 127), (119, 146)],
]
# Expand, which shrinks pictures to as little as a quarter of their side, is left out: the large boxes of a
# class are 1.5 times the size of its small ones, no more.
# Flips in every direction, since the pictures seem to have no upside: boxes of a class are up to 1.08 times
# as tall as wide, or as wide as they are tall; they lie at 50 % of the height on average; and the upper half
# of a picture is 3.3 % of the range darker than the lower. If yours do, keep only the first flip.
flips = ('horizontal', 'vertical', 'diagonal')
changed = dict(Resize=dict(scale=(input_size, input_size)), RandomFlip=dict(prob=0.75, direction=list(flips)))
train_pipeline = [
    dict(step, **changed.get(step['type'], {})) for step in _base_.train_pipeline if step['type'] not in ('Expand',)
]
test_pipeline = [dict(step, **changed.get(step['type'], {})) for step in _base_.test_pipeline]

# --- follows from the above ---
in_one_warp = [dict(type='mobileone_mm.OneWarp', transforms=train_pipeline)]  # the same, faster
norm_cfg = dict(momentum=0.1)  # the base's 0.03 lags behind in a run of a few hundred steps
model = dict(
    backbone=dict(out_indices=out_indices, train_impl='auto'),  # the same steps in less time: docs/training-cost.md
    neck=None,  # no maps but those of the backbone
    bbox_head=dict(
        in_channels=channels,
        num_classes=len(classes),
        norm_cfg=norm_cfg,
        anchor_generator=dict(_delete_=True, type='YOLOAnchorGenerator', strides=strides, base_sizes=anchors),
    ),
    # An anchor whose IoU with a box is 0.4 to 0.5 counts neither as object nor as background.
    train_cfg=dict(assigner=dict(neg_iou_thr=0.4)),
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

# --- besides what was written ---
model['backbone'].update(init_cfg=dict(checkpoint=root + '/weights/mobileone_s0/mobileone_s0.pth.tar'))
train_dataloader.update(num_workers=1)
val_dataloader.update(num_workers=1)
randomness = dict(seed=0)
