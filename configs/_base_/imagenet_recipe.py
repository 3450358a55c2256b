# Crops and flips alone. The picture grows in two steps, which the paper speaks of without numbers in the text that is
# public. Those below are assumed: in its figure 4 the curves of S0 have steps after 38 and 113 of the 300 epochs, and
# mmpretrain's configs have the sizes.
_base_ = ['imagenet_classification.py', 'classification_schedule.py', 'classification_runtime.py']
switches = (38, 113)  # after so many epochs
sizes = (160, 192, 224)  # px
pipelines = [
    [
        dict(type='LoadImageFromFile'),
        dict(type='RandomResizedCrop', scale=size, backend='pillow'),
        dict(type='RandomFlip', prob=0.5),
        dict(type='PackInputs'),
    ]
    for size in sizes
]
in_one_warp = [[dict(type='mobileone_mm.OneWarp', transforms=steps)] for steps in pipelines]  # docs/train.md, "Feeding"
train_dataloader = dict(dataset=dict(pipeline=in_one_warp[0]))
# The hook counts epochs from 1. It passes over keys that it does not know, so that mmpretrain's own configs, which say
# `pipeline`, stay at 160 px.
schedule = [
    dict(action_epoch=after + 1, train_pipeline=pipeline)
    for after, pipeline in zip(switches, in_one_warp[1:], strict=True)
]
custom_hooks = [dict(type='SwitchRecipeHook', schedule=schedule), *_base_.custom_hooks]
