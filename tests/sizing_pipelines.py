"""Configs whose test pipelines bring pictures to a size, in the ways that OpenMMLab's transforms do it."""

from typing import Any

from mmengine.config import Config


def config_of(*pipeline: dict[str, Any]) -> Config:
    return Config({'test_dataloader': {'dataset': {'pipeline': list(pipeline)}}}, cfg_text='-', filename='x.py')


def edge(scale: int = 256, **more: Any) -> dict[str, Any]:
    return {'type': 'ResizeEdge', 'scale': scale, **more}


def cut(size: Any = 224) -> dict[str, Any]:
    return {'type': 'mmcv.CenterCrop', 'crop_size': size}


def stretch(scale: Any) -> dict[str, Any]:
    return {'type': 'Resize', 'scale': scale, 'keep_ratio': False}


def efficient(size: int, **more: Any) -> dict[str, Any]:
    return {'type': 'EfficientNetCenterCrop', 'crop_size': size, **more}


def torchvision(name: str, size: Any, **more: Any) -> dict[str, Any]:
    return {'type': f'torchvision/{name}', 'size': size, **more}
