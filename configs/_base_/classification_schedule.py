# The paper: 300 epochs, batches of 256, SGD with momentum from a learning rate of 0.1 by a cosine, and a weight decay
# that falls from 1e-4 to 1e-5 by the same cosine.
max_epochs = 300
train_cfg = dict(type='mobileone_mm.EpochBasedTrainLoop', max_epochs=max_epochs, val_interval=1)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.1, momentum=0.9, weight_decay=1e-4),  # momentum assumed, mmpretrain's
    # None on BatchNorm and biases, as CoreNet trains S1 (mmpretrain: on BatchNorm alone): assumed.
    paramwise_cfg=dict(norm_decay_mult=0.0, bias_decay_mult=0.0),
)
# One cosine for both, from the first epoch, set at the beginning of each (assumed; FastViT's does it in each step).
#
# mmpretrain's MobileOne has a warm-up of 5 epochs, which the paper does not speak of. With it the two cosines would
# not be the same; and 0.1 for batches of 256 is what networks with BatchNorm begin with as they are.
# Its floor of 1e-6 under the learning rate is left out because it is never reached: the last epoch has 2.7e-6.
cosine = dict(begin=0, end=max_epochs, T_max=max_epochs, by_epoch=True)
param_scheduler = [
    dict(type='CosineAnnealingLR', eta_min=0.0, **cosine),
    # A ratio: `eta_min=1e-5`, as mmpretrain has it, would raise the decay of BatchNorm and biases from 0 to 1e-5.
    dict(type='CosineAnnealingParamScheduler', param_name='weight_decay', eta_min_ratio=0.1, **cosine),
]
# 8 GPUs x 32 images. Enabled, so that the learning rate follows the batch that is really trained with.
auto_scale_lr = dict(enable=True, base_batch_size=256)
