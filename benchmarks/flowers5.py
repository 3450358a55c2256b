"""mobileone_s0_own_classes.py as a user would fill it in for five kinds of flowers: see classification.md."""

_base_ = '../configs/classification/mobileone_s0_own_classes.py'

classes = ('daisy', 'dandelion', 'roses', 'sunflowers', 'tulips')
root = '{{$MOBILEONE_MM_DATA:.}}'
data_root = root + '/data/flowers5/'
train_size, input_size = 224, 288  # px: crops of a picture show things larger than the whole of it does
max_epochs = 30
sized = dict(
    RandomResizedCrop=dict(scale=train_size),
    ResizeEdge=dict(scale=input_size),
    CenterCrop=dict(crop_size=input_size),
)
plain_pipeline = [dict(step, **sized.get(step['type'], {})) for step in _base_.plain_pipeline]
train_pipeline = [dict(step, **sized.get(step['type'], {})) for step in _base_.train_pipeline]
test_pipeline = [dict(step, **sized.get(step['type'], {})) for step in _base_.test_pipeline]
own = dict(data_root=data_root, metainfo=dict(classes=classes))
train_dataloader = dict(num_workers=1, dataset=dict(pipeline=train_pipeline, **own))
val_dataloader = dict(num_workers=1, dataset=dict(pipeline=test_pipeline, **own))
test_dataloader = val_dataloader
custom_hooks = _base_.custom_hooks
custom_hooks[0]['schedule'][0].update(action_epoch=max_epochs * 2 // 3 + 1, train_pipeline=plain_pipeline)
train_cfg = dict(max_epochs=max_epochs, val_interval=5)
param_scheduler = _base_.param_scheduler
param_scheduler[1].update(end=max_epochs, T_max=max_epochs)
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
        train_impl='auto',  # the same results in less time
        init_cfg=dict(checkpoint=root + '/weights/mobileone_s0/mobileone_s0.pth.tar'),
    ),
    head=dict(num_classes=len(classes)),
)
randomness = dict(seed=0)
