_base_ = 'mobileone_s0_distill_in1k.py'
model = dict(
    backbone=dict(arch='s1'),
    head=dict(in_channels=1280),
    init_cfg=dict(
        checkpoint='https://docs-assets.developer.apple.com/ml-research/datasets/mobileone/mobileone_s1_unfused.pth.tar'
    ),
)
