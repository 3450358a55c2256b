"""The size a config tests at, and the pictures an export is checked on."""

from pathlib import Path
from typing import Any

import mmcv
import numpy as np
import pytest
from mmengine.config import Config

from mobileone_mm.errors import ConfigError, DataError
from mobileone_mm.pictures.reading import drawn_picture, input_size_of, read_picture

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
            'keep_ratio=True.*--input-size WxH',
        ),
        (Config({}), 'no Resize with a scale'),
    ],
)
def test_no_fixed_size(config: Config, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        input_size_of(config)


def test_read_picture_is_rgb_and_stretched(tmp_path: Path) -> None:
    bgr = np.zeros((10, 20, 3), np.uint8)
    bgr[..., 0] = 200
    mmcv.imwrite(bgr, str(tmp_path / 'blue.png'))
    picture = read_picture(tmp_path / 'blue.png', (8, 4))
    assert (picture.shape, picture.dtype) == ((4, 8, 3), np.uint8)
    assert picture[2, 3].tolist() == [0, 0, 200]


def test_read_picture_refuses(tmp_path: Path) -> None:
    (tmp_path / 'text.jpg').write_text('no picture')
    with pytest.raises(DataError, match=r'text.jpg: cannot be decoded as a picture'):
        read_picture(tmp_path / 'text.jpg', (8, 8))
    (tmp_path / 'empty.jpg').touch()
    with pytest.raises(DataError, match=r'empty.jpg: cannot be decoded'):
        read_picture(tmp_path / 'empty.jpg', (8, 8))
    with pytest.raises(DataError, match=r'none.jpg: no such file'):
        read_picture(tmp_path / 'none.jpg', (8, 8))


def test_drawn_picture_is_always_the_same() -> None:
    picture = drawn_picture((48, 32))
    assert (picture.shape, picture.dtype) == ((32, 48, 3), np.uint8)
    np.testing.assert_array_equal(picture, drawn_picture((48, 32)))
    assert picture.std() > 30  # it has to excite a network
