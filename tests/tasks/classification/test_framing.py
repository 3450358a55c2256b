"""How big a picture a classifier takes, what it sees of it, and that this is what mmpretrain's pipeline gives."""

import logging
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sizing_pipelines import config_of, cut, edge, efficient, stretch, torchvision
from torchvision.transforms import InterpolationMode

from mobileone_mm.artifact.card import CENTER_CROP, SCALE_FILL
from mobileone_mm.artifact.inputs import fitted, fitted_for
from mobileone_mm.errors import ConfigError, UsageError
from mobileone_mm.openmmlab.configs import load_config
from mobileone_mm.openmmlab.inputs import picture_of
from mobileone_mm.openmmlab.test_data import open_samples, read_sample
from mobileone_mm.pictures.reading import Resampling, middle, read_picture
from mobileone_mm.tasks.classification import framing
from mobileone_mm.tasks.classification.framing import framed, samples_for
from mobileone_mm.tasks.classification.options import ClassificationOptions
from tiny_classifier import PICTURES, SHORT, SIDE, card_of, write_config


@pytest.mark.parametrize(
    ('crop_inside', 'pipeline', 'given', 'size', 'crop', 'seen'),
    [
        (None, [edge(), cut()], None, (256, 256), CENTER_CROP, 224),
        ('yes', [edge(), cut()], None, (256, 256), CENTER_CROP, 224),
        ('no', [edge(), cut()], None, (224, 224), CENTER_CROP, None),
        ('yes', [edge(224), cut()], None, (224, 224), CENTER_CROP, None),  # nothing is left to be cut
        ('yes', [edge(), cut()], (320, 320), (320, 320), CENTER_CROP, 280),  # the same proportion
        ('no', [edge(), cut()], (320, 320), (320, 320), CENTER_CROP, None),
        ('yes', [stretch((320, 240))], None, (320, 240), SCALE_FILL, None),
        ('yes', [stretch((320, 240))], (64, 32), (64, 32), SCALE_FILL, None),
        ('yes', [efficient(224)], None, (256, 256), CENTER_CROP, 224),
        ('yes', [torchvision('Resize', (240, 320))], None, (320, 240), SCALE_FILL, None),
    ],
)
def test_what_an_export_takes_and_sees(
    crop_inside: str | None, pipeline: list[dict[str, Any]], given: Any, size: Any, crop: str, seen: int | None
) -> None:
    frame = framed(ClassificationOptions(crop_inside), config_of(*pipeline), given)
    assert (frame.size, frame.crop, frame.options.seen) == (size, crop, seen)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(UsageError, match='`input_size`: 320x240 given, expected a square'):
        framed(ClassificationOptions(), config_of(edge(), cut()), (320, 240))
    with pytest.raises(ConfigError, match=r'no Resize with a scale of \(width, height\); .* give `input_size`'):
        framed(ClassificationOptions(), config_of(), None)
    with pytest.raises(UsageError, match="`crop_inside`: 'maybe' given, expected yes or no"):
        ClassificationOptions('maybe')


