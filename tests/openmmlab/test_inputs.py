"""Between pictures and what a model takes: sizes."""

from typing import Any

import pytest
import torch
from mmengine.config import Config

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
