"""Pictures that cannot be read while a training goes on, and pipelines that one warp cannot stand for."""

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mmengine.dataset import Compose
from mmengine.registry import DATASETS, TRANSFORMS, init_default_scope
from PIL import Image, features
from torch.utils.data import DataLoader

from feeding_chains import LOAD, LOAD_BOXES, box_chain, boxed, random_boxes, smooth
from mobileone_mm.datasets import toy
from mobileone_mm.datasets.toy_options import ToyOptions
from mobileone_mm.errors import ConfigError, DataError

RESIZE = {'type': 'Resize', 'scale': (32, 32)}
PILLOW = [*box_chain()[:4], {**RESIZE, 'backend': 'pillow'}]


def one_warp(*steps: Any, **options: Any) -> Any:
    init_default_scope('mmdet')
    return TRANSFORMS.build({'type': 'mobileone_mm.OneWarp', 'transforms': list(steps), **options})


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-200])


def test_one_that_breaks_is_named_and_replaced_and_no_worker_dies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, log: pytest.LogCaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    toy.write_coco('data', ToyOptions(images=12, val=1, size=64))
    init_default_scope('mmdet')
    pictures = sorted(Path('data/images/train').iterdir())
    for path in pictures:
        with Image.open(path) as image:
            image.convert('RGB').save(path, 'JPEG')
    dataset = DATASETS.build(
        {
            'type': 'mobileone_mm.CocoDataset',
            'data_root': 'data',
            'metainfo': {'classes': ('circle', 'square', 'triangle')},
            'ann_file': 'annotations/train.json',
            'data_prefix': {'img': 'images/train'},
            'pipeline': [
                {'type': 'mobileone_mm.OneWarp', 'transforms': [*box_chain(side=32), {'type': 'PackDetInputs'}]}
            ],
        }
    )
    cut_short(pictures[3])
    pictures[5].unlink()
    paths = [sample['data_samples'].img_path for sample in dataset]
    assert len(paths) == 12
    assert not {path for path in paths if Path(path).name in (pictures[3].name, pictures[5].name)}
    said = [record.message for record in log.records if 'cannot be read' in record.message]
    assert [Path(text.partition(':')[0]).name for text in said] == [pictures[3].name, pictures[5].name]
    assert 'the file was cut short; another picture is taken instead (1 of at most 10 in this process)' in said[0]
    loader: Any = DataLoader(dataset, batch_size=4, num_workers=1, collate_fn=list)
    assert [len(batch) for _ in range(2) for batch in loader] == [4] * 6


def test_too_many_are_refused_with_their_names(tmp_path: Path) -> None:
    step = one_warp(LOAD, LOAD_BOXES, RESIZE, max_unreadable=2)
    places = [tmp_path / f'{index}.jpg' for index in range(3)]
    infos = [boxed(path, random_boxes(1, 60, 40)) for path in places]
    for path in places:
        smooth(60, 40).save(path)
        cut_short(path)
    assert [step(info()) for info in (*infos[:2], *infos[:2])] == [None] * 4  # known ones are counted once
    with pytest.raises(
        DataError, match=r'3 pictures cannot, expected at most 2: .*0\.jpg, .*1\.jpg, .*2\.jpg'
    ) as caught:
        step(infos[2]())
    assert '`mobileone check` names all of them' in str(caught.value)


