"""A seeded image batch at the size a config tests at, to compare two forms of a model on."""

import torch
from mmengine.config import Config
from torch import Tensor

from mobileone_mm.openmmlab import configs

SEED = 0
DEFAULT_SIDE = 224  # px; ImageNet's, where a config's test pipeline fixes no size


def example_images(config: Config, count: int = 2) -> Tensor:
    """Normal noise (count, 3, H, W), float32: what normalised images look like to a model's arithmetic."""
    generator = torch.Generator().manual_seed(SEED)
    return torch.randn(count, 3, *test_size_hw(config), generator=generator)


def test_size_hw(config: Config) -> tuple[int, int]:
    """(height, width) that the config's test pipeline brings images to: its last resize or crop, else 224."""
    height, width = DEFAULT_SIDE, DEFAULT_SIDE
    for transform in (configs.test_dataset(config) or {}).get('pipeline', ()):
        size = transform.get('crop_size') or transform.get('scale')
        if isinstance(size, int):
            height, width = size, size
        elif isinstance(size, tuple | list) and len(size) == 2 and all(isinstance(side, int) for side in size):
            # mm's scale is (width, height), its crop_size (height, width)
            height, width = size if transform.get('crop_size') else size[::-1]
    return height, width
