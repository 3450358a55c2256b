"""mobileone_s0_own_classes.py as a user would fill it in for five kinds of flowers: classification.md."""

_base_ = '../configs/classification/mobileone_s0_own_classes.py'

classes = ('daisy', 'dandelion', 'roses', 'sunflowers', 'tulips')
root = '{{$MOBILEONE_MM_DATA:.}}'
data_root = root + '/data/flowers5/'
train_dataloader = dict(num_workers=1, dataset=dict(data_root=data_root, metainfo=dict(classes=classes)))
val_dataloader = dict(num_workers=1, dataset=dict(data_root=data_root, metainfo=dict(classes=classes)))
test_dataloader = val_dataloader
model = dict(
    data_preprocessor=dict(num_classes=len(classes)),
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
    head=dict(num_classes=len(classes)),
)
randomness = dict(seed=0)
