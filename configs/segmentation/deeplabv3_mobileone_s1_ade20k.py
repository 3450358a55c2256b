_base_ = 'deeplabv3_mobileone_s0_ade20k.py'
weights = 'https://docs-assets.developer.apple.com/ml-research/datasets/mobileone/mobileone_s1_unfused.pth.tar'
model = dict(
    backbone=dict(arch='s1', init_cfg=dict(checkpoint=weights)),
    decode_head=dict(in_channels=1280),
    auxiliary_head=dict(in_channels=512),
)
