_base_ = [
    '../_base_/deeplabv3.py',
    '../_base_/ade20k_segmentation.py',
    '../_base_/segmentation_schedule.py',
    '../_base_/segmentation_runtime.py',
]
weights = 'https://docs-assets.developer.apple.com/ml-research/datasets/mobileone/mobileone_s0_unfused.pth.tar'
classes = dict(num_classes=150)
model = dict(
    backbone=dict(init_cfg=dict(type='Pretrained', checkpoint=weights)),
    decode_head=classes,
    auxiliary_head=classes,
)
