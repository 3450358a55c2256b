# The paper distils by the recipe of MEAL V2 (table 10) and says no more: neither teachers nor epochs. What stands here
# is MEAL V2's own (arXiv 2009.08453), as its repository trains at 224 px. Assumed: that the paper took it as it is.
#
# Left out: MEAL V2's discriminator, a second loss that tells the student's scores from the teachers'.
_base_ = ['imagenet_classification.py', 'classification_runtime.py']
# As MEAL V2: random crops of torchvision's default (8 % of the picture and more) and flips, 224 px from the first epoch
# to the last. So there is no SwitchRecipeHook, and no AutoAugment for S2 to S4.
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='RandomResizedCrop', scale=224, backend='pillow'),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackInputs'),
]
in_one_warp = [dict(type='mobileone_mm.OneWarp', transforms=train_pipeline)]  # the same: docs/train.md, "Feeding"
train_dataloader = dict(dataset=dict(pipeline=in_one_warp))
# MEAL V2: 180 epochs in its readme's command for ResNet-50. Those for the MobileNets name none, which means 200.
train_cfg = dict(type='mobileone_mm.EpochBasedTrainLoop', max_epochs=180, val_interval=1)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
# MEAL V2: 0.01 in its epochs 0 to 100, then a tenth of it; no weight decay, no warm-up.
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.01, momentum=0.9, weight_decay=0.0))
param_scheduler = [dict(type='MultiStepLR', milestones=[101], gamma=0.1, by_epoch=True)]
# MEAL V2: batches of 512. Enabled, so that the learning rate follows the batch that is really trained with.
auto_scale_lr = dict(enable=True, base_batch_size=512)
# The runtime's EMA is the paper's for its training from scratch; MEAL V2 has none. Kept: assumed.
