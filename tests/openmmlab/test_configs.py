"""Configs of the three hosts: read, built, and what is wrong with them said."""

import pytest
from torch import nn

from mobileone_mm.errors import ConfigError
from mobileone_mm.openmmlab.configs import build_model, load_config, task_of

TINY_CLASSIFIER = """
default_scope = 'mmpretrain'
arch = dict(num_blocks=[1, 1, 1, 1], width_factor=[0.125] * 4, num_conv_branches=[1] * 4, num_se_blocks=[0] * 4)
model = dict(
    type='ImageClassifier',
    backbone=dict(type='mobileone_mm.MobileOne', arch=arch,
                  init_cfg=dict(type='Pretrained', checkpoint='https://nowhere.invalid/s0.pth')),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(type='LinearClsHead', num_classes=5, in_channels=64))
"""


def config_of(tmp_path, text):
    path = tmp_path / 'config.py'
    path.write_text(text)
    return load_config(path)


def test_a_model_is_built_in_eval_mode_and_its_init_weights_are_not_fetched(tmp_path):
    config = config_of(tmp_path, TINY_CLASSIFIER)
    assert task_of(config) == 'classification'
    model = build_model(config)
    assert isinstance(model, nn.Module)
    assert not model.training


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ("default_scope = 'mmdet'", 'has no `model`'),
        ('model = dict()', 'default_scope is None; expected one of mmdet, mmseg, mmpretrain'),
        ('model = dict(', 'cannot be read as a config'),
        ('model = [dict(head=None)]', r'config\.py: model holds a list, expected a dict'),
        ("model = dict(head=[('type', 'X')])", r'config\.py: model\.head holds a tuple, expected a dict'),
        ("model = dict(data_preprocessor='X')", r'model\.data_preprocessor holds a str, expected a dict'),
        ("_base_ = 'missing.py'", 'cannot be read as a config: .*missing.py'),
    ],
)
def test_configs_that_cannot_be_used_say_why(tmp_path, text, message):
    with pytest.raises(ConfigError, match=message):
        config_of(tmp_path, text)


def test_a_missing_config_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r'nowhere\.py: no such config file'):
        load_config(tmp_path / 'nowhere.py')


def test_a_model_that_its_host_cannot_build_is_named(tmp_path):
    config = config_of(tmp_path, "default_scope = 'mmpretrain'\nmodel = dict(type='NoSuchModel')")
    with pytest.raises(ConfigError, match=r'mmpretrain cannot build model: .*NoSuchModel'):
        build_model(config)


@pytest.mark.parametrize('name', ['mine', 'mine.best'])
def test_a_link_to_a_config_may_be_called_anything(tmp_path, name):
    (tmp_path / 'base.py').write_text("default_scope = 'mmdet'")
    (tmp_path / 'config.py').write_text("_base_ = 'base.py'\nmodel = dict()")
    (tmp_path / 'links').mkdir()
    (tmp_path / 'links' / name).symlink_to(tmp_path / 'config.py')
    assert load_config(tmp_path / 'links' / name).default_scope == 'mmdet'
