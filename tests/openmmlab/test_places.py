"""Of which part of a config an error is said to be."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from torch import nn

from mobileone_mm.errors import ConfigError
from mobileone_mm.openmmlab.configs import build_model, load_config
from mobileone_mm.openmmlab.places import naming, place_of
from mobileone_mm.openmmlab.test_data import open_dataset
from tiny_classifier import write_config as write_classifier
from tiny_detector import write_config
from tiny_segmenter import write_config as write_segmenter


def changed(folder: Path, options: Mapping[str, Any], write: Any = write_config) -> Config:
    config = load_config(write(folder))
    config.merge_from_dict(dict(options))
    return config


@pytest.mark.parametrize(
    ('options', 'place'),
    [
        ({'model.neck.in_channels': None}, 'model.neck'),
        ({'model.neck.unknown': 1}, 'model.neck'),
        ({'model.backbone.arch': 'S9'}, 'model.backbone'),
        ({'model.bbox_head.anchor_generator.strides': 16}, 'model.bbox_head.anchor_generator'),
        ({'model.bbox_head.bbox_coder.type': 'NoSuchCoder'}, 'model.bbox_head.bbox_coder'),
        ({'model.data_preprocessor.std': [1.0, 2.0]}, 'model.data_preprocessor'),
        ({'model.type': 'NoSuchDetector'}, 'model'),
    ],
    ids=str,
)
def test_a_part_of_a_model_that_cannot_be_built_is_named(
    options: Mapping[str, Any], place: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=rf'tiny\.py: mmdet cannot build {place}: .') as raised:
        build_model(changed(tmp_path, options))
    assert '\n' not in str(raised.value)


def test_a_classifier_that_fails_before_it_is_a_module_is_named(tmp_path: Path) -> None:
    config = changed(tmp_path, {}, write_classifier)
    config.model.data_preprocessor.mean = {'0': 123.675}
    with pytest.raises(ConfigError, match=r'\.py: mmpretrain cannot build model.*: .'):
        build_model(config)


def test_a_part_of_a_model_that_fails_at_work_is_named(tmp_path: Path) -> None:
    config = changed(tmp_path, {'model.bbox_head.in_channels': (16, 64, 32, 32)})
    model = build_model(config)
    with pytest.raises(RuntimeError) as raised:
        model(torch.zeros(1, 3, 64, 96))
    assert place_of(config, raised.value) == 'model.bbox_head'
    with pytest.raises(RuntimeError) as raised:
        nn.Sequential(model)(torch.zeros(1, 3, 64, 96))  # within another module
    assert place_of(config, raised.value) == 'model.bbox_head'
    with pytest.raises(RuntimeError) as raised:
        model.bbox_head(model.extract_feat(torch.zeros(1, 3, 64, 96)))  # alone
    assert place_of(config, raised.value) == 'model.bbox_head'


@pytest.mark.parametrize(
    ('options', 'place'),
    [
        ({'test_dataloader.dataset.pipeline.1.unknown': 1}, 'test_dataloader.dataset.pipeline.1'),
        ({'test_dataloader.dataset.pipeline.1.type': 'NoSuchStep'}, 'test_dataloader.dataset.pipeline.1'),
        ({'test_dataloader.dataset.unknown': 1}, 'test_dataloader.dataset'),
    ],
    ids=str,
)
def test_a_part_of_the_test_data_that_cannot_be_built_is_named(
    options: Mapping[str, Any], place: str, tmp_path: Path
) -> None:
    config = changed(tmp_path, options, write_segmenter)
    with pytest.raises(ConfigError, match=rf'seg\.py: {place} cannot be built: .'):
        open_dataset(config, 'test_dataloader')


def test_a_level_of_the_log_that_there_is_not_is_named(tmp_path: Path) -> None:
    config = changed(tmp_path, {'log_level': 'LOUD'})
    with pytest.raises(KeyError, match='LOUD') as raised:
        Runner(config.model, str(tmp_path / 'work'), log_level=config.log_level)
    assert place_of(config, raised.value) == 'log_level'


def test_of_an_error_that_has_nothing_to_do_with_a_config_no_part_is_named(tmp_path: Path) -> None:
    config = changed(tmp_path, {})
    with pytest.raises(ZeroDivisionError) as raised:
        _ = 1 / 0
    assert place_of(config, raised.value) == ''
    assert place_of(config, raised.value, 'model') == 'model'


@pytest.mark.parametrize(
    ('text', 'said'),
    [
        ('no such size', ': model.backbone: no such size'),
        ('model.neck.in_channels: 3 given', ': model.neck.in_channels: 3 given'),
    ],
)
def test_a_part_is_put_before_an_error_that_names_none(text: str, said: str, tmp_path: Path) -> None:
    config = changed(tmp_path, {})
    with pytest.raises(ConfigError) as raised, naming(config, 'model.backbone'):
        raise ConfigError(text)
    assert str(raised.value) == f'{config.filename}{said}'
