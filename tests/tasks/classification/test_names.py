"""The names of a classifier's classes as a file has them."""

from pathlib import Path

from mmengine.config import Config

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


def test_a_name_told_apart_is_not_that_of_a_third_class() -> None:
    assert as_named(('a', 'a', 'a (0)')) == ('a (0) (0)', 'a (1)', 'a (0)')
    assert as_named(('a (1)', 'a', 'a', 'b')) == ('a (1)', 'a (1) (1)', 'a (2)', 'b')
