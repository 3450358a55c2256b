# DeepLabV3 as in CVNets, the paper's library: ASPP of 512 channels, dropout 0.1, an auxiliary head. Channels and
# classes are those of S0 on VOC; variants and data sets set theirs.
#
# The output stride is assumed. CVNets' configs say 8, but its MobileOne ignores that and runs at stride 32; what the
# paper's runs did is not known. 16 is between: at 8 the ten wide blocks of stage 3 have four times the pixels.
# docs/train.md has what each costs.
output_stride = 16
# CVNets' rates 12, 24, 36 are for a map at stride 8. Here they follow the stride, so that each sees as far in the
# picture: on the map of 32 x 32 that 512 px make at stride 16, a rate of 36 would reach over the edge everywhere.
rates = [rate * 8 // output_stride for rate in (12, 24, 36)]
norm_cfg = dict(type='BN')  # CVNets: over all GPUs; sync_bn='torch' does that
# The mean over pixels with a label, as CVNets has it; mmseg's default counts padding as well.
loss = dict(type='mobileone_mm.CrossEntropyLoss', avg_non_ignore=True)
model = dict(
    type='EncoderDecoder',
    data_preprocessor=dict(
        type='SegDataPreProcessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        size=(512, 512),  # of a training batch: smaller crops are padded
        pad_val=0,
        seg_pad_val=255,
    ),
    backbone=dict(type='mobileone_mm.MobileOne', arch='s0', out_indices=(2, 3), output_stride=output_stride),
    decode_head=dict(
        type='ASPPHead',
        in_channels=1024,
        in_index=1,
        channels=512,
        dilations=(1, *rates),
        dropout_ratio=0.1,
        num_classes=21,
        norm_cfg=norm_cfg,
        align_corners=False,
        loss_decode=dict(**loss, loss_weight=1.0),
    ),
    auxiliary_head=dict(
        type='FCNHead',
        in_channels=256,
        in_index=0,
        channels=256,  # assumed
        num_convs=1,
        concat_input=False,
        dropout_ratio=0.1,
        num_classes=21,
        norm_cfg=norm_cfg,
        align_corners=False,
        loss_decode=dict(**loss, loss_weight=0.4),  # of CVNets' config for ADE20k; on VOC assumed
    ),
    train_cfg=dict(),
    test_cfg=dict(mode='whole'),
)
