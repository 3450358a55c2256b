_base_ = 'deeplabv3_mobileone_s0_ade20k.py'
weights = 'https://docs-assets.developer.apple.com/ml-research/datasets/mobileone/mobileone_s2_unfused.pth.tar'
model = dict(
    backbone=dict(arch='s2', init_cfg=dict(checkpoint=weights)),
    decode_head=dict(in_channels=2048),
    auxiliary_head=dict(in_channels=640),
)
