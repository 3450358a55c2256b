"""Fixtures that the commands' tests share with the tests of what is below the commands."""

from pathlib import Path

import pytest

from mobileone_mm.datasets import toy
from mobileone_mm.datasets.toy_options import ToyOptions

from ..training.conftest import config, shapes, trained, write_config  # noqa: F401, TID252

CONFIG = """
_base_ = '{base}'
test_dataloader = dict(
    dataset=dict(data_root='{data}/', ann_file='annotations/val.json', data_prefix=dict(img='images/val/'))
)
test_evaluator = dict(type='CocoMetric', ann_file='{data}/annotations/val.json', metric='bbox')
default_hooks = dict(checkpoint=dict(type='CheckpointHook', save_best='coco/bbox_mAP_50'))
"""


@pytest.fixture(scope='module')
def config_file(detector: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('toy')
    toy.write_coco(folder / 'data', ToyOptions(images=1, val=4))
    (folder / 'toy.py').write_text(CONFIG.format(base=detector[0], data=folder / 'data'))
    return folder / 'toy.py'
