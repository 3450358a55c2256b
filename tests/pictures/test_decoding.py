"""What is said of a picture file is what OpenCV, which training loads with, makes of it."""

import io
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, features
from PIL.PngImagePlugin import PngInfo

from mobileone_mm.pictures.decoding import Decoded, decoded
from mobileone_mm.pictures.encoded import encoded
from mobileone_mm.setup.picture_sizes import picture_sizes

SIZE = (64, 40)  # px, as stored
ORIENTATION, OTHER = 0x0112, 0x0100  # tags of EXIF
KINDS = ['JPEG', 'PNG', 'WEBP', 'TIFF', 'AVIF', 'GIF', 'BMP', 'PPM', 'JPEG2000']
HEAD = b'Exif\0\0'
# What a viewer does by each orientation.
WAYS = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def quarters() -> Image.Image:
    """Four colours, so that every turn shows."""
    pixels = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
    pixels[:20, :32], pixels[:20, 32:], pixels[20:, :32], pixels[20:, 32:] = (255, 0, 0), (0, 255, 0), (0, 0, 255), 200
    return Image.fromarray(pixels)


def tags(orientation: int, tag: int = ORIENTATION) -> bytes:
    """EXIF data of one number."""
    return b'II' + struct.pack('<HIHHHIHHI', 42, 8, 1, tag, 3, 1, orientation, 0, 0)


def file_of(kind: str, **options: object) -> bytes:
    if kind == 'AVIF' and not features.check('avif'):
        pytest.skip('this Pillow writes no AVIF')
    file = io.BytesIO()
    quarters().save(file, kind, **options)
    return file.getvalue()


