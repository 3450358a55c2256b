# The paper: 200 epochs, a cosine schedule, a warm-up. No text we could find gives the other numbers; those marked
# "assumed" are the ones quoted for its supplement from memory, and their batch of 192 is that of mmdet's SSDLite.
max_epochs = 200
train_cfg = dict(type='mobileone_mm.EpochBasedTrainLoop', max_epochs=max_epochs, val_interval=5)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.05, momentum=0.9, weight_decay=1e-4),  # assumed
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.001, by_epoch=False, begin=0, end=4500),  # length and start assumed
    dict(
        type='CosineAnnealingLR',
        by_epoch=True,
        begin=0,
        end=max_epochs,
        T_max=max_epochs,
        eta_min=0,  # assumed
        convert_to_iter_based=True,
    ),
]
# 8 x 24 images, assumed. Enabled, so that the learning rate follows the batch that is really trained with.
auto_scale_lr = dict(enable=True, base_batch_size=192)
