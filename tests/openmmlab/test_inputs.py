"""Between pictures and what a model takes: sizes."""

from typing import Any

import pytest
import torch
from mmengine.config import Config

from mobileone_mm.errors import ConfigError
from mobileone_mm.openmmlab import inputs


@pytest.mark.parametrize(
    ('pipeline', 'expected'),
    [
        (None, (224, 224)),  # no test data at all
        ([], (224, 224)),
        ([{'type': 'Resize', 'scale': (320, 192), 'keep_ratio': False}], (192, 320)),  # mm's scale is width, height
        ([{'type': 'ResizeEdge', 'scale': 256}, {'type': 'CenterCrop', 'crop_size': 224}], (224, 224)),
        ([{'type': 'RandomCrop', 'crop_size': (64, 96)}, {'type': 'PackInputs'}], (64, 96)),  # height, width
        ([{'type': 'Resize', 'scale': [(10, 20), (30, 40)]}], (224, 224)),  # several sizes fix none
    ],
)
def test_examples_have_the_size_of_the_test_pipeline(pipeline: Any, expected: tuple[int, int]) -> None:
    dataset = {'type': 'RepeatDataset', 'dataset': {'type': 'A', 'pipeline': pipeline}}
    config = Config({} if pipeline is None else {'test_dataloader': {'dataset': dataset}})
    images = inputs.example_images(config)
    assert images.shape == (2, 3, *expected)
    torch.testing.assert_close(images, inputs.example_images(config), rtol=0, atol=0)


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
    assert inputs.input_size_of(config_with(step)) == size


def test_size_below_a_wrapped_data_set() -> None:
    inner = config_with({'type': 'Resize', 'scale': (64, 96)}).test_dataloader.dataset
    assert inputs.input_size_of(
        Config({'test_dataloader': {'dataset': {'type': 'RepeatDataset', 'dataset': inner}}})
    ) == (
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
        inputs.input_size_of(config)
