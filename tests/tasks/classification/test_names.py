"""The names of a classifier's classes, where a config says them and where folders or a checkpoint do."""

from pathlib import Path

import pytest
from mmengine.config import Config

from mobileone_mm.errors import ConfigError
from mobileone_mm.openmmlab.configs import load_config
from mobileone_mm.tasks.classification.names import as_named, class_names


def config_of(tmp_path: Path, text: str) -> Config:
    path = tmp_path / 'config.py'
    path.write_text(text)
    return load_config(path)


CLASSIFIER = "default_scope = 'mmpretrain'\nmodel = dict()\ntest_dataloader = dict(dataset={})"


def test_imagenets_two_cranes_are_told_apart(tmp_path: Path) -> None:
    config = config_of(tmp_path, CLASSIFIER.format("dict(type='ImageNet')"))
    names = class_names(config)
    assert (len(names), len(set(names)), names[0]) == (1000, 1000, 'tench, Tinca tinca')
    assert [name for name in names if name.startswith('crane')] == ['crane (134)', 'crane (517)']
    assert as_named(names) == names, 'as a file has them'


def test_a_classifiers_names_are_those_of_its_folders_else_the_known_ones(tmp_path: Path) -> None:
    pipeline = "[dict(type='LoadImageFromFile'), dict(type='PackInputs')]"
    folder = tmp_path / 'pictures'
    text = CLASSIFIER.format(f"dict(type='CustomDataset', data_root={str(folder)!r}, pipeline={pipeline})")
    config = config_of(tmp_path, text)
    assert class_names(config, ('dog', 'owl')) == ('dog', 'owl')
    with pytest.raises(ConfigError, match='names no classes; set its metainfo'):
        class_names(config)
    for name in ('hen', 'cow', 'cat'):
        (folder / name).mkdir(parents=True)
        (folder / name / 'a.png').write_bytes(b'')
    assert class_names(config, ('dog', 'owl')) == ('cat', 'cow', 'hen')
