"""A tiny classifier as config and checkpoint files, trained by nobody, on pictures in folders of classes."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from textwrap import dedent
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from mobileone_mm.artifact.card import CENTER_CROP, Card
from mobileone_mm.exporter.export import export
from mobileone_mm.exporter.report import Report
from mobileone_mm.openmmlab import configs
from mobileone_mm.openmmlab.open_model import open_model
from mobileone_mm.pictures.synthetic import drawn_picture
from mobileone_mm.reparam import fuse
from mobileone_mm.tasks.classification.graph import ClassifierGraph
from mobileone_mm.tasks.classification.options import FramedOptions
from mobileone_mm.weights import checkpoint

CLASSES = ('cat', 'dog', 'cow', 'hen', 'fox', 'owl')
SHORT, SIDE = 80, 64  # px: what the short side is resized to, and the square that is cut out of the middle
PICTURES = 12
GAIN = 60.0  # spreads the logits
RESIZED = {'backend': 'cv2', 'interpolation': 'bilinear'}  # as mmcv does it where a config says nothing

CROP = f"dict(type='ResizeEdge', scale={SHORT}, edge='short'), dict(type='CenterCrop', crop_size={SIDE})"
STRETCH = f"dict(type='Resize', scale=({SHORT}, {SIDE}))"
CONFIG = """
default_scope = 'mmpretrain'
classes = {classes}
model = dict(
    type='ImageClassifier',
    data_preprocessor=dict(
        type='ClsDataPreprocessor', mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], to_rgb={to_rgb},
    ),
    backbone=dict(
        type='mobileone_mm.MobileOne',
        arch=dict(
            num_blocks=[1, 1, 1, 1],
            width_factor=[0.125, 0.125, 0.125, 0.125],
            num_conv_branches=[1, 1, 1, 1],
            num_se_blocks=[0, 0, 0, 0],
        ),
    ),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(type='LinearClsHead', num_classes={num_classes}, in_channels=64, {head}),
)
test_dataloader = dict(
    dataset=dict(
        type='CustomDataset',
        data_root={root!r},
        {metainfo}
        pipeline=[dict(type='LoadImageFromFile'), {pipeline}, dict(type='PackInputs')],
    )
)
test_evaluator = dict(type='Accuracy', topk=(1, 5))
"""


def write_config(folder: Path, name: str = 'cls.py', **changes: Any) -> Path:
    """A config with these changes, and pictures in folders of classes beside it."""
    values = {
        'classes': CLASSES,
        'to_rgb': True,
        'head': '',
        'pipeline': CROP,
        'metainfo': 'metainfo=dict(classes=classes),',
        'root': str(folder / 'pictures'),
        **changes,
    }
    values.setdefault('num_classes', len(values['classes']))
    write_pictures(folder / 'pictures')
    path = folder / name
    path.write_text(dedent(CONFIG.format(**values)))
    return path


def write_pictures(folder: Path) -> None:
    """Pictures of several sizes, upright and lying, in the folder of their class."""
    for index in range(PICTURES):
        width, height = 97 + 23 * (index % 3), 140 - 17 * (index % 4)
        picture = np.roll(drawn_picture((width, height)), 11 * index, axis=1)
        place = folder / CLASSES[index % len(CLASSES)] / f'{index}.png'
        place.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(place), np.roll(picture, index // 2, axis=2))


def lively(model: nn.Module) -> nn.Module:
    """Batch statistics of pictures, random gammas and betas, and logits that spread."""
    generator = torch.Generator().manual_seed(1)
    picture = torch.from_numpy(drawn_picture((SIDE, SIDE)).transpose(2, 0, 1).copy())
    crops = [picture.roll((shift, 2 * shift), (1, 2)).roll(shift // 8, 0) for shift in range(0, 64, 8)]
    with torch.no_grad():
        for norm in model.modules():
            if isinstance(norm, nn.BatchNorm2d):
                norm.weight.copy_(0.5 + torch.rand(norm.weight.shape, generator=generator))
                norm.bias.copy_(0.3 * torch.randn(norm.bias.shape, generator=generator))
                norm.momentum = None  # the plain mean over what comes
        head: Any = model.head
        head.fc.weight.normal_(0, 0.01 * GAIN, generator=generator)
        head.fc.bias.normal_(0, 0.5, generator=generator)
        model.train()(model.data_preprocessor({'inputs': crops})['inputs'])
    return model.eval()


def new_classifier(folder: Path, **changes: Any) -> tuple[Path, Path]:
    """Config file and checkpoint file of a tiny classifier, with these changes in its config."""
    torch.manual_seed(0)
    config_file = write_config(folder, **changes)
    model = lively(configs.build_model(configs.load_config(config_file)))
    weights = folder / 'best.pth'
    meta = {'dataset_meta': {'classes': list(changes.get('classes', CLASSES))}}
    checkpoint.save_checkpoint(weights, model.state_dict(), meta)
    return config_file, weights


def export_classifier(files: tuple[Path, Path], out: Path, images: Sequence[Path] = (), **options: Any) -> Report:
    """Export a classifier's config and checkpoint file, with options of the task and the format by name."""
    return export(*files, out, images=images, options=options)


def model_of(files: tuple[Path, Path]) -> Any:
    """A classifier's trained model, in eval mode."""
    return open_model(configs.load_config(files[0]), files[1])[0]


def graph_of(files: tuple[Path, Path], side: int = SHORT, seen: int | None = SIDE) -> ClassifierGraph:
    """The export graph of a classifier's config and checkpoint file."""
    return ClassifierGraph(fuse(model_of(files)), (side, side), FramedOptions(seen=seen))


def card_of(side: int, crop_inside: int | None, crop: str = CENTER_CROP, resize: Mapping[str, str] = RESIZED) -> Card:
    """What a classifier's file with this input says about itself, as far as its pictures go."""
    nothing: dict[str, Any] = dict.fromkeys(field.name for field in fields(Card) if field.name != 'format')
    settings = {'crop_inside': crop_inside, 'resize': resize}
    return Card(**{**nothing, 'input_size': (side, side), 'crop': crop, 'settings': settings})


@pytest.fixture(scope='session')
def classifier(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Config file and checkpoint file of the tiny classifier."""
    return new_classifier(tmp_path_factory.mktemp('classifier'))


@pytest.fixture(scope='session')
def classifier_package(classifier: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Report:
    """The tiny classifier's package; never change it, copy it."""
    return export_classifier(classifier, tmp_path_factory.mktemp('classifier_package') / 'cls.mlpackage')
