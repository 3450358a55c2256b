"""What a model takes, against the data preprocessors of its hosts themselves."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from mmdet.models import DetDataPreprocessor
from mmengine.config import Config
from mmengine.model import ImgDataPreprocessor
from mmpretrain.models import ClsDataPreprocessor
from mmseg.models import SegDataPreProcessor
from mmseg.structures import SegDataSample
from torch import Tensor, nn

from mobileone_mm.errors import ConfigError
from mobileone_mm.openmmlab import inputs
from mobileone_mm.openmmlab.inputs import (
    Normalise,
    example_images,
    input_size_of,
    picture_of,
    preprocessed,
    require_size,
)
from mobileone_mm.pictures.synthetic import drawn_picture

EXACT = 1e-6  # of a normalised value; float32 rounds the division by a standard deviation, or the product
MEAN, STD = [123.675, 116.28, 103.53], [58.395, 57.12, 57.375]
SIZE = (45, 30)  # width, height
PICTURE = drawn_picture(SIZE)
BGR = torch.from_numpy(np.ascontiguousarray(PICTURE[..., ::-1].transpose(2, 0, 1)))
PADDED = (64, 32)

PREPROCESSORS = [
    pytest.param(DetDataPreprocessor(mean=MEAN, std=STD, bgr_to_rgb=True), SIZE, id='mmdet, RGB'),
    pytest.param(DetDataPreprocessor(mean=MEAN, std=STD, bgr_to_rgb=False), SIZE, id='mmdet, BGR'),
    pytest.param(DetDataPreprocessor(mean=MEAN, std=STD, rgb_to_bgr=True), SIZE, id='mmdet, called the other way'),
    pytest.param(DetDataPreprocessor(bgr_to_rgb=True), SIZE, id='mmdet, no mean'),
    pytest.param(DetDataPreprocessor(), SIZE, id='mmdet, nothing'),
    pytest.param(DetDataPreprocessor(MEAN, STD, pad_size_divisor=32, bgr_to_rgb=True), PADDED, id='mmdet, padding'),
    pytest.param(DetDataPreprocessor(pad_size_divisor=32, pad_value=7), PADDED, id='mmdet, padding alone'),
    pytest.param(SegDataPreProcessor(mean=MEAN, std=STD, bgr_to_rgb=True), SIZE, id='mmseg, RGB'),
    pytest.param(SegDataPreProcessor(mean=MEAN, std=STD), SIZE, id='mmseg, BGR'),
    pytest.param(SegDataPreProcessor(bgr_to_rgb=True), SIZE, id='mmseg, no mean'),
    pytest.param(SegDataPreProcessor(MEAN, STD, size=(99, 99), bgr_to_rgb=True), SIZE, id='mmseg, size in training'),
    pytest.param(
        SegDataPreProcessor(MEAN, STD, bgr_to_rgb=True, test_cfg={'size_divisor': 32}), PADDED, id='mmseg, padding'
    ),
    pytest.param(SegDataPreProcessor(MEAN, STD, test_cfg={'size': (32, 64)}), PADDED, id='mmseg, padding to a size'),
    pytest.param(ClsDataPreprocessor(mean=MEAN, std=STD, to_rgb=True), SIZE, id='mmpretrain, RGB'),
    pytest.param(ClsDataPreprocessor(mean=MEAN, std=STD, to_rgb=False), SIZE, id='mmpretrain, BGR'),
    pytest.param(ClsDataPreprocessor(to_rgb=True), SIZE, id='mmpretrain, no mean'),
    pytest.param(ClsDataPreprocessor(MEAN, STD, pad_size_divisor=32), PADDED, id='mmpretrain, padding'),
    pytest.param(ImgDataPreprocessor(MEAN, STD, bgr_to_rgb=True), SIZE, id='mmengine'),
    pytest.param(ImgDataPreprocessor([127.5], [127.5]), SIZE, id='mmengine, one mean for all channels'),
]


def by_host(preprocessor: nn.Module) -> Tensor:
    """The picture as the host's model gets it."""
    prepared: Tensor = preprocessor({'inputs': [BGR], 'data_samples': [SegDataSample()]})['inputs']
    return prepared


@pytest.mark.parametrize(('preprocessor', 'size'), PREPROCESSORS)
def test_a_picture_is_normalised_as_the_preprocessor_does_it(preprocessor: nn.Module, size: tuple[int, int]) -> None:
    expected = by_host(preprocessor)
    assert tuple(expected.shape) == (1, 3, size[1], size[0])
    rgb = torch.from_numpy(PICTURE.transpose(2, 0, 1).copy())[None].float()
    found = Normalise(preprocessor)(rgb)
    assert found.shape == rgb.shape
    assert found.std() > 0.5
    torch.testing.assert_close(found, expected[..., : SIZE[1], : SIZE[0]], rtol=0, atol=EXACT)


@pytest.mark.parametrize(('preprocessor', 'size'), PREPROCESSORS)
def test_a_size_that_would_be_padded_is_refused(preprocessor: nn.Module, size: tuple[int, int]) -> None:
    model = nn.Module()
    model.data_preprocessor = preprocessor
    require_size(model, size)
    if size != SIZE:
        message = 'input size 45x30: the data preprocessor pads it to 64x32, .*`input_size`'
        with pytest.raises(ConfigError, match=message):
            require_size(model, SIZE)


@pytest.mark.parametrize(('preprocessor', 'size'), PREPROCESSORS)
@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_a_model_gets_what_its_preprocessor_gives(
    preprocessor: nn.Module, size: tuple[int, int], dtype: torch.dtype
) -> None:
    model = nn.Linear(1, 1).to(dtype)
    model.data_preprocessor = preprocessor
    found = preprocessed(model, PICTURE)
    assert found.dtype == dtype
    torch.testing.assert_close(found, by_host(preprocessor).to(dtype), rtol=0, atol=0)


