crop_size = (512, 512)
# MobileViT's augmentations, as near as mmseg has them (it has no Gaussian noise): a short side of 256 to 768 px, the
# long one at most 1024, a crop in which no class fills more than three quarters, a flip, a turn of up to 10 degrees.
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(type='RandomChoiceResize', scales=[*range(256, 769, 32)], resize_type='ResizeShortestEdge', max_size=1024),
    dict(type='RandomCrop', crop_size=crop_size, cat_max_ratio=0.75),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PhotoMetricDistortion'),
    dict(type='RandomRotate', prob=0.5, degree=10),
    dict(type='PackSegInputs'),
]
# The same, but resizing, crop, flip and turn are one warp: docs/train.md, "Feeding".
in_one_warp = [dict(type='mobileone_mm.OneWarp', transforms=train_pipeline)]
# Tested at a fixed size as there, which is also what an exported model sees.
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=crop_size, keep_ratio=False),
    dict(type='LoadAnnotations'),  # after Resize: masks keep their size, and scores are brought to it
    dict(type='PackSegInputs'),
]
val_evaluator = dict(type='IoUMetric', iou_metrics=['mIoU'])
test_evaluator = val_evaluator
