# ADE20k's 150 classes of the scene parsing challenge. Label 0 of its masks is "other": with reduce_zero_label it is
# ignored, and all others move down by one. The paper trains as on VOC.
_base_ = 'segmentation_pipelines.py'
data_root = 'data/ade/ADEChallengeData2016'
ade = dict(type='ADE20KDataset', data_root=data_root, reduce_zero_label=True)
training = dict(img_path='images/training', seg_map_path='annotations/training')
validation = dict(img_path='images/validation', seg_map_path='annotations/validation')
train_dataloader = dict(
    batch_size=16,
    num_workers=4,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(**ade, data_prefix=training, pipeline=_base_.in_one_warp),
)
val_dataloader = dict(
    batch_size=8,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(**ade, data_prefix=validation, pipeline=_base_.test_pipeline),
)
test_dataloader = val_dataloader
