# The classifier of `make demo-classification`: drawn shapes from nothing on a CPU. S0's widths, a third of its layers.
_base_ = ['../_base_/mobileone_classifier.py', '../_base_/classification_runtime.py']
data_root = 'demo/data/'
classes = ('circle', 'square', 'triangle')
input_size = 96  # px, width and height
max_epochs = 6
width_factor = [0.75, 1.0, 1.0, 2.0]
arch = dict(num_blocks=[1, 2, 3, 1], width_factor=width_factor, num_conv_branches=[1] * 4, num_se_blocks=[0] * 4)
model = dict(
    data_preprocessor=dict(num_classes=len(classes)),
    backbone=dict(arch=dict(_delete_=True, **arch)),
    head=dict(num_classes=len(classes), topk=(1,)),
)
resize = [  # whole pictures, as they are square
    dict(type='ResizeEdge', scale=input_size, edge='short', backend='pillow'),
    dict(type='CenterCrop', crop_size=input_size),
]
train_pipeline = [
    dict(type='LoadImageFromFile'),
    *resize,
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackInputs'),
]
test_pipeline = [dict(type='LoadImageFromFile'), *resize, dict(type='PackInputs')]
own = dict(type='mobileone_mm.ClassFolderDataset', data_root=data_root, metainfo=dict(classes=classes))
train_set = dict(data_prefix=dict(img_path='train'), pipeline=train_pipeline)
val_set = dict(data_prefix=dict(img_path='val'), pipeline=test_pipeline, test_mode=True)
loader = dict(batch_size=16, num_workers=0, persistent_workers=False)  # small pictures: workers would only cost
shuffled, in_order = dict(type='DefaultSampler', shuffle=True), dict(type='DefaultSampler', shuffle=False)
train_dataloader = dict(**loader, drop_last=True, sampler=shuffled, dataset=dict(**own, **train_set))
val_dataloader = dict(**loader, sampler=in_order, dataset=dict(**own, **val_set))
test_dataloader = val_dataloader
val_evaluator = dict(type='Accuracy', topk=(1,))
test_evaluator = val_evaluator
train_cfg = dict(type='mobileone_mm.EpochBasedTrainLoop', max_epochs=max_epochs, val_interval=2)
val_cfg, test_cfg = dict(type='ValLoop'), dict(type='TestLoop')
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='AdamW', lr=2e-3, weight_decay=0.01))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=30),
    dict(type='CosineAnnealingLR', begin=0, end=max_epochs, T_max=max_epochs, convert_to_iter_based=True),
]
default_hooks = dict(logger=dict(interval=20), checkpoint=dict(interval=2, max_keep_ckpts=1))
# Weights averaged over thousands of steps would lag behind a run of some hundred.
custom_hooks = [hook for hook in _base_.custom_hooks if hook['type'] != 'EMAHook']
log_processor = dict(window_size=20)
randomness = dict(seed=0)
