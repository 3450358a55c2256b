"""Small sets of pictures with masks or boxes, in the current folder, and configs that train on them."""

from pathlib import Path

import numpy as np
from PIL import Image

from mobileone_mm.datasets import toy
from mobileone_mm.datasets.toy_options import ToyOptions

SIDE = 40
MASKS = """
default_scope = 'mmseg'
classes = ('ground', 'thing', 'never')
model = dict(type='EncoderDecoder', decode_head=dict(num_classes={count}), auxiliary_head=[dict(num_classes=3)])
prefix = dict(img_path='images', seg_map_path='masks')
own = dict(type='mobileone_mm.MaskDataset', data_root='data', data_prefix=prefix, metainfo=dict(classes=classes))
pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(type='RandomCrop', crop_size=(24, 32)),
    dict(type='PackSegInputs'),
]
train_dataloader = dict(dataset=dict(**own, part='train', ignore_index={ignored}, pipeline=pipeline))
val_dataloader = dict(dataset=dict(**own, part='{val}', ignore_index={ignored}, pipeline=pipeline))
test_dataloader = val_dataloader
"""
BOXES = """
default_scope = 'mmdet'
model = dict(type='SingleStageDetector', bbox_head=dict(num_classes=3))
metainfo = dict(classes=('circle', 'square', 'triangle'))
own = dict(type='mobileone_mm.CocoDataset', data_root='data', metainfo=metainfo)
pipeline = [
    dict(type='LoadImageFromFile', to_float32=True),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='RandomFlip', prob=1.0),
    dict(type='PackDetInputs'),
]
train = dict(**own, ann_file='annotations/train.json', data_prefix=dict(img='images/train'), pipeline=pipeline)
train_dataloader = dict(dataset=dict(type='RepeatDataset', times=3, dataset=train))
"""


def write_masks(count: int = 3, ignored: int = 11, val: str = 'val') -> None:
    """Five red pictures, one for validation: some rows without a class, then ground on the left, thing on the right."""
    for folder in ('data/images', 'data/masks'):
        Path(folder).mkdir(parents=True, exist_ok=True)
    for index in range(5):
        mask = np.zeros((SIDE, SIDE), np.uint8)
        mask[:, SIDE // 2 :] = 1
        mask[:4] = 11
        Image.new('RGB', (SIDE, SIDE), 'red').save(f'data/images/{index}.png')
        Image.fromarray(mask).save(f'data/masks/{index}.png')
    Path('my_masks.py').write_text(MASKS.format(count=count, ignored=ignored, val=val))


def write_boxes(images: int) -> int:
    """A set of shapes for training, which its config repeats; returns the number of their boxes."""
    boxes = toy.write_coco('data', ToyOptions(images=images, val=1, size=96))
    Path('boxes.py').write_text(BOXES)
    return boxes['train']
