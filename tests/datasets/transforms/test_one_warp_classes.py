"""mmpretrain's crops in one warp: the same draws, the same pixels."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from feeding_chains import LOAD, pair, smooth

FLIP = {'type': 'RandomFlip', 'prob': 0.5}
PACK = {'type': 'PackInputs'}
# Levels of 255, where a file is decoded smaller; half a px to the side would make tens.
MOST, MEAN = 10, 2


def crop(**options: Any) -> dict[str, Any]:
    return {'type': 'RandomResizedCrop', 'scale': 24, 'crop_ratio_range': (0.25, 1.0), **options}


def labelled(path: Path) -> Callable[[], dict[str, Any]]:
    return lambda: {'img_path': str(path), 'gt_label': 1}


@pytest.mark.parametrize(
    'options', [{}, {'backend': 'pillow'}, {'backend': 'pillow', 'interpolation': 'bicubic'}], ids=str
)
def test_pixels_are_those_of_mmpretrain_to_the_last_bit(options: dict[str, Any], tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (70, 90, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / 'one.png')
    both = pair('mmpretrain', [LOAD, crop(**options), FLIP, PACK])
    flipped = set()
    for seed in range(60):
        theirs, ours = both(labelled(tmp_path / 'one.png'), seed)
        np.testing.assert_array_equal(ours['inputs'].numpy(), theirs['inputs'].numpy())
        assert ours['data_samples'].metainfo == theirs['data_samples'].metainfo
        flipped.add(ours['data_samples'].metainfo['flip'])
    assert flipped == {False, True}


def test_a_file_that_is_decoded_smaller_gives_nearly_the_same(tmp_path: Path) -> None:
    """Pillow averages all pixels that fall into one, and so does the decoder."""
    smooth(360, 280).save(tmp_path / 'one.jpg', quality=98, subsampling=0)
    both = pair('mmpretrain', [LOAD, crop(backend='pillow'), FLIP, PACK])
    differ = 0
    for seed in range(60):
        theirs, ours = (found['inputs'].numpy().astype(int) for found in both(labelled(tmp_path / 'one.jpg'), seed))
        errors = np.abs(theirs - ours)
        assert errors.max() <= MOST
        assert errors.mean() <= MEAN
        differ += bool((theirs != ours).any())
    assert differ > 50
