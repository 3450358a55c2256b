_base_ = 'mobileone_s0_distill_in1k.py'
model = dict(
    backbone=dict(arch='s4'),
    head=dict(in_channels=2048),
    init_cfg=dict(
        checkpoint='https://docs-assets.developer.apple.com/ml-research/datasets/mobileone/mobileone_s4_unfused.pth.tar'
    ),
)