def scaled(planes: Tensor) -> Tensor:
    return planes / 255


def curved(planes: Tensor) -> Tensor:
    return planes.sign() * planes.abs() ** 1.1


def grey(planes: Tensor) -> Tensor:
    return planes.mean(dim=1, keepdim=True)


def grey_in_three(planes: Tensor) -> Tensor:
    return planes.mean(dim=1, keepdim=True).expand(-1, 3, -1, -1)


def another_order(planes: Tensor) -> Tensor:
    return planes[:, [1, 0, 2]]


def mirrored(planes: Tensor) -> Tensor:
    return planes.flip(3)


def upside_down(planes: Tensor) -> Tensor:
    return planes.flip(2)


def shifted(planes: Tensor) -> Tensor:
    return planes.roll(1, dims=3)


def cropped(planes: Tensor) -> Tensor:
    return planes[..., :2, :2]


def halved(planes: Tensor) -> Tensor:
    return nn.functional.avg_pool2d(planes, 2)


def padded_before(planes: Tensor) -> Tensor:
    return nn.functional.pad(planes, (1, 1, 1, 1))


@pytest.mark.parametrize(
    'more',
    [
        scaled,
        curved,
        grey,
        grey_in_three,
        another_order,
        mirrored,
        upside_down,
        shifted,
        cropped,
        halved,
        padded_before,
    ],
)
@pytest.mark.parametrize('settings', [{'mean': MEAN, 'std': STD, 'bgr_to_rgb': True}, {}], ids=['normalises', 'plain'])
def test_one_that_does_something_else_is_refused(more: Any, settings: dict[str, Any]) -> None:
    class Another(DetDataPreprocessor):
        def forward(self, data: dict[str, Any], training: bool = False) -> dict[str, Any]:
            done: dict[str, Any] = super().forward(data, training)
            return {**done, 'inputs': more(done['inputs'])}

    with pytest.raises(ConfigError, match=r'^Another: does more to a picture than to change the order'):
        Normalise(Another(**settings))


def test_a_picture_comes_back_from_a_test_set() -> None:
    np.testing.assert_array_equal(picture_of(BGR), PICTURE)
    assert picture_of(BGR).flags.c_contiguous
    with pytest.raises(ConfigError, match=r'pictures of torch\.float32, expected torch\.uint8, .*to_float32'):
        picture_of(BGR.float())


def config_of(*pipeline: dict[str, Any]) -> Config:
    return Config({'test_dataloader': {'dataset': {'pipeline': list(pipeline)}}}, cfg_text='-', filename='x.py')


@pytest.mark.parametrize(
    ('pipeline', 'size'),
    [
        ([{'type': 'Resize', 'scale': (320, 240)}], (320, 240)),
        ([{'type': 'LoadImageFromFile'}, {'type': 'mmdet.Resize', 'scale': [64, 32], 'keep_ratio': False}], (64, 32)),
        ([{'type': 'Resize', 'scale': 224}], (224, 224)),
    ],
)
def test_the_input_size_is_that_of_the_test_pipeline(pipeline: list[dict[str, Any]], size: tuple[int, int]) -> None:
    assert input_size_of(config_of(*pipeline)) == size


@pytest.mark.parametrize(
    ('pipeline', 'message'),
    [
        ([], r'x\.py: the test pipeline has no Resize .* test_dataloader'),
        ([{'type': 'Resize', 'scale_factor': 0.5}], r'x\.py: the test pipeline has no Resize with a scale'),
        ([{'type': 'Resize', 'scale': (320, 240), 'keep_ratio': True}], r'x\.py: the test pipeline .*keep_ratio=True'),
    ],
)
def test_a_pipeline_without_a_fixed_size_is_refused(pipeline: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(ConfigError, match=rf'{message}.*`input_size`'):
        input_size_of(config_of(*pipeline))


@pytest.mark.parametrize('read', [input_size_of, example_images])
def test_a_pipeline_that_is_no_list_of_transforms_is_refused(read: Callable[[Config], Any]) -> None:
    broken = config_of({'type': 'LoadImageFromFile'}, None)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=r'x\.py: pipeline\.1 of the test data set is None, expected a transform'):
        read(broken)
    broken.merge_from_dict({'test_dataloader.dataset.pipeline': 7})
    with pytest.raises(ConfigError, match=r"x\.py: the test data set's pipeline is 7, expected a list"):
        read(broken)


@pytest.mark.parametrize(
    ('pipeline', 'height', 'width'),
    [
        ([], 224, 224),
        ([{'type': 'Resize', 'scale': (320, 240)}], 240, 320),
        ([{'type': 'ResizeEdge', 'scale': 256, 'edge': 'short'}, {'type': 'CenterCrop', 'crop_size': 224}], 224, 224),
        ([{'type': 'Resize', 'scale': (99, 9)}, {'type': 'CenterCrop', 'crop_size': (64, 32)}], 64, 32),
    ],
)
def test_example_images_are_of_the_size_that_is_tested_on(
    pipeline: list[dict[str, Any]], height: int, width: int
) -> None:
    config = config_of(*pipeline)
    assert inputs.test_size_hw(config) == (height, width)
    images = example_images(config, 3)
    assert (images.shape, images.dtype) == ((3, 3, height, width), torch.float32)
    assert torch.equal(images, example_images(config, 3))
    assert abs(images.mean()) < 0.05
    assert abs(images.std() - 1) < 0.05