@pytest.mark.parametrize('content', [b'', b'no picture', b'\xff\xd8\xff'], ids=['empty', 'text', 'begun'])
def test_whatever_is_no_picture_is_skipped(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / 'one.jpg'
    path.write_bytes(content)
    assert one_warp(LOAD, LOAD_BOXES, RESIZE)(boxed(path, random_boxes(1, 9, 9))()) is None


def chunk(name: bytes, data: bytes) -> bytes:
    """Of a PNG file."""
    return struct.pack('>I', len(data)) + name + data + struct.pack('>I', zlib.crc32(name + data))


def too_large() -> bytes:
    """A PNG file that says it has 60,000 x 60,000 px."""
    header = chunk(b'IHDR', struct.pack('>IIBBBBB', 60000, 60000, 8, 2, 0, 0, 0))
    return b'\x89PNG\r\n\x1a\n' + header + chunk(b'IDAT', zlib.compress(bytes(9))) + chunk(b'IEND', b'')


def stored(kind: str) -> bytes:
    if kind == 'AVIF' and not features.check('avif'):
        pytest.skip('this Pillow writes no AVIF')
    file = io.BytesIO()
    smooth(60, 40).save(file, kind)
    return file.getvalue()


@pytest.mark.parametrize('kind', ['AVIF', 'PNG', 'WEBP', 'TIFF', 'GIF', 'JPEG', 'BMP'])
@pytest.mark.parametrize('backend', ['cv2', 'pillow'])
def test_whatever_the_loader_cannot_decode_is_skipped(kind: str, backend: str, tmp_path: Path) -> None:
    """Whatever it raises: Pillow has a SyntaxError for some, and an error of its own for what is too large."""
    step, whole = one_warp({**LOAD, 'imdecode_backend': backend}, LOAD_BOXES, RESIZE), stored(kind)
    path = tmp_path / 'one'
    info = boxed(path, random_boxes(1, 60, 40))
    path.write_bytes(whole)
    assert step(info())['img'].shape == (32, 32, 3)
    path.write_bytes(whole[:60])
    assert step(info()) is None
    path.write_bytes(too_large())
    assert step(info()) is None


def test_a_name_in_the_log_moves_no_cursor(tmp_path: Path, log: pytest.LogCaptureFixture) -> None:
    path = tmp_path / 'a\x1b]0;title\x07\nb.jpg'
    path.write_bytes(b'no picture')
    assert one_warp(LOAD, LOAD_BOXES, RESIZE)(boxed(path, random_boxes(1, 9, 9))()) is None
    (said,) = [record.message for record in log.records if 'cannot be read' in record.message]
    assert said.startswith(f'{tmp_path}/a\\x1b]0;title\\x07\\nb.jpg: cannot be read: no picture that OpenCV knows; ')


def two_blocks(first: bytes) -> bytes:
    """A JPEG file with EXIF data twice, of which the second ones turn it."""
    tags = b'Exif\0\0II' + struct.pack('<HIHHHIHHI', 42, 8, 1, 0x0112, 3, 1, 6, 0, 0)
    segments = (b'\xff\xe1' + struct.pack('>H', 2 + len(data)) + data for data in (first, tags))
    whole = stored('JPEG')
    return whole[:2] + b''.join(segments) + whole[2:]


@pytest.mark.parametrize('first', [b'Exif\0\0', b'Exif\0\0II*\0\x08\0\0\0\0\0\0\0\0\0'], ids=['empty', 'no tags'])
def test_exif_data_that_come_twice_turn_the_picture_as_they_do_for_the_host(first: bytes, tmp_path: Path) -> None:
    path = tmp_path / 'one.jpg'
    path.write_bytes(two_blocks(first))
    info = boxed(path, random_boxes(1, 40, 60))
    init_default_scope('mmdet')
    theirs = Compose([LOAD, LOAD_BOXES, RESIZE])(info())
    ours = one_warp(LOAD, LOAD_BOXES, RESIZE)(info())
    assert ours['ori_shape'] == theirs['ori_shape'] == (60, 40)
    np.testing.assert_array_equal(ours['img'], theirs['img'])


def test_stray_bytes_between_segments_are_no_reason_to_skip_a_picture(tmp_path: Path) -> None:
    whole = stored('JPEG')
    path = tmp_path / 'one.jpg'
    path.write_bytes(whole[:20] + bytes(3) + whole[20:])  # behind the first segment
    info = boxed(path, random_boxes(1, 60, 40))
    init_default_scope('mmdet')
    theirs = Compose([LOAD, LOAD_BOXES, RESIZE])(info())
    np.testing.assert_array_equal(one_warp(LOAD, LOAD_BOXES, RESIZE)(info())['img'], theirs['img'])


@pytest.mark.parametrize('mode', ['L', 'P', 'RGBA', 'LA', '1', 'CMYK'])
def test_pictures_of_other_kinds_are_read_as_the_host_reads_them(mode: str, tmp_path: Path) -> None:
    path = tmp_path / ('one.jpg' if mode == 'CMYK' else 'one.png')
    smooth(60, 40).convert(mode).save(path)
    info = boxed(path, random_boxes(1, 60, 40))
    init_default_scope('mmdet')
    theirs = Compose([LOAD, LOAD_BOXES, RESIZE])(info())
    ours = one_warp(LOAD, LOAD_BOXES, RESIZE)(info())
    np.testing.assert_array_equal(ours['img'], theirs['img'])


def test_a_loader_that_turns_no_pictures_is_obeyed(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    smooth(60, 40).save(tmp_path / 'one.jpg', exif=exif)
    stored = {**LOAD, 'color_type': 'color_ignore_orientation'}
    step = one_warp(stored, LOAD_BOXES, {'type': 'Resize', 'scale': (15, 10)})
    found = step(boxed(tmp_path / 'one.jpg', random_boxes(1, 60, 40))())
    assert found['ori_shape'] == (40, 60)
    assert one_warp(LOAD, LOAD_BOXES, RESIZE)(boxed(tmp_path / 'one.jpg', random_boxes(1, 9, 9))())['ori_shape'] == (
        60,
        40,
    )


@pytest.mark.parametrize(
    ('steps', 'message'),
    [
        ([], r'OneWarp: begins with nothing, expected LoadImageFromFile'),
        ([LOAD_BOXES], r'OneWarp: begins with mmdet\.LoadAnnotations, expected LoadImageFromFile'),
        ([LOAD, {**RESIZE, 'interpolation': 'area'}], r'OneWarp: mmdet\.Resize resizes by cv2 area.*leave OneWarp out'),
        (PILLOW, r'OneWarp: mmdet\.Resize resizes by pillow bilinear, expected .* \(with Expand, the first\)'),
        ([LOAD, {**LOAD_BOXES, 'with_mask': True}, RESIZE], r'OneWarp: mmdet\.LoadAnnotations loads masks of objects'),
        (
            [{**LOAD, 'color_type': 'unchanged'}, RESIZE],
            "color_type='unchanged' and to_float32=False, expected 'color'",
        ),
        ([{**LOAD, 'to_float32': True}, RESIZE], 'and to_float32=True, expected'),
        (['LoadImageFromFile'], r"^OneWarp: transforms\.0 is 'LoadImageFromFile', expected a transform: dict\(type="),
        ([LOAD, {'scale': (1, 1)}], r"^OneWarp: transforms\.1 is \{'scale': \(1, 1\)\}, expected a transform"),
        ([LOAD, None], r'^OneWarp: transforms\.1 is None, expected a transform'),
        ([LOAD, {**LOAD_BOXES, 'with_seg': True}, RESIZE], 'loads masks of objects or a map of segments'),
    ],
)
def test_what_it_cannot_stand_for_is_refused(steps: list[Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        one_warp(*steps)


@pytest.mark.parametrize('given', ['LoadImageFromFile', {'type': 'LoadImageFromFile'}, None])
def test_transforms_are_a_list(given: Any) -> None:
    init_default_scope('mmdet')
    with pytest.raises(ConfigError, match=r'^OneWarp: transforms is .*, expected a list of transforms$'):
        TRANSFORMS.build({'type': 'mobileone_mm.OneWarp', 'transforms': given})


@pytest.mark.parametrize('given', [-1, '3', 2.0, True, None])
def test_the_number_of_unreadable_pictures_is_one(given: Any) -> None:
    with pytest.raises(ConfigError, match=rf'^OneWarp: max_unreadable={given!r} given, expected a whole number of pic'):
        one_warp(LOAD, LOAD_BOXES, RESIZE, max_unreadable=given)
    one_warp(LOAD, LOAD_BOXES, RESIZE, max_unreadable=0)


@pytest.mark.parametrize('count', [1, 3])
def test_where_none_can_be_read_any_more_it_ends_with_the_first_and_how_many(count: int, tmp_path: Path) -> None:
    """As many as may be unreadable, and nothing else: mmengine's data sets take one by chance a thousand times."""
    step, places = one_warp(LOAD, LOAD_BOXES, RESIZE), [tmp_path / f'{index}.jpg' for index in range(count)]
    infos = [boxed(path, random_boxes(1, 60, 40)) for path in places]
    good = tmp_path / 'good.jpg'
    smooth(60, 40).save(good)
    for number in range(999):
        assert step(infos[number % count]()) is None
    assert step(boxed(good, random_boxes(1, 60, 40))()) is not None  # from here on, counted anew
    for number in range(999):
        assert step(infos[number % count]()) is None
    with pytest.raises(DataError, match=rf'^{places[0]}: cannot be read: .*1000 tries in a row met only {count} such'):
        step(infos[0]())
