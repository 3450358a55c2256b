# The paper: 50 epochs, "the training procedure of MobileViT". The numbers are those of that procedure's config in
# CVNets (config/segmentation/pascal_voc/deeplabv3_mobilevit.yaml); that MobileOne was trained with them is assumed.
max_epochs = 50
train_cfg = dict(type='mobileone_mm.EpochBasedTrainLoop', max_epochs=max_epochs, val_interval=1)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
heads = dict(lr_mult=10.0)  # they start from nothing
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=9e-4, weight_decay=0.01),
    paramwise_cfg=dict(custom_keys=dict(decode_head=heads, auxiliary_head=heads)),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=500),
    dict(
        type='CosineAnnealingLR',
        by_epoch=True,
        begin=0,
        end=max_epochs,
        T_max=max_epochs,
        eta_min_ratio=1e-6 / 9e-4,  # a ratio: the heads keep their factor
        convert_to_iter_based=True,
    ),
]
# 4 GPUs x 16 images. The file there also adds two batches up, its comment says 64: assumed. Enabled, so that the
# learning rate follows the batch that is really trained with.
auto_scale_lr = dict(enable=True, base_batch_size=64)