def turned_by_opencv(data: bytes) -> Decoded | None:
    """Which orientation makes what OpenCV shows of what the file holds."""
    buffer = np.frombuffer(data, np.uint8)
    shown = cv2.imdecode(buffer, cv2.IMREAD_COLOR)
    stored = cv2.imdecode(buffer, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    if shown is None:
        return None
    image = Image.fromarray(stored)
    turned = {number: image if way is None else image.transpose(way) for number, way in WAYS.items()}
    (orientation,) = (number for number, one in turned.items() if np.array_equal(np.asarray(one), shown))
    return Decoded((shown.shape[1], shown.shape[0]), 'RGB', orientation)


def check(path: Path, data: bytes) -> Decoded:
    """That all of ours say what OpenCV does."""
    path.write_bytes(data)
    expected = turned_by_opencv(data)
    assert expected is not None
    found = decoded(path)
    assert (found.size, found.orientation) == (expected.size, expected.orientation)
    assert picture_sizes([str(path)]) == [expected.size]
    header = encoded(data)
    if header is not None:
        assert (header.size, header.orientation) == (expected.size, expected.orientation)
    return found


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('orientation', [*range(10), 255])
def test_an_orientation_turns_what_opencv_turns(kind: str, orientation: int, tmp_path: Path) -> None:
    options = {'tiffinfo': {ORIENTATION: orientation}} if kind == 'TIFF' else {'exif': HEAD + tags(orientation)}
    check(tmp_path / 'a', file_of(kind, **options))


def segment(data: bytes, marker: int = 0xE1) -> bytes:
    return bytes([0xFF, marker]) + struct.pack('>H', len(data) + 2) + data


XMP = b'http://ns.adobe.com/xap/1.0/\0<x xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"/>'
SIX, EIGHT, ONE = (HEAD + tags(number) for number in (6, 8, 1))
WITHOUT = HEAD + tags(6, OTHER)
# What stands behind the first two bytes of a JPEG file, and by which orientation OpenCV 5.0 turns it.
STARTS = {
    'a block without an orientation': (segment(WITHOUT) + segment(SIX), 6),
    'an empty block': (segment(HEAD) + segment(SIX), 6),
    'the beginning of a block': (segment(b'Exif') + segment(SIX), 6),
    'two orientations': (segment(SIX) + segment(EIGHT), 6),
    'one that turns nothing': (segment(ONE) + segment(SIX), 1),
    'XMP data alone': (segment(XMP), 1),
    'XMP data': (segment(XMP) + segment(SIX), 6),
    'XMP data between': (segment(WITHOUT) + segment(XMP) + segment(b'x', 0xFE) + segment(EIGHT), 8),
    'a block of another segment': (segment(SIX, 0xE2), 1),
    'small letters': (segment(SIX.lower()), 1),
    'no second zero': (segment(SIX.replace(HEAD, b'Exif\0\1')), 1),
    'as large as can be': (segment(SIX + bytes(65533 - len(SIX))), 6),
    'many large blocks': (segment(XMP + bytes(60000)) * 9 + segment(EIGHT), 8),
    'filling': (b'\xff\xff\xff' + segment(SIX), 6),
    'stray bytes': (segment(SIX) + bytes(3), 6),
    'stray bytes before': (segment(XMP) + bytes(2) + segment(SIX), 6),
}


@pytest.mark.parametrize('name', STARTS)
def test_header_segments_of_a_jpeg_are_read_as_opencv_reads_them(name: str, tmp_path: Path) -> None:
    data, (start, orientation) = file_of('JPEG'), STARTS[name]
    assert check(tmp_path / 'a.jpg', data[:2] + start + data[2:]).orientation == orientation


@pytest.mark.parametrize('marker', [b'\xff\xc0', b'\xff\xda'], ids=['frame', 'scan'])
def test_exif_data_may_come_late_in_a_jpeg_header(marker: bytes, tmp_path: Path) -> None:
    data = file_of('JPEG')
    place = data.find(marker)
    assert check(tmp_path / 'a.jpg', data[:place] + segment(SIX) + data[place:]).orientation == 6


@pytest.mark.parametrize('stray', [b'\0\0\0', b'abc', b'\0\xff\0\x01', b'x' * 300, b'\xff\x01\xff\xd3'])
def test_stray_bytes_between_segments_are_passed_over(stray: bytes) -> None:
    data = file_of('JPEG', exif=SIX)
    for place in (data.find(b'\xff\xdb'), data.find(b'\xff\xc0'), data.find(b'\xff\xda')):
        whole = data[:place] + stray + data[place:]
        expected, found = turned_by_opencv(whole), encoded(whole)
        assert expected is not None
        assert found is not None
        assert (found.size, found.orientation) == (expected.size, expected.orientation) == (SIZE[::-1], 6)
        np.testing.assert_array_equal(found.reduced(1)[0], cv2.imdecode(np.frombuffer(whole, np.uint8), 1))


def test_a_jpeg_of_several_pictures_is_turned_as_its_first_one(tmp_path: Path) -> None:
    data = file_of('MPO', save_all=True, append_images=[quarters()], exif=SIX)
    with Image.open(io.BytesIO(data)) as image:
        assert image.format == 'MPO'
    assert check(tmp_path / 'a.jpg', data).orientation == 6


def chunk(name: bytes, data: bytes) -> bytes:
    """Of a PNG file."""
    return struct.pack('>I', len(data)) + name + data + struct.pack('>I', zlib.crc32(name + data))


def png_files() -> dict[str, bytes]:
    data = file_of('PNG')
    start, pixels, end = data[:33], data[33:-12], data[-12:]
    text = f'\nexif\n{len(SIX):8d}\n{SIX.hex()}\n'
    profile = PngInfo()
    profile.add_text('Raw profile type exif', text)
    frames = {'save_all': True, 'append_images': [quarters().transpose(Image.Transpose.ROTATE_180)]}
    return {
        'last': start + pixels + chunk(b'eXIf', tags(6)) + end,
        'two': start + chunk(b'eXIf', tags(6, OTHER)) + chunk(b'eXIf', tags(6)) + pixels + end,
        'before and behind': start + chunk(b'eXIf', tags(1)) + pixels + chunk(b'eXIf', tags(6)) + end,
        'with a head': start + chunk(b'eXIf', SIX) + pixels + end,
        'as text': file_of('PNG', pnginfo=profile),
        'animated': file_of('PNG', exif=tags(6), **frames),
    }


@pytest.mark.parametrize('name', ['last', 'two', 'before and behind', 'with a head', 'as text', 'animated'])
def test_exif_data_of_a_png_turn_what_opencv_turns(name: str, tmp_path: Path) -> None:
    check(tmp_path / 'a.png', png_files()[name])


@pytest.mark.parametrize('blocks', [[tags(6, OTHER), tags(6)], [tags(6), tags(8)], [SIX], [tags(3)], [b'']])
def test_exif_data_of_a_webp_turn_what_opencv_turns(blocks: list[bytes], tmp_path: Path) -> None:
    data = file_of('WEBP', exif=tags(6), lossless=True)
    chunks = b''.join(b'EXIF' + struct.pack('<I', len(one)) + one for one in blocks)
    body = data[8 : data.find(b'EXIF')] + chunks
    check(tmp_path / 'a.webp', b'RIFF' + struct.pack('<I', len(body)) + body)


def test_exif_data_of_an_avif_count_for_opencv_and_its_own_turns_do_not(tmp_path: Path) -> None:
    """Pillow writes an orientation as the format's own turns, which OpenCV 5.0 passes over; others write both."""
    assert check(tmp_path / 'own.avif', file_of('AVIF', exif=tags(6))).orientation == 1
    data = file_of('AVIF', exif=tags(6, OTHER))
    assert data.count(tags(6, OTHER)) == 1
    assert check(tmp_path / 'exif.avif', data.replace(tags(6, OTHER), tags(6))).orientation == 6


def test_a_picture_too_large_to_be_opened_has_no_size(tmp_path: Path) -> None:
    header = chunk(b'IHDR', struct.pack('>IIBBBBB', 60000, 60000, 8, 2, 0, 0, 0))
    path = tmp_path / 'large.png'
    path.write_bytes(b'\x89PNG\r\n\x1a\n' + header + chunk(b'IDAT', zlib.compress(bytes(9))) + chunk(b'IEND', b''))
    assert picture_sizes([str(path)]) == []
    with pytest.raises(ValueError, match='exceeds limit'):
        decoded(path)
