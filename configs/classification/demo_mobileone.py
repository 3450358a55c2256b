# The classifier of `make demo-classification`: drawn shapes from nothing on a CPU.
_base_ = ['../_base_/mobileone_classifier.py', '../_base_/classification_runtime.py', '../_base_/demo.py']
data_root = 'demo/data/'
classes = ('circle', 'square', 'triangle')
input_size = 96  # px, one number: the width, which is the height too
model = dict(
    data_preprocessor=dict(num_classes=len(classes)),
    backbone=dict(arch=dict(_delete_=True, **_base_.arch)),
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
shuffled, in_order = dict(type='DefaultSampler', shuffle=True), dict(type='DefaultSampler', shuffle=False)
train_dataloader = dict(**_base_.loader, drop_last=True, sampler=shuffled, dataset=dict(**own, **train_set))
val_dataloader = dict(**_base_.loader, sampler=in_order, dataset=dict(**own, **val_set))
test_dataloader = val_dataloader
val_evaluator = dict(type='Accuracy', topk=(1,))
test_evaluator = val_evaluator
default_hooks = dict(logger=dict(interval=20), checkpoint=dict(interval=2, max_keep_ckpts=1))
# Weights averaged over thousands of steps would lag behind a run of some hundred.
custom_hooks = [hook for hook in _base_.custom_hooks if hook['type'] != 'EMAHook']
log_processor = dict(window_size=20)
