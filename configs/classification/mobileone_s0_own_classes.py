# Fine-tuning on your own pictures in class folders: docs/own_data.md. For another variant, change the line below.
_base_ = 'mobileone_s0_in1k.py'

# --- yours: names and paths ---
classes = ('cat', 'dog')  # names of the class folders, in the order of the labels
data_root = 'data/own/'
train_folder = 'train'  # a folder for each class
val_folder = 'val'  # the same; None: hold out a fifth of each class in train_folder, always the same pictures
input_size = 288  # px, one number: width and height of the exported model's input
# Random crops have 7/9 of a square picture's side on average: at 7/9 of the size, things are as large as in tests.
train_size = 32 * max(1, round(input_size * 7 / 9 / 32))  # px, in training

# --- follows from the above ---
batch_size, max_epochs = 16, 30
arch = _base_.model.backbone.arch
weights = f'https://docs-assets.developer.apple.com/ml-research/datasets/mobileone/mobileone_{arch}_unfused.pth.tar'
spread = dict(total_level=10, magnitude_std=0.5, hparams=dict(pad_val=(104, 116, 124), interpolation='bicubic'))
plain_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='RandomResizedCrop', scale=train_size, crop_ratio_range=(0.25, 1.0), backend='pillow'),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackInputs'),
]
augment = dict(type='RandAugment', policies='timm_increasing', num_policies=2, magnitude_level=5, **spread)
train_pipeline = [*plain_pipeline[:-1], augment, plain_pipeline[-1]]
in_one_warp = [[dict(type='mobileone_mm.OneWarp', transforms=steps)] for steps in (train_pipeline, plain_pipeline)]
test_pipeline = [  # the whole short side, without ImageNet's margin: what Vision's centerCrop delivers
    dict(type='LoadImageFromFile'),
    dict(type='ResizeEdge', scale=input_size, edge='short', backend='pillow'),
    dict(type='CenterCrop', crop_size=input_size),
    dict(type='PackInputs'),
]
own = dict(_delete_=True, type='mobileone_mm.ClassFolderDataset', data_root=data_root, metainfo=dict(classes=classes))
parted = val_folder is None
train_set = dict(data_prefix=dict(img_path=train_folder), part='train' if parted else 'all')
val_prefix = dict(img_path=train_folder if parted else val_folder)
val_set = dict(part='val' if parted else 'all', apart_from=None if parted else train_folder, test_mode=True)
train_dataloader = dict(batch_size=batch_size, dataset=dict(**own, **train_set, pipeline=in_one_warp[0]))
val_dataloader = test_dataloader = dict(dataset=dict(**own, **val_set, data_prefix=val_prefix, pipeline=test_pipeline))
val_evaluator = test_evaluator = dict(topk=(1,))  # there may be fewer classes than five
model = dict(
    data_preprocessor=dict(num_classes=len(classes)),
    # 'auto': the same steps in less time, docs/training-cost.md
    backbone=dict(train_impl='auto', init_cfg=dict(type='Pretrained', checkpoint=weights)),
    head=dict(num_classes=len(classes), topk=(1,)),
    train_cfg=dict(augments=[dict(type='Mixup', alpha=0.2), dict(type='CutMix', alpha=1.0)]),  # one or the other
)
train_cfg = dict(max_epochs=max_epochs, val_interval=5)
optim_wrapper = dict(
    optimizer=dict(_delete_=True, type='AdamW', lr=1e-4, weight_decay=0.05),
    paramwise_cfg=dict(custom_keys=dict(head=dict(lr_mult=10.0))),  # it starts from nothing
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=True, begin=0, end=1, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', begin=0, end=max_epochs, T_max=max_epochs, convert_to_iter_based=True),
]
auto_scale_lr = dict(base_batch_size=16)
last = dict(action_epoch=max_epochs * 2 // 3 + 1, train_pipeline=in_one_warp[1], batch_augments=None)  # for BatchNorm
ema = dict(type='EMAHook', momentum=0.02, update_buffers=True)  # over some 50 steps; the base's thousands are too many
custom_hooks = [dict(type='SwitchRecipeHook', schedule=[last]), ema, *_base_.custom_hooks[2:]]
