"""What a config is tested on: the classes of its test data."""

import pytest

from mobileone_mm.errors import ConfigError
from mobileone_mm.openmmlab.configs import load_config
from mobileone_mm.openmmlab.test_data import class_names


def config_of(tmp_path, text):
    path = tmp_path / 'config.py'
    path.write_text(text)
    return load_config(path)


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


def test_a_detectors_class_names_stay_as_they_are(tmp_path):
    dataset = "dict(metainfo=dict(classes=('a', 'a')))"
    text = f"default_scope = 'mmdet'\nmodel = dict()\ntest_dataloader = dict(dataset={dataset})"
    assert class_names(config_of(tmp_path, text)) == ('a', 'a')
