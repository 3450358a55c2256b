_base_ = [
    '../_base_/ssdlite.py',
    '../_base_/coco_detection.py',
    '../_base_/ssd_schedule.py',
    '../_base_/detection_runtime.py',
]
weights = 'https://docs-assets.developer.apple.com/ml-research/datasets/mobileone/mobileone_s0_unfused.pth.tar'
model = dict(backbone=dict(init_cfg=dict(type='Pretrained', checkpoint=weights)))
