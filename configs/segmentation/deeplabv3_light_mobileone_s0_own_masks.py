# Fine-tuning on your own masks: docs/own_data.md. For another variant, change the line below.
_base_ = 'deeplabv3_light_mobileone_s0_voc.py'

# --- yours: names and paths ---
classes = ('background', 'thing')  # in the order of the masks' ids, which begin with 0
data_root = 'data/own/'
images = 'images'
masks = 'masks'  # named like the images, with any endings
val_images = None  # None: a fifth of the images, always the same ones; split frames of a video by scene, into folders
val_masks = None
ignore_index = 255  # id or ids in the masks that have no class; 255 never has one
colour_map = None  # for masks in colour: ((0, 0, 0), (128, 0, 0)), one per class; `mobileone check` suggests it
class_weight = None  # for rare classes; `mobileone check` suggests it
input_size = (512, 512)  # width, height in px, of crops in training and of the exported model's input

# --- follows from the above ---
batch_size, max_epochs = 8, 60
crop_size = (input_size[1], input_size[0])
changed = dict(
    LoadAnnotations=dict(type='mobileone_mm.LoadMask'),
    # To between 3/4 of the input size and twice that. The base begins at half, where most of a crop is padding.
    RandomChoiceResize=dict(
        scales=[min(input_size) * part // 16 for part in range(12, 33)], max_size=2 * max(input_size)
    ),
    RandomCrop=dict(crop_size=crop_size),
    Resize=dict(scale=input_size),
)
train_pipeline = [dict(step, **changed.get(step['type'], {})) for step in _base_.train_pipeline]
in_one_warp = [dict(type='mobileone_mm.OneWarp', transforms=train_pipeline)]  # the same, faster
test_pipeline = [dict(step, **changed.get(step['type'], {})) for step in _base_.test_pipeline]
parts = ('all', 'all') if val_images else ('train', 'val')
own = dict(_delete_=True, type='mobileone_mm.MaskDataset', data_root=data_root, metainfo=dict(classes=classes))
own.update(ignore_index=ignore_index, colour_map=colour_map)
train_set = dict(data_prefix=dict(img_path=images, seg_map_path=masks), part=parts[0])
val_set = dict(data_prefix=dict(img_path=val_images or images, seg_map_path=val_masks or masks), part=parts[1])
train_dataloader = dict(batch_size=batch_size, dataset=dict(**own, **train_set, pipeline=in_one_warp))
val_dataloader = test_dataloader = dict(dataset=dict(**own, **val_set, pipeline=test_pipeline))
head = dict(
    num_classes=len(classes),
    out_channels=len(classes),  # stated, since mmseg would make one channel of two classes
    loss_decode=dict(class_weight=class_weight),
)
aspp = _base_.model.decode_head
light = aspp.type == 'DepthwiseSeparableASPPHead'
# Stage 0 adds the details of stride 4 (DeepLabV3+): outlines, and what is thinner than the 16 px of the last map.
details = dict(c1_in_channels=dict(s0=48, s1=96, s2=96)[_base_.model.backbone.arch], c1_channels=24) if light else {}
model = dict(
    data_preprocessor=dict(size=crop_size),
    backbone=dict(out_indices=(0, 2, 3), train_impl='auto'),  # the same steps in less time: docs/training-cost.md
    decode_head=dict(**head, in_index=2, **details),
    auxiliary_head=dict(**head, in_index=1, channels=aspp.channels // 2),  # for training alone: half as wide
)
train_cfg = dict(max_epochs=max_epochs, val_interval=5)
optim_wrapper = dict(_delete_=True, type='OptimWrapper', optimizer=dict(type='AdamW', lr=1e-3, weight_decay=0.05))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=True, begin=0, end=1, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', begin=0, end=max_epochs, T_max=max_epochs, convert_to_iter_based=True),
]
auto_scale_lr = dict(base_batch_size=8)
custom_hooks = [hook for hook in _base_.custom_hooks if hook['type'] != 'EMAHook']  # averages lag behind a short run
