"""The ImageNet recipe with 12 epochs instead of 300, on five kinds of flowers, from scratch: classification.md.

S0 with the AutoAugment of S2 to S4, so that every part of the recipe runs: growing pictures and strengths, both
cosines, averaged weights, label smoothing. What a part counts in epochs or steps is shortened with the training.
"""

_base_ = ['../configs/_base_/mobileone_classifier.py', '../configs/_base_/imagenet_recipe_augmented.py']

max_epochs = 12
switches = (2, 5)  # 38 and 113 of 300, rounded
classes = ('daisy', 'dandelion', 'roses', 'sunflowers', 'tulips')
flowers = dict(
    _delete_=True,
    type='mobileone_mm.ClassFolderDataset',
    data_root='{{$MOBILEONE_MM_DATA:.}}/data/flowers5/',
    metainfo=dict(classes=classes),
)
train_dataloader = dict(
    num_workers=1, dataset=dict(**flowers, data_prefix=dict(img_path='train'), pipeline=_base_.pipelines[0])
)
val_dataloader = dict(
    num_workers=1, dataset=dict(**flowers, data_prefix=dict(img_path='val'), pipeline=_base_.test_pipeline)
)
test_dataloader = val_dataloader
val_evaluator = dict(topk=(1,))
test_evaluator = val_evaluator
model = dict(data_preprocessor=dict(num_classes=5), head=dict(num_classes=5, topk=(1,)))
train_cfg = dict(max_epochs=max_epochs)
cosine = dict(begin=0, end=max_epochs, T_max=max_epochs, by_epoch=True)
param_scheduler = [dict(step, **cosine) for step in _base_.param_scheduler]
schedule = [
    dict(step, action_epoch=after + 1) for after, step in zip(switches, _base_.custom_hooks[0].schedule, strict=True)
]
custom_hooks = [
    dict(_base_.custom_hooks[0], schedule=schedule),
    dict(_base_.custom_hooks[1], momentum=0.1),  # 144 steps: with 0.0005 the average would stay where it began
    *_base_.custom_hooks[2:],
]
randomness = dict(seed=0)
