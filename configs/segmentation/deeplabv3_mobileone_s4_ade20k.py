# Without squeeze-excite, as the paper trained it for segmentation. The weights that it started from were never
# published: those of the S4 with squeeze-excite fill the other layers, which have to learn to do without it.
_base_ = 'deeplabv3_mobileone_s0_ade20k.py'
weights = 'https://docs-assets.developer.apple.com/ml-research/datasets/mobileone/mobileone_s4_unfused.pth.tar'
model = dict(
    backbone=dict(arch='s4', se_cfg=None, init_cfg=dict(checkpoint=weights, without_se=True)),
    decode_head=dict(in_channels=2048),
    auxiliary_head=dict(in_channels=896),
)