@pytest.mark.parametrize('pipeline', [[edge(224), cut()], [stretch((320, 240))]])
def test_a_crop_inside_that_is_asked_for_and_not_there_is_noted(
    pipeline: list[dict[str, Any]], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    for given, of in ((None, pipeline), ('no', pipeline), ('yes', [edge(), cut()])):
        framed(ClassificationOptions(given), config_of(*of), None)
    assert not caplog.records
    asked = framed(ClassificationOptions('yes'), config_of(*pipeline), None)
    (record,) = caplog.records
    assert record.getMessage() == (
        "note: `crop_inside` yes makes the same file as no: this config's test pipeline crops nothing off the short "
        'side of a picture'
    )
    without = framed(ClassificationOptions('no'), config_of(*pipeline), None)
    assert (asked.size, asked.crop, asked.options.seen) == (without.size, without.crop, without.options.seen)


def test_cropping_inside_sees_what_the_test_pipeline_gives(classifier: tuple[Path, Path]) -> None:
    samples = open_samples(load_config(classifier[0]))
    wide = samples_for(samples, card_of(SHORT, SIDE))
    assert wide is not None
    for index in range(PICTURES):
        expected = picture_of(read_sample(samples, index)['inputs'])
        assert expected.shape == (SIDE, SIDE, 3)
        taken = picture_of(read_sample(wide, index)['inputs'])
        own = fitted(read_picture(samples.dataset.get_data_info(index)['img_path']), (SHORT, SHORT), CENTER_CROP)
        for picture in (taken, own):
            assert picture.shape == (SHORT, SHORT, 3)
            assert np.array_equal(picture[middle((SHORT, SHORT), (SIDE, SIDE))], expected)


def test_crops_that_may_lie_a_pixel_apart_are_noted(
    classifier: tuple[Path, Path], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    uneven = (
        'one pixel apart, and probabilities differ a little; a resize to 72 instead of 73 px before the crop of 64 px'
    )
    framed(ClassificationOptions(), config_of(edge(72), cut(64)), None)
    framed(ClassificationOptions('no'), config_of(edge(73), cut(64)), None)
    assert uneven not in caplog.text
    framed(ClassificationOptions(), config_of(edge(73), cut(64)), None)
    assert caplog.text.count(uneven) == 1
    config = load_config(classifier[0])
    for step in config.test_dataloader.dataset.pipeline:
        step.update({'scale': 73} if step['type'] == 'ResizeEdge' else {})
    assert samples_for(open_samples(config), card_of(73, 64)) is not None
    assert caplog.text.count(uneven) == 2


def test_a_plain_export_is_scored_on_the_whole_short_side(
    classifier: tuple[Path, Path], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    samples = open_samples(load_config(classifier[0]))
    plain = samples_for(samples, card_of(SIDE, None))
    assert plain is not None
    assert f'the model in its own test {SIDE} of {SHORT} px of it' in caplog.text
    taken = picture_of(read_sample(plain, 0)['inputs'])
    whole = read_picture(samples.dataset.get_data_info(0)['img_path'])
    assert np.array_equal(taken, fitted(whole, (SIDE, SIDE), CENTER_CROP))
    assert not np.array_equal(taken, picture_of(read_sample(samples, 0)['inputs']))
    config = load_config(classifier[0])
    for step in config.test_dataloader.dataset.pipeline:
        step.update({'crop_size': SHORT} if 'crop_size' in step else {})
    assert samples_for(open_samples(config), card_of(SHORT, None)) is None, 'as it is'
    stretched = card_of(SIDE, None, crop=SCALE_FILL)
    assert samples_for(samples, stretched) is None


@pytest.mark.parametrize(
    ('steps', 'size', 'said'),
    [
        ([edge()], None, 'ResizeEdge'),
        ([edge()], (64, 64), 'ResizeEdge'),  # which would stretch
        ([stretch((256, 256)), cut()], None, 'Resize, then CenterCrop'),
        ([edge(edge='long'), {'type': 'Pad', 'size': (224, 224)}], None, 'ResizeEdge, then Pad'),
        ([torchvision('Resize', 224)], None, 'no Resize with a scale'),
    ],
)
def test_other_crops_are_refused(steps: list[dict[str, Any]], size: Any, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        framed(ClassificationOptions(), config_of(*steps), size)
    assert f'x.py: the test pipeline {"has " if "no" in said else "brings pictures to their size by "}{said}' in str(
        refused.value
    )


@pytest.mark.parametrize(
    ('pipeline', 'expected'),
    [
        ([], Resampling('cv2', 'bilinear')),
        ([stretch((64, 64))], Resampling('cv2', 'bilinear')),
        ([{**stretch((64, 64)), 'backend': 'pillow', 'interpolation': 'lanczos'}], Resampling('pillow', 'lanczos')),
        ([edge(backend='pillow', interpolation='bicubic'), cut()], Resampling('pillow', 'bicubic')),
        ([efficient(224)], Resampling('cv2', 'bicubic')),
        ([efficient(224, backend='pillow', interpolation='bilinear')], Resampling('pillow', 'bilinear')),
        (
            [torchvision('Resize', 256, interpolation=InterpolationMode.BICUBIC), torchvision('CenterCrop', 224)],
            Resampling('pillow', 'bicubic'),
        ),
    ],
)
def test_pictures_are_resized_as_the_test_pipeline_does_it(
    pipeline: list[dict[str, Any]], expected: Resampling
) -> None:
    assert framing.resampling_of(config_of(*pipeline)) == expected


def test_an_unknown_interpolation_is_refused() -> None:
    with pytest.raises(ConfigError, match="ResizeEdge resizes with backend='cv2' and interpolation='box', expected"):
        framing.resampling_of(config_of(edge(interpolation='box')))
    with pytest.raises(ConfigError, match=r"resizes with backend='\[\[\]\]' and "):
        framing.resampling_of(config_of(edge(backend=[[]])))


PIL = ("dict(type='NumpyToPIL', to_rgb=True)", "dict(type='PILToNumpy', to_bgr=True)")
PIPELINES = {
    'pillow, bicubic': f"{{'type': 'ResizeEdge', 'scale': {SHORT}, 'backend': 'pillow', 'interpolation': 'bicubic'}}, "
    f"dict(type='CenterCrop', crop_size={SIDE})",
    'stretched by pillow': f"dict(type='Resize', scale=({SHORT}, {SIDE}), backend='pillow')",
    'torchvision': f"{PIL[0]}, {{'type': 'torchvision/Resize', 'size': {SHORT}, 'interpolation': 'bicubic'}}, "
    f"{{'type': 'torchvision/CenterCrop', 'size': {SIDE}}}, {PIL[1]}",
}


@pytest.mark.parametrize('name', PIPELINES)
def test_a_picture_is_fitted_to_the_pixel_as_the_test_pipeline_gives_it(name: str, tmp_path: Path) -> None:
    config = load_config(write_config(tmp_path, pipeline=PIPELINES[name]))
    samples, frame = open_samples(config), framed(ClassificationOptions(), config, None)
    card = card_of(SHORT, frame.options.seen, frame.crop, asdict(framing.resampling_of(config)))
    card = replace(card, input_size=frame.size)
    given = samples_for(samples, card) or samples
    for index in range(3):
        whole = read_picture(samples.dataset.get_data_info(index)['img_path'])
        expected = picture_of(read_sample(samples, index)['inputs'])
        taken = fitted(whole, frame.size, frame.crop, frame.resampling)
        np.testing.assert_array_equal(taken, fitted_for(whole, card))
        np.testing.assert_array_equal(taken, picture_of(read_sample(given, index)['inputs']))
        side = frame.options.seen
        seen = taken[middle(frame.size, (side, side))] if side else taken
        np.testing.assert_array_equal(seen, expected)
        plain = fitted(whole, frame.size, frame.crop)
        assert not np.array_equal(plain, taken), 'another way to resize gives other pixels'


def test_cutting_before_resizing_sees_the_same_part(tmp_path: Path) -> None:
    """EfficientNet's crop of a picture whose colours say where they are: within a pixel of it, which it rounds to."""
    step = f"dict(type='EfficientNetCenterCrop', crop_size={SIDE}, crop_padding={SHORT - SIDE})"
    config = load_config(write_config(tmp_path, pipeline=step))
    samples = open_samples(config)
    path = samples.dataset.get_data_info(0)['img_path']
    y, x = np.indices((240, 320)) / 320 * 255
    whole = np.stack([x, y, 0 * x], axis=-1).round().astype(np.uint8)
    Image.fromarray(whole).save(path)
    frame = framed(ClassificationOptions(), config, None)
    wide = samples_for(samples, card_of(SHORT, SIDE))
    assert wide is not None
    taken = fitted(whole, frame.size, frame.crop, frame.resampling).astype(float)
    assert np.abs(taken - picture_of(read_sample(wide, 0)['inputs'])).max() <= 2
    seen, expected = taken[middle(frame.size, (SIDE, SIDE))], picture_of(read_sample(samples, 0)['inputs'])
    assert np.abs(seen - expected).max() <= 2
    assert expected[0, -1, 0] - expected[0, 0, 0] < taken[0, -1, 0] - taken[0, 0, 0] - 20, 'some of it is cut off'
