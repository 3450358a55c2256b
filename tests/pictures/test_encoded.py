"""A JPEG's size from its header, and the picture decoded smaller: where it lies, whichever way EXIF data turn it."""

import io
import struct

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

from mobileone_mm.pictures.decoding import orientation_in
from mobileone_mm.pictures.encoded import REDUCED, encoded

SIZE = (203, 149)  # px, upright: no side can be divided by two
ORIENTATION = 0x0112
NOISE = 4.0  # levels of 255, on average: by JPEG, on a smooth picture
PREVIEW = b'\xff\xd8\xff\xd9'


def smooth() -> Image.Image:
    """Upright: red grows to the right, green downwards."""
    y, x = np.mgrid[: SIZE[1], : SIZE[0]]
    rgb = np.stack([40 + 170 * x / SIZE[0], 40 + 170 * y / SIZE[1], np.full_like(x, 90)], axis=-1)
    return Image.fromarray(rgb.round().astype(np.uint8))


def stored(upright: Image.Image, orientation: int, **options: object) -> bytes:
    """A JPEG file that is `upright` once it is turned as its EXIF data say."""
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    ways = [None, *(getattr(Image.Transpose, name) for name in WAYS)]
    way = ways[orientation - 1]
    turned = upright if way is None else upright.transpose(way)
    file = io.BytesIO()
    turned.save(file, 'JPEG', quality=98, subsampling=0, exif=exif, **options)
    return file.getvalue()


# What undoes orientations 2 to 8.
WAYS = ('FLIP_LEFT_RIGHT', 'ROTATE_180', 'FLIP_TOP_BOTTOM', 'TRANSPOSE', 'ROTATE_90', 'TRANSVERSE', 'ROTATE_270')


