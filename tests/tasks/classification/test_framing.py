"""How big a picture a classifier takes, what it sees of it, and that this is what mmpretrain's pipeline gives."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mmengine.config import Config

from mobileone_mm.artifact.card import CENTER_CROP, SCALE_FILL
from mobileone_mm.artifact.inputs import fitted
from mobileone_mm.errors import ConfigError, UsageError
from mobileone_mm.openmmlab.configs import load_config
from mobileone_mm.openmmlab.inputs import picture_of
from mobileone_mm.openmmlab.test_data import open_samples, read_sample
from mobileone_mm.pictures.reading import middle, read_picture
from mobileone_mm.tasks.classification.framing import CentreCrop, centre_crop_of, framed, samples_for
from mobileone_mm.tasks.classification.options import ClassificationOptions
from tiny_classifier import PICTURES, SHORT, SIDE, card_of


def config_of(*pipeline: dict[str, Any]) -> Config:
    return Config({'test_dataloader': {'dataset': {'pipeline': list(pipeline)}}}, cfg_text='-', filename='x.py')


def edge(scale: int = 256, **more: Any) -> dict[str, Any]:
    return {'type': 'ResizeEdge', 'scale': scale, **more}


def cut(size: Any = 224) -> dict[str, Any]:
    return {'type': 'mmcv.CenterCrop', 'crop_size': size}


def stretch(scale: Any) -> dict[str, Any]:
    return {'type': 'Resize', 'scale': scale, 'keep_ratio': False}


@pytest.mark.parametrize(
    ('pipeline', 'expected'),
    [
        ([], None),
        ([edge()], None),
        ([cut()], None),
        ([stretch((224, 224))], None),
        ([edge(edge='long'), cut()], None),  # what is over is not at the sides of the middle
        ([edge(), cut((224, 192))], None),  # no square
        ([edge(), cut()], CentreCrop(256, 224)),
        ([edge(edge='short'), cut((224, 224))], CentreCrop(256, 224)),
    ],
)
def test_the_crop_is_that_of_the_test_pipeline(pipeline: list[dict[str, Any]], expected: CentreCrop | None) -> None:
    assert centre_crop_of(config_of(*pipeline)) == expected


@pytest.mark.parametrize(
    ('crop_inside', 'pipeline', 'given', 'size', 'crop', 'seen'),
    [
        ('yes', [edge(), cut()], None, (256, 256), CENTER_CROP, 224),
        ('no', [edge(), cut()], None, (224, 224), CENTER_CROP, None),
        ('yes', [edge(224), cut()], None, (224, 224), CENTER_CROP, None),  # nothing is left to be cut
        ('yes', [edge(), cut()], (320, 320), (320, 320), CENTER_CROP, 280),  # the same proportion
        ('no', [edge(), cut()], (320, 320), (320, 320), CENTER_CROP, None),
        ('yes', [stretch((320, 240))], None, (320, 240), SCALE_FILL, None),
        ('yes', [stretch((320, 240))], (64, 32), (64, 32), SCALE_FILL, None),
    ],
)
def test_what_an_export_takes_and_sees(
    crop_inside: str, pipeline: list[dict[str, Any]], given: Any, size: Any, crop: str, seen: int | None
) -> None:
    frame = framed(ClassificationOptions(crop_inside), config_of(*pipeline), given)
    assert (frame.size, frame.crop, frame.options.seen) == (size, crop, seen)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(UsageError, match='`input_size`: 320x240 given, expected a square'):
        framed(ClassificationOptions(), config_of(edge(), cut()), (320, 240))
    with pytest.raises(ConfigError, match=r'no Resize with a scale of \(width, height\); give `input_size`'):
        framed(ClassificationOptions(), config_of(edge()), None)
    with pytest.raises(UsageError, match="`crop_inside`: 'maybe' given, expected yes or no"):
        ClassificationOptions('maybe')


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
