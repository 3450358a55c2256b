# VOC 2012 with the masks of SBD ("aug"), laid out as mmseg's voc_aug.py does it: 10,582 training pictures. MobileViT's
# runs had a part of COCO besides, which is left out here.
_base_ = 'segmentation_pipelines.py'
data_root = 'data/VOCdevkit/VOC2012'
lists = 'ImageSets/Segmentation/'
voc = dict(type='PascalVOCDataset', data_root=data_root)
masks = dict(img_path='JPEGImages', seg_map_path='SegmentationClass')
more_masks = dict(img_path='JPEGImages', seg_map_path='SegmentationClassAug')
train_dataloader = dict(
    batch_size=16,
    num_workers=4,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='ConcatDataset',
        datasets=[
            dict(**voc, ann_file=lists + 'train.txt', data_prefix=masks, pipeline=_base_.in_one_warp),
            dict(**voc, ann_file=lists + 'aug.txt', data_prefix=more_masks, pipeline=_base_.in_one_warp),
        ],
    ),
)
val_dataloader = dict(
    batch_size=8,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(**voc, ann_file=lists + 'val.txt', data_prefix=masks, pipeline=_base_.test_pipeline),
)
test_dataloader = val_dataloader
