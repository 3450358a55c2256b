_base_ = 'ssd_mobileone_s0.py'
weights = 'https://docs-assets.developer.apple.com/ml-research/datasets/mobileone/mobileone_s2_unfused.pth.tar'
channels = (640, 2048, 512, 256, 256, 128)
model = dict(
    backbone=dict(arch='s2', init_cfg=dict(checkpoint=weights)),
    neck=dict(in_channels=channels[:2], out_channels=channels),
    bbox_head=dict(in_channels=channels),
)
