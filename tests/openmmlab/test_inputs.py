"""The size that a config tests at."""

from typing import Any

import pytest
from mmengine.config import Config

from mobileone_mm.errors import ConfigError
from mobileone_mm.openmmlab.inputs import input_size_of

LOAD, PACK = {'type': 'LoadImageFromFile'}, {'type': 'PackDetInputs'}


def config_with(*steps: dict[str, Any]) -> Config:
    return Config({'test_dataloader': {'dataset': {'type': 'CocoDataset', 'pipeline': [LOAD, *steps, PACK]}}})


@pytest.mark.parametrize(
    ('step', 'size'),
    [
        ({'type': 'Resize', 'scale': (320, 240), 'keep_ratio': False}, (320, 240)),
        ({'type': 'Resize', 'scale': 256}, (256, 256)),
        ({'type': 'mmdet.Resize', 'scale': (64, 96)}, (64, 96)),
    ],
)
def test_size_of_the_test_pipeline(step: dict[str, Any], size: tuple[int, int]) -> None:
    assert input_size_of(config_with(step)) == size


def test_size_below_a_wrapped_data_set() -> None:
    inner = config_with({'type': 'Resize', 'scale': (64, 96)}).test_dataloader.dataset
    assert input_size_of(Config({'test_dataloader': {'dataset': {'type': 'RepeatDataset', 'dataset': inner}}})) == (
        64,
        96,
    )


@pytest.mark.parametrize(
    ('config', 'message'),
    [
        (config_with(), 'no Resize with a scale'),
        (config_with({'type': 'Resize', 'scale_factor': 0.5}), 'no Resize with a scale'),
        (
            config_with({'type': 'Resize', 'scale': (1333, 800), 'keep_ratio': True}),
            'keep_ratio=True.*give `input_size`',
        ),
        (Config({}), 'no Resize with a scale'),
    ],
)
def test_no_fixed_size(config: Config, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        input_size_of(config)
