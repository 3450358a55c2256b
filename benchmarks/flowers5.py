"""mobileone_s0_own_classes.py as a user would fill it in for five kinds of flowers: see classification.md."""

_base_ = '../configs/classification/mobileone_s0_own_classes.py'

classes = ('daisy', 'dandelion', 'roses', 'sunflowers', 'tulips')
root = '{{$MOBILEONE_MM_DATA:.}}'
own = dict(data_root=root + '/data/flowers5/', metainfo=dict(classes=classes))
train_dataloader = dict(num_workers=1, dataset=own)
val_dataloader = dict(num_workers=1, dataset=own)
test_dataloader = val_dataloader
model = dict(
    data_preprocessor=dict(num_classes=len(classes)),
    backbone=dict(init_cfg=dict(checkpoint=root + '/weights/mobileone_s0/mobileone_s0.pth.tar')),
    head=dict(num_classes=len(classes)),
)
randomness = dict(seed=0)
