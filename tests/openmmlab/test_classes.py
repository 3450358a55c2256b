"""The classes of a config's test data, and how a file of other ones is refused."""

import re
from collections.abc import Sequence

import pytest

from mobileone_mm.errors import CheckpointError, ConfigError
from mobileone_mm.openmmlab.classes import class_names, require_same_classes
from mobileone_mm.openmmlab.configs import load_config


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
        (
            "test_dataloader = dict(dataset=dict(metainfo=['cat']))",
            r'\.dataset\.metainfo holds a list, expected a dict',
        ),
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


def test_unnamed_classes_are_those_of_the_folders_else_the_known_ones(tmp_path):
    pipeline = "[dict(type='LoadImageFromFile'), dict(type='PackInputs')]"
    folder = tmp_path / 'pictures'
    dataset = f"dict(type='CustomDataset', data_root={str(folder)!r}, pipeline={pipeline})"
    text = f"default_scope = 'mmpretrain'\nmodel = dict()\ntest_dataloader = dict(dataset={dataset})"
    config = config_of(tmp_path, text)
    assert class_names(config, ('dog', 'owl')) == ('dog', 'owl')
    with pytest.raises(ConfigError, match='names no classes; set its metainfo'):
        class_names(config)
    for name in ('hen', 'cow', 'cat'):
        (folder / name).mkdir(parents=True)
        (folder / name / 'a.png').write_bytes(b'')
    assert class_names(config, ('dog', 'owl')) == ('cat', 'cow', 'hen')


MANY = tuple(f'n{number}' for number in range(100))
OTHER = (*MANY[:70], 'x', *MANY[71:])


@pytest.mark.parametrize(
    ('names', 'expected', 'message'),
    [
        (('cat', 'dog'), ['cat', 'dog'], None),
        (('cat', 'dog'), ('dog', 'cat'), "a.pth has ('cat', 'dog'), c.py ('dog', 'cat'); give another"),
        (('cat',), MANY, "a.pth has ('cat',), c.py n0, n1, n2, n3, n4 and 95 more; give another"),
        (MANY, OTHER, "n4 and 95 more (number 70 is the first to differ: ('n70', 'x')); give another"),
    ],
)
def test_other_classes_are_refused_with_both_lists(
    names: Sequence[str], expected: Sequence[str], message: str | None
) -> None:
    lists = ('a.pth has', names), ('c.py', expected)
    if message is None:
        require_same_classes(*lists, 'give another')
        return
    for kind in (ConfigError, CheckpointError):
        with pytest.raises(kind, match=f'{re.escape(message)}$'):
            require_same_classes(*lists, 'give another', kind)
