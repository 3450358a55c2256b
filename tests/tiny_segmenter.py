"""A tiny encoder-decoder as config and checkpoint files, trained by nobody, on pictures and masks that it is given."""

from collections.abc import Sequence
from pathlib import Path
from textwrap import dedent
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from mobileone_mm.exporter.export import export
from mobileone_mm.exporter.report import Report
from mobileone_mm.openmmlab import configs
from mobileone_mm.openmmlab.open_model import open_model
from mobileone_mm.pictures.synthetic import drawn_picture
from mobileone_mm.reparam import fuse
from mobileone_mm.tasks.segmentation.graph import SegmenterGraph
from mobileone_mm.tasks.segmentation.options import SegmentationOptions
from mobileone_mm.weights import checkpoint

CLASSES = ('sky', 'grass', 'road', 'house')
SIZE = (96, 64)  # width, height
PICTURES = 3
GAIN = 8.0  # spreads the logits

CONFIG = """
default_scope = 'mmseg'
classes = {classes}
norm_cfg = dict(type='BN', eps=0.001)
model = dict(
    type='EncoderDecoder',
    data_preprocessor=dict(
        type='SegDataPreProcessor', mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], bgr_to_rgb={to_rgb},
        pad_val=0, seg_pad_val=255,
    ),
    backbone=dict(
        type='mobileone_mm.MobileOne',
        arch=dict(
            num_blocks=[1, 1, 1, 1],
            width_factor=[0.125, 0.125, 0.125, 0.125],
            num_conv_branches=[1, 1, 1, 1],
            num_se_blocks=[0, 0, 0, 0],
        ),
        out_indices=(2, 3),
        output_stride={output_stride},
    ),
    decode_head=dict(
        type='ASPPHead', in_channels=64, in_index=1, channels=16, dilations=(1, 2), dropout_ratio=0.1,
        num_classes={num_classes}, norm_cfg=norm_cfg, align_corners={align_corners}, {head}
    ),
    auxiliary_head=dict(
        type='FCNHead', in_channels=32, in_index=0, channels=8, num_convs=1, num_classes={num_classes},
        norm_cfg=norm_cfg, align_corners={align_corners},
    ),
    test_cfg=dict(mode={mode!r}),
)
test_dataloader = dict(
    dataset=dict(
        type='BaseSegDataset',
        data_root={root!r},
        data_prefix=dict(img_path='images', seg_map_path='masks'),
        img_suffix='.png',
        metainfo=dict(classes=classes),
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(type='Resize', scale={size}, keep_ratio=False),
            dict(type='LoadAnnotations'),
            dict(type='PackSegInputs'),
        ],
    )
)
test_evaluator = dict(type='IoUMetric', iou_metrics=['mIoU'])
"""


def write_config(folder: Path, name: str = 'seg.py', **changes: Any) -> Path:
    """A config with these changes, and pictures with masks beside it."""
    values = {
        'classes': CLASSES,
        'size': SIZE,
        'to_rgb': True,
        'output_stride': 16,
        'align_corners': False,
        'head': '',
        'mode': 'whole',
        'root': str(folder),
        **changes,
    }
    values.setdefault('num_classes', len(values['classes']))
    write_pictures(folder)
    path = folder / name
    path.write_text(dedent(CONFIG.format(**values)))
    return path


def write_pictures(folder: Path) -> None:
    """Pictures of several sizes, and masks of stripes; the first row of pixels is ignored."""
    for kind in ('images', 'masks'):
        (folder / kind).mkdir(exist_ok=True)
    for index in range(PICTURES):
        width, height = 80 + 16 * index, 60 + 8 * index
        picture = np.roll(drawn_picture((width, height)), 9 * index, axis=1)
        mask = (np.arange(height)[:, None] * len(CLASSES) // height).repeat(width, axis=1).astype(np.uint8)
        mask[0] = 255
        cv2.imwrite(str(folder / f'images/{index}.png'), picture[..., ::-1])
        cv2.imwrite(str(folder / f'masks/{index}.png'), mask)


def lively(model: nn.Module, size: tuple[int, int]) -> nn.Module:
    """Batch statistics of pictures, random gammas and betas, and logits that spread."""
    generator = torch.Generator().manual_seed(1)
    picture = torch.from_numpy(drawn_picture(size).transpose(2, 0, 1).copy())
    crops = [picture.roll((shift, 2 * shift), (1, 2)).flip(0) for shift in range(0, 64, 8)]
    with torch.no_grad():
        for norm in model.modules():
            if isinstance(norm, nn.BatchNorm2d):
                norm.weight.copy_(0.5 + torch.rand(norm.weight.shape, generator=generator))
                norm.bias.copy_(0.3 * torch.randn(norm.bias.shape, generator=generator))
                norm.momentum = None  # the plain mean over what comes
        head: Any = model.decode_head
        head.conv_seg.weight.normal_(0, 0.1 * GAIN, generator=generator)
        prepared = model.data_preprocessor({'inputs': crops})
        model.train()(prepared['inputs'])
    return model.eval()


def new_segmenter(folder: Path, **changes: Any) -> tuple[Path, Path]:
    """Config file and checkpoint file of a tiny segmenter, with these changes in its config."""
    torch.manual_seed(0)
    config_file = write_config(folder, **changes)
    model = lively(configs.build_model(configs.load_config(config_file)), changes.get('size', SIZE))
    weights = folder / 'best.pth'
    meta = {'dataset_meta': {'classes': list(changes.get('classes', CLASSES))}}
    checkpoint.save_checkpoint(weights, model.state_dict(), meta)
    return config_file, weights


def export_segmenter(files: tuple[Path, Path], out: Path, images: Sequence[Path] = (), **options: Any) -> Report:
    """Export a segmenter's config and checkpoint file, with options of the task and the format by name."""
    return export(*files, out, images=images, options=options)


def model_of(files: tuple[Path, Path]) -> Any:
    """A segmenter's trained model, in eval mode."""
    return open_model(configs.load_config(files[0]), files[1])[0]


def graph_of(files: tuple[Path, Path], **options: Any) -> SegmenterGraph:
    """The export graph of a segmenter's config and checkpoint file."""
    return SegmenterGraph(fuse(model_of(files)), SIZE, SegmentationOptions(**options))


@pytest.fixture(scope='session')
def segmenter(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Config file and checkpoint file of the tiny segmenter."""
    return new_segmenter(tmp_path_factory.mktemp('segmenter'))


@pytest.fixture(scope='session')
def segmenter_package(segmenter: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Report:
    """The tiny segmenter's package; never change it, copy it."""
    return export_segmenter(segmenter, tmp_path_factory.mktemp('segmenter_package') / 'seg.mlpackage')
