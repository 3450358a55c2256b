"""A classifier that trains in a second through mmengine's own Runner: two classes of drawn pictures."""

import itertools
import logging
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from PIL import Image

SIDE = 32  # px
ARCH = {
    'num_blocks': [1, 1, 2, 1],
    'width_factor': [0.25, 0.25, 0.25, 0.25],
    'num_conv_branches': [2, 2, 2, 2],
    'num_se_blocks': [0, 0, 0, 1],
}
PIPELINE = [
    {'type': 'LoadImageFromFile'},
    {'type': 'Resize', 'scale': (SIDE, SIDE)},
    {'type': 'PackInputs'},
]


@pytest.fixture(autouse=True)
def _closed_logs() -> Iterator[None]:
    """Close the log files that mmengine's runners leave open."""
    yield
    for logger in MMLogger._instance_dict.values():
        for handler in logger.handlers:
            if isinstance(handler, logging.FileHandler):
                handler.close()


@pytest.fixture(scope='session')
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """class/number.png: eight dark and eight bright noisy pictures."""
    folder = tmp_path_factory.mktemp('pictures')
    generator = np.random.default_rng(0)
    for name, level in (('bright', 180), ('dark', 80)):
        (folder / name).mkdir()
        for number in range(8):
            noise = generator.normal(level, 40, (SIDE, SIDE, 3)).clip(0, 255).astype(np.uint8)
            Image.fromarray(noise).save(folder / name / f'{number}.png')
    return folder


@pytest.fixture(scope='session')
def make_config(pictures: Path) -> Callable[[Path], Config]:
    """The config below, for fixtures that outlive a test: takes the folder to work in."""
    return partial(classifier, pictures)


@pytest.fixture
def config(pictures: Path, tmp_path: Path) -> Config:
    """Two epochs of two iterations, validation and a checkpoint after each; no hook of ours."""
    return classifier(pictures, tmp_path / 'work')


def classifier(pictures: Path, work_dir: Path) -> Config:
    dataset = {'type': 'CustomDataset', 'data_root': str(pictures), 'pipeline': PIPELINE}
    loader: dict[str, Any] = {'batch_size': 8, 'num_workers': 0, 'dataset': dataset}
    test = {**loader, 'sampler': {'type': 'DefaultSampler', 'shuffle': False}}
    return Config(
        {
            'default_scope': 'mmpretrain',
            'work_dir': str(work_dir),
            'model': {
                'type': 'ImageClassifier',
                'data_preprocessor': {'num_classes': 2, 'mean': [127.0] * 3, 'std': [60.0] * 3, 'to_rgb': True},
                'backbone': {'type': 'mobileone_mm.MobileOne', 'arch': ARCH},
                'neck': {'type': 'GlobalAveragePooling'},
                'head': {'type': 'LinearClsHead', 'num_classes': 2, 'in_channels': 128, 'topk': (1,)},
            },
            'train_dataloader': {**loader, 'sampler': {'type': 'DefaultSampler', 'shuffle': True}},
            'val_dataloader': test,
            'test_dataloader': test,
            'val_evaluator': {'type': 'Accuracy', 'topk': (1,)},
            'test_evaluator': {'type': 'Accuracy', 'topk': (1,)},
            'train_cfg': {'by_epoch': True, 'max_epochs': 2, 'val_interval': 1},
            'val_cfg': {},
            'test_cfg': {},
            'optim_wrapper': {'optimizer': {'type': 'SGD', 'lr': 0.01, 'momentum': 0.9}},
            'default_hooks': {
                'checkpoint': {'type': 'CheckpointHook', 'interval': 1, 'save_best': 'accuracy/top1'},
                'logger': {'type': 'LoggerHook', 'interval': 1},
            },
            'custom_hooks': [],
            'randomness': {'seed': 0},
            'log_level': 'WARNING',
        }
    )


@pytest.fixture(scope='session')
def build() -> Callable[..., Runner]:
    """A Runner of a config with `custom_hooks`; each has its own name, since mmengine keeps runners by name."""
    numbers = itertools.count()

    def runner(config: Config, *hooks: dict[str, Any], **options: Any) -> Runner:
        init_default_scope('mmpretrain')
        fresh = config.copy()
        fresh.merge_from_dict({'custom_hooks': list(hooks), 'experiment_name': f'run{next(numbers)}', **options})
        return Runner.from_cfg(fresh)

    return runner


@pytest.fixture(scope='session')
def finished(
    make_config: Callable[[Path], Config], build: Callable[..., Runner], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Config, Path]:
    """A training run with all hooks: its config, and the folder with its checkpoints and their fused files."""
    config = make_config(tmp_path_factory.mktemp('finished'))
    ours = [{'type': f'mobileone_mm.{name}Hook'} for name in ('FuseForTest', 'SaveFused', 'PlainCheckpoint')]
    build(config, {'type': 'EMAHook', 'momentum': 0.3}, *ours).train()
    return config, Path(config.work_dir)
