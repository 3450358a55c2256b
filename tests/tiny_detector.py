"""A tiny SSD as config and checkpoint files, trained by nobody, with scores and boxes that vary; and its package."""

from collections.abc import Callable, Sequence
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
import torch
from torch import nn

from mobileone_mm.exporter.export import export
from mobileone_mm.exporter.report import Report
from mobileone_mm.openmmlab import configs
from mobileone_mm.openmmlab.classes import class_names
from mobileone_mm.openmmlab.open_model import open_model
from mobileone_mm.pictures.synthetic import drawn_picture
from mobileone_mm.reparam import fuse
from mobileone_mm.tasks.detection.graph import DetectorGraph
from mobileone_mm.weights import checkpoint

CLASSES = ('circle', 'square', 'triangle')
SIZE = (96, 64)  # width, height
SCORE_GAIN = 4.0  # fresh classification convolutions give nearly equal scores; this spreads them over 0..1

CONFIG = """
default_scope = 'mmdet'
classes = {classes}
num_classes = {num_classes}
channels = (32, 64, 32, 32)
norm_cfg = dict(type='BN', eps=0.001)
model = dict(
    type='SingleStageDetector',
    data_preprocessor=dict(
        type='DetDataPreprocessor', mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], bgr_to_rgb={to_rgb}
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
    ),
    neck=dict(
        type='SSDNeck', in_channels=channels[:2], out_channels=channels, level_strides=(2, 2), level_paddings=(1, 1),
        l2_norm_scale=None, use_depthwise=True, norm_cfg=norm_cfg, act_cfg=dict(type='ReLU6'),
    ),
    bbox_head=dict(
        type='mobileone_mm.SSDHead', in_channels=channels, num_classes=num_classes, use_depthwise=True,
        norm_cfg=norm_cfg, act_cfg=dict(type='ReLU6'),
        anchor_generator=dict(
            type='SSDAnchorGenerator', scale_major=False, strides=[16, 32, 64, 96], ratios={ratios},
            min_sizes=[16, 32, 48, 64], max_sizes=[32, 48, 64, 96],
        ),
        bbox_coder=dict(
            type='DeltaXYWHBBoxCoder', target_means={means}, target_stds=[0.1, 0.1, 0.2, 0.2]
        ),
    ),
    test_cfg=dict(
        nms_pre=1000, nms=dict(type='nms', iou_threshold=0.45), min_bbox_size=0, score_thr=0.02, max_per_img=200
    ),
)
test_dataloader = dict(
    dataset=dict(
        type='CocoDataset',
        metainfo=dict(classes=classes),
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(type='Resize', scale={size}, keep_ratio=False),
            dict(type='PackDetInputs', meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor')),
        ],
    )
)
"""
MIXED_RATIOS = [[2], [2, 3], [2, 3], [2]]  # 4, 6, 6 and 4 priors a position, as SSD300 has them


def write_config(folder: Path, name: str = 'tiny.py', **changes: Any) -> Path:
    values = {
        'classes': CLASSES,
        'size': SIZE,
        'ratios': [[2, 3]] * 4,
        'means': [0.0] * 4,
        'to_rgb': True,
        **changes,
    }
    values.setdefault('num_classes', len(values['classes']))
    path = folder / name
    path.write_text(dedent(CONFIG.format(**values)))
    return path


def lively(model: nn.Module, size: tuple[int, int]) -> nn.Module:
    """Batch statistics of pictures, random gammas and betas, and scores that spread, so that every pixel counts.

    Statistics drawn at random would not do here: the picture drowns in them after a few layers, and a wrong
    normalisation with it.
    """
    generator = torch.Generator().manual_seed(1)
    picture = torch.from_numpy(drawn_picture(size).transpose(2, 0, 1).copy())
    crops = [picture.roll((shift, 2 * shift), (1, 2)).flip(0) for shift in range(0, 64, 8)]
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    with torch.no_grad():
        for norm in norms:
            norm.weight.copy_(0.5 + torch.rand(norm.weight.shape, generator=generator))
            norm.bias.copy_(0.3 * torch.randn(norm.bias.shape, generator=generator))
            norm.momentum = None  # the plain mean over what comes
        model.train()(model.data_preprocessor({'inputs': crops})['inputs'])
        for convs in model.bbox_head.cls_convs:
            convs[-1].weight.mul_(SCORE_GAIN)
    return model.eval()


