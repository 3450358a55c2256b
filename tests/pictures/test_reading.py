"""Picture files, as training reads them."""

import os
from pathlib import Path

import cv2
import mmcv
import numpy as np
import pytest

from mobileone_mm.errors import DataError
from mobileone_mm.pictures.drawing import beside
from mobileone_mm.pictures.reading import centre_cropped, middle, read_picture, stretched, write_picture


def test_a_picture_is_read_as_rgb_and_stretched(tmp_path: Path) -> None:
    bgr = np.zeros((10, 20, 3), np.uint8)
    bgr[..., 0] = 200
    mmcv.imwrite(bgr, str(tmp_path / 'blue.png'))
    picture = read_picture(tmp_path / 'blue.png')
    assert (picture.shape, picture.dtype) == ((10, 20, 3), np.uint8)
    picture = stretched(picture, (8, 4))
    assert (picture.shape, picture.dtype) == ((4, 8, 3), np.uint8)
    assert picture[2, 3].tolist() == [0, 0, 200]


def test_what_is_written_is_what_was_given(tmp_path: Path) -> None:
    picture = np.random.default_rng(0).integers(0, 255, (10, 20, 3), np.uint8)
    write_picture(tmp_path / 'a.png', picture)
    np.testing.assert_array_equal(read_picture(tmp_path / 'a.png'), picture)
    bgr = cv2.imread(str(tmp_path / 'a.png'))
    assert bgr is not None
    np.testing.assert_array_equal(bgr[..., ::-1], picture)


@pytest.mark.parametrize('ending', ['jpg', 'png', 'webp'])
def test_a_picture_that_was_cut_short_is_refused(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f'a.{ending}'
    write_picture(path, np.random.default_rng(0).integers(0, 255, (40, 60, 3), np.uint8))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 9 // 10])
    with pytest.raises(DataError, match=rf'a\.{ending}: cannot be decoded as a picture: '):
        read_picture(path)


def test_a_picture_with_damage_inside_is_refused(tmp_path: Path) -> None:
    path = tmp_path / 'a.png'
    write_picture(path, np.random.default_rng(0).integers(0, 255, (40, 60, 3), np.uint8))
    data = bytearray(path.read_bytes())
    half = len(data) // 2
    data[half : half + 512] = bytes(512)
    path.write_bytes(data)
    with pytest.raises(DataError, match=r'a\.png: cannot be decoded as a picture: '):
        read_picture(path)


def test_a_pipe_is_no_picture(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / 'a.jpg')
    with pytest.raises(DataError, match=r'a\.jpg: cannot be decoded as a picture: no regular file'):
        read_picture(tmp_path / 'a.jpg')


def test_a_name_that_is_no_text_is_written_and_read(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b'b\xe4r.png')
    try:
        path.touch()
    except OSError:
        pytest.skip('this file system takes names in UTF-8 only')
    picture = np.random.default_rng(0).integers(0, 255, (10, 20, 3), np.uint8)
    write_picture(path, picture)
    np.testing.assert_array_equal(read_picture(path), picture)
    sheet = np.zeros((100, 200, 3), np.uint8)
    assert beside(sheet, sheet, (str(path), str(path))).shape[1] > 400


def test_read_picture_refuses(tmp_path: Path) -> None:
    (tmp_path / 'text.jpg').write_text('no picture')
    with pytest.raises(DataError, match=r'text.jpg: cannot be decoded as a picture'):
        read_picture(tmp_path / 'text.jpg')
    (tmp_path / 'empty.jpg').touch()
    with pytest.raises(DataError, match=r'empty.jpg: cannot be decoded'):
        read_picture(tmp_path / 'empty.jpg')
    with pytest.raises(DataError, match=r'none.jpg: no such file'):
        read_picture(tmp_path / 'none.jpg')
    with pytest.raises(DataError, match=r'a folder given, expected a picture; give its files: .*/\*'):
        read_picture(tmp_path)


@pytest.mark.parametrize(
    ('whole', 'part', 'rows', 'columns'),
    [
        ((256, 256), (224, 224), (16, 240), (16, 240)),
        ((300, 256), (224, 200), (28, 228), (38, 262)),
        ((5, 7), (2, 2), (2, 4), (2, 4)),  # halves go to the even pixel, as Python rounds
        ((7, 9), (2, 2), (4, 6), (2, 4)),
        ((2, 2), (2, 2), (0, 2), (0, 2)),
    ],
)
def test_the_middle_of_a_picture(
    whole: tuple[int, int], part: tuple[int, int], rows: tuple[int, int], columns: tuple[int, int]
) -> None:
    assert middle(whole, part) == (slice(*rows), slice(*columns))


@pytest.mark.parametrize('size', [(40, 20), (20, 40), (40, 40)])
def test_a_picture_is_resized_to_fill_a_square_and_cut(size: tuple[int, int]) -> None:
    width, height = size
    picture = np.zeros((height, width, 3), np.uint8)
    picture[height // 2 - 10 : height // 2 + 10, width // 2 - 10 : width // 2 + 10] = 200  # of 20x20, in the middle
    found = centre_cropped(picture, (10, 10))
    assert found.shape == (10, 10, 3)
    assert found.flags.c_contiguous
    assert (found == 200).mean() == (1 if min(size) == 20 else 0.16)  # 4 of 10 each way, its edges blurred


def test_a_picture_of_the_size_stays_as_it_is() -> None:
    picture = np.random.default_rng(0).integers(0, 255, (12, 16, 3), np.uint8)
    np.testing.assert_array_equal(centre_cropped(picture, (16, 12)), picture)
