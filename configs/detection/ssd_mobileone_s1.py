_base_ = 'ssd_mobileone_s0.py'
weights = 'https://docs-assets.developer.apple.com/ml-research/datasets/mobileone/mobileone_s1_unfused.pth.tar'
channels = (512, 1280, 512, 256, 256, 128)
model = dict(
    backbone=dict(arch='s1', init_cfg=dict(checkpoint=weights)),
    neck=dict(in_channels=channels[:2], out_channels=channels),
    bbox_head=dict(in_channels=channels),
)
