# What the demos share: a network that learns drawn shapes from nothing, in some hundred steps of minutes on a CPU.
width_factor = [0.75, 1.0, 1.0, 2.0]  # S0's, with a third of its layers
arch = dict(num_blocks=[1, 2, 3, 1], width_factor=width_factor, num_conv_branches=[1] * 4, num_se_blocks=[0] * 4)
loader = dict(batch_size=16, num_workers=0, persistent_workers=False)  # small pictures: workers would only cost
max_epochs = 6
train_cfg = dict(type='mobileone_mm.EpochBasedTrainLoop', max_epochs=max_epochs, val_interval=2)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='AdamW', lr=2e-3, weight_decay=0.01))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=30),
    dict(type='CosineAnnealingLR', begin=0, end=max_epochs, T_max=max_epochs, convert_to_iter_based=True),
]
randomness = dict(seed=0)
