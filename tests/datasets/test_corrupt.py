"""Corrupted pictures: of the published kinds, the same again each time, worse by severity, and stored as JPEG."""

import sys
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mmengine.registry import TRANSFORMS, init_default_scope
from PIL import Image

from mobileone_mm.datasets.corrupt import CORRUPTIONS, FAMILIES, corrupt
from mobileone_mm.errors import ConfigError, DataError
from mobileone_mm.pictures.reading import Picture
from mobileone_mm.pictures.synthetic import drawn_picture

SIDE = 96
REDRAWN = ('contrast', 'brightness', 'defocus_blur', 'zoom_blur', 'pixelate', 'jpeg_compression')  # without chance


def picture() -> Picture:
    return drawn_picture((SIDE, SIDE))


def transformed(name: str, severity: int, file: str = 'a.png') -> Picture:
    init_default_scope('mmpretrain')
    step = TRANSFORMS.build({'type': 'mobileone_mm.Corrupt', 'name': name, 'severity': severity})
    found: Picture = step({'img': picture()[..., ::-1].copy(), 'img_path': file})['img']
    return found


def apart(one: Picture, other: Picture) -> float:
    return float(np.abs(one.astype(float) - other).mean())


def test_the_kinds_are_those_of_the_library_in_its_families() -> None:
    imagecorruptions = pytest.importorskip('imagecorruptions')
    assert list(CORRUPTIONS) == imagecorruptions.get_corruption_names('common')
    assert {family: list(names) for family, names in FAMILIES.items()} == {
        family: imagecorruptions.get_corruption_names(family) for family in FAMILIES
    }


@pytest.fixture
def _interpreted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Glass blur as it is written, not compiled: that takes longer than all other tests here."""
    module = pytest.importorskip('imagecorruptions.corruptions')
    compiled = '_shuffle_pixels_njit_glass_blur'
    monkeypatch.setattr(module, compiled, getattr(module, compiled).py_func)


@pytest.mark.parametrize('name', CORRUPTIONS)
@pytest.mark.usefixtures('_interpreted')
def test_a_file_is_corrupted_in_the_same_way_each_time_whatever_was_drawn_before(name: str) -> None:
    np.random.seed(5)
    first = transformed(name, 3, 'here/a.png')
    drawn = np.random.rand()
    np.random.seed(6)
    again = transformed(name, 3, 'there/a.png')
    np.random.seed(5)
    assert drawn == np.random.rand()  # the random numbers of others go on as they would have
    assert (first.shape, first.dtype) == ((SIDE, SIDE, 3), np.uint8)
    np.testing.assert_array_equal(first, again)
    other = transformed(name, 3, 'here/b.png')
    assert (apart(first, other) == 0) == (name in REDRAWN)
    assert apart(first, picture()[..., ::-1]) > 1


@pytest.mark.parametrize('name', ['gaussian_noise', 'fog', 'contrast', 'jpeg_compression'])
def test_it_gets_worse_with_severity(name: str) -> None:
    steps = [apart(transformed(name, severity), picture()[..., ::-1]) for severity in (1, 3, 5)]
    assert steps[0] < steps[1] < steps[2]


def test_brightness_by_hand_and_stored_as_published() -> None:
    grey = np.full((40, 40, 3), 100, np.uint8)  # brighter by a tenth of 255, then JPEG, which keeps a plain grey
    np.testing.assert_allclose(corrupt(grey, 'brightness', 1, 0), 126, atol=1)
    imagecorruptions = pytest.importorskip('imagecorruptions')
    file = BytesIO()
    Image.fromarray(imagecorruptions.corrupt(picture(), 2, 'contrast')).save(file, 'JPEG', quality=85)
    np.testing.assert_array_equal(corrupt(picture(), 'contrast', 2, 0), np.asarray(Image.open(file)))


@pytest.mark.parametrize('wrong', [{'name': 'rain', 'severity': 1}, {'name': 'fog', 'severity': 6}])
def test_what_is_not_known_is_refused_with_what_is(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r'given, expected one of gaussian_noise, .* and a severity of 1 to 5'):
        TRANSFORMS.build({'type': 'mobileone_mm.Corrupt', **wrong})


def test_without_the_library_the_cure_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, 'imagecorruptions', None)
    with pytest.raises(DataError, match=r"cannot be imported .*pip install 'mobileone-mm\[robustness\]'"):
        corrupt(picture(), 'fog', 1, 0)
