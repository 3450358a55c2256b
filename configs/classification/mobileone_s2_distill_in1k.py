_base_ = 'mobileone_s0_distill_in1k.py'
model = dict(
    backbone=dict(arch='s2'),
    head=dict(in_channels=2048),
    init_cfg=dict(
        checkpoint='https://docs-assets.developer.apple.com/ml-research/datasets/mobileone/mobileone_s2_unfused.pth.tar'
    ),
)
