# With AutoAugment, whose strength grows with the picture, as the paper trains S2 to S4. It does not say by how much,
# nor what strength means: assumed are the factors by which mmpretrain's configs raise the amounts of RandAugment, here
# for those of AutoAugment.
_base_ = 'imagenet_recipe.py'
strengths = (0.3, 0.7, 1.0)
pad_val = (104, 116, 124)  # the mean picture (blue, green, red), as in mmpretrain's
pipelines = [
    [*pipeline[:-1], dict(type='mobileone_mm.AutoAugment', strength=strength, pad_val=pad_val), pipeline[-1]]
    for pipeline, strength in zip(_base_.pipelines, strengths, strict=True)
]
in_one_warp = [[dict(type='mobileone_mm.OneWarp', transforms=steps)] for steps in pipelines]
train_dataloader = dict(dataset=dict(pipeline=in_one_warp[0]))
schedule = [dict(step, train_pipeline=steps) for step, steps in zip(_base_.schedule, in_one_warp[1:], strict=True)]
custom_hooks = [dict(_base_.custom_hooks[0], schedule=schedule), *_base_.custom_hooks[1:]]
