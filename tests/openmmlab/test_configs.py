"""Configs of the three hosts: read, built, and what is wrong with them said."""

import pytest
from torch import nn

from mobileone_mm.errors import ConfigError
from mobileone_mm.openmmlab.configs import build_model, class_names, load_config, task_of

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
    ('dataset', 'expected'),
    [
        ("dict(type='CocoDataset', metainfo=dict(classes=('cat', 'dog')))", ('cat', 'dog')),
        ("dict(type='CocoDataset', metainfo=dict(classes='cat'))", ('cat',)),
        ("dict(type='RepeatDataset', dataset=dict(type='CocoDataset', metainfo=dict(classes=['cat'])))", ('cat',)),
    ],
)
def test_classes_come_from_the_metainfo_of_the_test_set(tmp_path, dataset, expected):
    text = f"default_scope = 'mmdet'\nmodel = dict()\ntest_dataloader = dict(dataset={dataset})"
    assert class_names(config_of(tmp_path, text)) == expected


def test_classes_come_from_the_data_set_class_where_the_config_names_none(tmp_path):
    pytest.importorskip('mmdet')
    text = "default_scope = 'mmdet'\nmodel = dict()\ntest_dataloader = dict(dataset=dict(type='CocoDataset'))"
    names = class_names(config_of(tmp_path, text))
    assert (len(names), names[0], names[-1]) == (80, 'person', 'toothbrush')


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ("default_scope = 'mmdet'", 'has no `model`'),
        ('model = dict()', 'default_scope is None; expected one of mmdet, mmseg, mmpretrain'),
        ('model = dict(', 'cannot be read as a config'),
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
    with pytest.raises(ConfigError, match=r'mmpretrain cannot build the model: .*NoSuchModel'):
        build_model(config)


def test_a_data_set_without_classes_is_an_error(tmp_path):
    text = "default_scope = 'mmdet'\nmodel = dict()\ntest_dataloader = dict(dataset=dict(type='XMLDataset'))"
    with pytest.raises(ConfigError, match='names no classes; set its metainfo'):
        class_names(config_of(tmp_path, text))


@pytest.mark.parametrize(
    ('line', 'message'),
    [
        ('', r'config\.py: test_dataloader is None, expected one with a data set'),
        ('test_dataloader = None', 'test_dataloader is None, expected one with a data set'),
        (
            'test_dataloader = dict(batch_size=1)',
            r"test_dataloader is \{'batch_size': 1\}, expected one with a data set",
        ),
        ("test_dataloader = dict(dataset='voc')", r"test_dataloader is \{'dataset': 'voc'\}, expected one with a data"),
        ('test_dataloader = dict(dataset=dict(metainfo=None))', 'names no classes; set its metainfo'),
        (
            "test_dataloader = dict(dataset=dict(type='ConcatDataset', datasets=[]))",
            'names no classes; set its metainfo',
        ),
    ],
)
def test_a_config_without_test_classes_is_an_error(tmp_path, line, message):
    with pytest.raises(ConfigError, match=message):
        class_names(config_of(tmp_path, f"default_scope = 'mmdet'\nmodel = dict()\n{line}"))