@pytest.mark.parametrize('orientation', range(1, 9))
def test_reduced_pixels_lie_where_the_picture_is(orientation: int) -> None:
    data = stored(smooth(), orientation)
    with Image.open(io.BytesIO(data)) as image:
        assert ImageOps.exif_transpose(image).size == SIZE
    found = encoded(data)
    assert found is not None
    assert (found.size, found.orientation) == (SIZE, orientation)
    for by in REDUCED:
        picture, (right, down) = found.reduced(by)
        assert picture.shape[:2] == (-(-SIZE[1] // by), -(-SIZE[0] // by))
        y, x = np.mgrid[1 : picture.shape[0] - 1, 1 : picture.shape[1] - 1]
        for channel, places, beyond, side in ((2, x, right, SIZE[0]), (1, y, down, SIZE[1])):
            expected = 40 + 170 * ((places + 0.5 - beyond) * by - 0.5) / side
            errors = picture[1:-1, 1:-1, channel] - expected
            assert abs(errors.mean()) < 0.2 * 170 * by / side + 0.3  # a fifth of a px of the reduced picture
            assert np.abs(errors).mean() < NOISE


def test_the_whole_picture_is_what_opencv_decodes() -> None:
    found = encoded(stored(smooth(), 6))
    assert found is not None
    picture, beyond = found.reduced(1)
    assert (picture.shape, beyond) == ((SIZE[1], SIZE[0], 3), (0.0, 0.0))


@pytest.mark.parametrize('options', [{}, {'progressive': True}], ids=['baseline', 'progressive'])
def test_a_file_that_was_cut_short_is_refused(options: dict[str, object]) -> None:
    data = stored(smooth(), 1, **options)
    assert encoded(data + b'what a camera adds') is not None
    for part in (0.5, 0.9):
        with pytest.raises(ValueError, match='cut short'):
            encoded(data[: int(part * len(data))])


def test_the_end_of_a_preview_is_not_that_of_the_picture() -> None:
    exif = Image.Exif()
    exif[0x010E] = 'x' + PREVIEW.decode('latin-1')
    file = io.BytesIO()
    smooth().save(file, 'JPEG', exif=exif, comment=PREVIEW)
    data = file.getvalue()
    assert data.find(PREVIEW) > 0
    assert encoded(data) is not None
    with pytest.raises(ValueError, match='cut short'):
        encoded(data[:-1000])


def test_other_files_have_no_such_header() -> None:
    file = io.BytesIO()
    smooth().save(file, 'PNG')
    assert encoded(file.getvalue()) is None
    assert encoded(b'no picture') is None
    assert encoded(b'') is None


XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/" xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"/>'


def test_an_orientation_in_xmp_data_alone_turns_nothing_as_in_opencv() -> None:
    exif = Image.Exif()
    exif[0x0131] = 'a camera'  # EXIF data without an orientation
    data = io.BytesIO()
    smooth().save(data, 'JPEG', exif=exif, xmp=XMP)
    with Image.open(data) as image:
        assert image.getexif().get(ORIENTATION) == 6  # Pillow's own reading, which this is about
    found = encoded(data.getvalue())
    assert found is not None
    assert (found.size, found.orientation) == (SIZE, 1)
    assert cv2.imdecode(np.frombuffer(data.getvalue(), np.uint8), cv2.IMREAD_COLOR).shape[1::-1] == SIZE


def block_of(order: str, entries: list[tuple[int, int, int, bytes]], count: int | None = None) -> bytes:
    """EXIF data of such entries: tag, type, number of values, and the four bytes that hold them."""
    way = '<' if order == 'II' else '>'
    packed = b''.join(struct.pack(f'{way}HHI', *entry[:3]) + entry[3] for entry in entries)
    head = struct.pack(f'{way}HIH', 42, 8, len(entries) if count is None else count)
    return b'Exif\0\0' + order.encode() + head + packed + bytes(4)


def orientation_by_opencv(exif: bytes) -> int:
    """Which orientation undoes what OpenCV makes of a picture with EXIF data."""
    file = io.BytesIO()
    smooth().save(file, 'JPEG', quality=98, subsampling=0)
    data = file.getvalue()
    whole = data[:2] + b'\xff\xe1' + struct.pack('>H', 2 + len(exif)) + exif + data[2:]
    found, plain = (cv2.imdecode(np.frombuffer(one, np.uint8), cv2.IMREAD_COLOR) for one in (whole, data))
    turned = Image.fromarray(found)
    undone = [turned, *(turned.transpose(getattr(Image.Transpose, name)) for name in WAYS)]
    (orientation,) = (number for number, one in enumerate(undone, 1) if np.array_equal(np.asarray(one), plain))
    header = encoded(whole)
    assert header is not None
    assert (header.size, header.orientation) == (found.shape[1::-1], orientation)
    return orientation


NUMBERS = {'a byte': b'\6\0\0\0', 'two bytes, high first': b'\0\6\0\0', 'four': b'\0\0\0\6', 'others': b'\6\6\6\6'}


@pytest.mark.parametrize('order', ['II', 'MM'])
@pytest.mark.parametrize('kind', [*range(14), 99])
def test_an_orientation_of_any_type_is_what_opencv_takes_it_for(order: str, kind: int) -> None:
    """EXIF has two bytes (SHORT, 3) of it; some programs write one (BYTE, 1)."""
    for number in NUMBERS.values():
        for count in (0, 1, 4):
            exif = block_of(order, [(ORIENTATION, kind, count, number)])
            assert orientation_in([exif]) == orientation_by_opencv(exif)


def test_a_byte_in_the_order_of_most_cameras_turns_the_picture() -> None:
    assert orientation_in([block_of('II', [(ORIENTATION, 1, 1, b'\6\0\0\0')])]) == 6
    assert orientation_in([]) == 1


def test_damaged_exif_data_turn_what_opencv_turns() -> None:
    turned, other = (ORIENTATION, 3, 1, b'\6\0\0\0'), (ORIENTATION, 3, 1, b'\3\0\0\0')
    broken = (0x010E, 2, 400, b'\0\x10\0\0')  # a text far behind the end
    blocks = [
        *(block_of('II', entries) for entries in ([turned, other], [broken, turned], [turned, broken], [])),
        *(block_of('II', [(ORIENTATION, 3, 1, bytes([value, 0, 0, 0]))]) for value in (0, 9, 255)),
        block_of('II', [turned], count=9),
        *(block_of('II', [turned])[:-less] for less in range(1, 12)),
        block_of('II', [turned]).replace(b'II', b'IM'),
    ]
    for exif in blocks:
        assert orientation_in([exif]) == orientation_by_opencv(exif)