def overflowing(folder: Path, detector: tuple[Path, Path], factor: float) -> tuple[Path, Path]:
    """The same detector, its first unit's output times `factor` and the next unit's weights divided by it."""
    config_file, weights = detector
    source = checkpoint.read_checkpoint(weights)
    state = fuse(open_model(configs.load_config(config_file), weights)[0].double()).float().state_dict()
    for name in ('weight', 'bias'):
        state[f'backbone.stage0.reparam_conv.{name}'] *= factor
    state['backbone.stage1.0.reparam_conv.weight'] /= factor
    checkpoint.save_checkpoint(folder / 'scaled.pth', state, source.meta)
    return config_file, folder / 'scaled.pth'


def new_detector(folder: Path, **changes: Any) -> tuple[Path, Path]:
    """Config file and checkpoint file of a tiny SSD, with these changes in its config."""
    torch.manual_seed(0)
    config_file = write_config(folder, **changes)
    config = configs.load_config(config_file)
    model = lively(configs.build_model(config), changes.get('size', SIZE))
    weights = folder / 'best.pth'
    meta = {'dataset_meta': {'classes': list(class_names(config))}}
    checkpoint.save_checkpoint(weights, model.state_dict(), meta)
    return config_file, weights


@pytest.fixture(scope='session')
def make_detector() -> Callable[..., tuple[Path, Path]]:
    """A function (folder, **config changes) -> (config file, checkpoint file)."""
    return new_detector


@pytest.fixture(scope='session')
def detector(tmp_path_factory: pytest.TempPathFactory, make_detector: Callable[..., tuple[Path, Path]]) -> Any:
    """Config file and checkpoint file of the tiny SSD."""
    return make_detector(tmp_path_factory.mktemp('detector'))


def export_tiny(
    detector: tuple[Path, Path],
    out: Path,
    images: Sequence[Path] = (),
    input_size: tuple[int, int] | None = None,
    evaluate: bool = False,
    limit: int | None = None,
    **options: Any,
) -> Report:
    """Export a detector's config and checkpoint file, with options of the task and the format by name."""
    return export(
        *detector,
        out,
        options=options,
        input_size=input_size,
        images=images,
        evaluate=evaluate,
        limit=limit,
    )


@pytest.fixture(scope='session')
def exported(detector: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Report:
    """The tiny SSD's package; never change it, copy it."""
    return export_tiny(detector, tmp_path_factory.mktemp('exported') / 'tiny.mlpackage')


def graph_of(detector: tuple[Path, Path]) -> DetectorGraph:
    """The export graph of a detector's config and checkpoint file, without padding columns."""
    config_file, weights = detector
    model, _ = open_model(configs.load_config(config_file), weights)
    return DetectorGraph(fuse(model).float(), SIZE).eval()


@pytest.fixture(scope='session')
def onnx_reports(detector: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Report]:
    """The tiny SSD exported to ONNX: 'raw', and 'nms' with suppression; never change the files."""
    folder = tmp_path_factory.mktemp('onnx')
    return {name: export_tiny(detector, folder / f'{name}.onnx', nms=name == 'nms') for name in ('raw', 'nms')}


@pytest.fixture(scope='session')
def onnx_files(onnx_reports: dict[str, Report]) -> dict[str, Path]:
    """The files of `onnx_reports`."""
    return {name: report.artifact for name, report in onnx_reports.items()}
