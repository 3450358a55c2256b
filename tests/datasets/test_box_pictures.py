"""Image files of sets of boxes, in both formats: those that the boxes are not for are refused before the first step."""

import io
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import mmcv
import numpy as np
import pytest
from PIL import Image, features

from mobileone_mm.datasets.coco import CocoDataset
from mobileone_mm.datasets.voc import VOCDataset
from mobileone_mm.errors import DataError

WIDTH, HEIGHT = 40, 30
ORIENTATION = 0x0112
BOX = (5, 5, 20, 25)
CAT = {'metainfo': {'classes': ('cat',)}}


def picture(width: int = WIDTH, height: int = HEIGHT, orientation: int = 1, form: str = 'JPEG') -> bytes:
    """A file of noise, which no format makes small."""
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    noise = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).save(file, form, exif=exif)
    return file.getvalue()


def write_set(root: Path, files: Mapping[str, bytes], size: tuple[int, int] = (WIDTH, HEIGHT)) -> None:
    """One set in both formats: a box in each image, all of them annotated as of one size."""
    for folder in ('JPEGImages', 'Annotations'):
        (root / folder).mkdir(parents=True)
    x, y, right, bottom = BOX
    images, boxes = [], []
    for index, (name, content) in enumerate(files.items()):
        (root / 'JPEGImages' / name).write_bytes(content)
        images.append({'id': index, 'file_name': name, 'width': size[0], 'height': size[1]})
        box = {'bbox': [x, y, right - x, bottom - y], 'area': 300, 'iscrowd': 0}
        boxes.append({'id': index, 'image_id': index, 'category_id': 1, **box})
        (root / 'Annotations' / f'{Path(name).stem}.xml').write_text(
            f'<annotation><size><width>{size[0]}</width><height>{size[1]}</height></size><object><name>cat</name><bndbox>'
            f'<xmin>{x}</xmin><ymin>{y}</ymin><xmax>{right}</xmax><ymax>{bottom}</ymax></bndbox></object></annotation>'
        )
    content = {'images': images, 'annotations': boxes, 'categories': [{'id': 1, 'name': 'cat'}]}
    (root / 'set.json').write_text(json.dumps(content))
    (root / 'set.txt').write_text('\n'.join(Path(name).stem for name in files))


def read_coco(root: Path, **options: Any) -> CocoDataset:
    return CocoDataset(data_root=str(root), ann_file='set.json', data_prefix={'img': 'JPEGImages'}, **CAT, **options)


def read_voc(root: Path, **options: Any) -> VOCDataset:
    return VOCDataset(data_root=str(root), ann_file='set.txt', data_prefix={'sub_data_root': ''}, **CAT, **options)


def wrong_last_checksum(png: bytes) -> bytes:
    """A PNG file with a bit flipped in the checksum of its pixels."""
    place = png.rindex(b'IEND') - 5  # before it, the length of IEND and the checksum
    return png[:place] + bytes([png[place] ^ 1]) + png[place + 1 :]


both = pytest.mark.parametrize('read', [read_coco, read_voc])


@both
def test_a_picture_that_was_made_smaller_is_refused_and_named(tmp_path: Path, read: Callable[..., Any]) -> None:
    write_set(tmp_path, {'a.jpg': picture(), 'b.jpg': picture(WIDTH // 2, HEIGHT // 2)})
    with pytest.raises(DataError) as refused:
        read(tmp_path)
    first, fault, *cures = str(refused.value).splitlines()
    assert first.endswith(': 1 fault in a set of 2 images:')
    assert fault == f'  {tmp_path}/JPEGImages/b.jpg: 20 x 15 px, its boxes are for 40 x 30 px'
    assert cures[0].startswith('other sizes than annotated: ')
    assert len(read(tmp_path, check=False)) == 2


@both
@pytest.mark.parametrize('color_type', ['color', 'color_ignore_orientation'])
@pytest.mark.parametrize('size', [(WIDTH, HEIGHT), (HEIGHT, WIDTH)])
@pytest.mark.parametrize('orientation', [1, 6])
def test_a_picture_is_taken_if_it_is_loaded_at_the_size_of_its_boxes(
    tmp_path: Path, read: Callable[..., Any], color_type: str, size: tuple[int, int], orientation: int
) -> None:
    content = picture(orientation=orientation)
    write_set(tmp_path, {'a.jpg': content}, size)
    pipeline = [{'type': 'LoadImageFromFile', 'color_type': color_type}]
    loaded = mmcv.imfrombytes(content, color_type).shape[1::-1]
    if loaded == size:
        assert read(tmp_path, pipeline=pipeline)[0]['img'].shape[1::-1] == size
        return
    with pytest.raises(DataError) as refused:
        read(tmp_path, pipeline=pipeline)
    expected = f'a.jpg: {"loaded as " if orientation == 6 else ""}{loaded[0]} x {loaded[1]} px, its boxes are for '
    assert expected in str(refused.value)
    cure = str(refused.value).splitlines()[-1]
    if orientation == 1:
        assert cure.startswith('other sizes than annotated: ')
    else:
        assert cure.startswith('turned by EXIF' if color_type == 'color' else 'not turned by EXIF')
        assert 'color_ignore_orientation' in cure


@pytest.mark.parametrize('form', ['JPEG', 'PNG', 'TIFF', 'WEBP', 'AVIF'])
def test_sizes_are_those_that_mmcv_loads(tmp_path: Path, form: str) -> None:
    if form == 'AVIF' and not features.check('avif'):
        pytest.skip('this Pillow writes no AVIF')
    for orientation in range(1, 9):
        content = picture(orientation=orientation, form=form)
        width, height = mmcv.imfrombytes(content).shape[1::-1]
        root = tmp_path / str(orientation)
        write_set(root, {'a.jpg': content}, (width, height))
        assert len(read_coco(root)) == 1
        (root / 'Annotations/a.xml').write_text('<annotation></annotation>')
        info = read_voc(root).get_data_info(0)  # of the image, as the XML file gives no size
        assert (info['width'], info['height']) == (width, height)


@both
def test_exif_data_that_come_twice_turn_a_picture_as_mmcv_does(tmp_path: Path, read: Callable[..., Any]) -> None:
    turned, empty = picture(orientation=6), b'\xff\xe1\0\x16Exif\0\0II*\0\x08\0\0\0' + bytes(6)
    content = turned[:2] + empty + turned[2:]
    assert mmcv.imfrombytes(content).shape[1::-1] == (HEIGHT, WIDTH)
    write_set(tmp_path / 'right', {'a.jpg': content}, (HEIGHT, WIDTH))
    assert len(read(tmp_path / 'right')) == 1
    write_set(tmp_path / 'wrong', {'a.jpg': content}, (WIDTH, HEIGHT))
    with pytest.raises(DataError, match=rf'a\.jpg: loaded as {HEIGHT} x {WIDTH} px, its boxes are for'):
        read(tmp_path / 'wrong')


@both
@pytest.mark.parametrize(('orientation', 'size'), [(1, (30, 30)), (3, (40, 30)), (2, (40, 30)), (6, (30, 30))])
def test_what_no_size_shows_is_a_warning(
    tmp_path: Path, log: pytest.LogCaptureFixture, read: Callable[..., Any], orientation: int, size: tuple[int, int]
) -> None:
    write_set(tmp_path, {'a.jpg': picture(*size, orientation)}, size)
    read(tmp_path)
    text = '1 images are turned or mirrored by EXIF data, which their size does not show: '
    warned = [record.getMessage() for record in log.records if record.levelname == 'WARNING']
    assert [text in line and 'JPEGImages/a.jpg; training turns them' in line for line in warned] == (
        [True] if orientation > 1 else []
    )


@both
def test_all_that_cannot_be_decoded_is_found_at_once(tmp_path: Path, read: Callable[..., Any]) -> None:
    whole = picture()
    broken = {f'cut_{share}.jpg': whole[: len(whole) * share // 100] for share in (30, 60, 90, 99)}
    broken |= {'cut.png': picture(form='PNG')[:-40], 'empty.jpg': b'', 'text.jpg': b'no picture', 'p.bmp': b'BM'}
    # Pillow reads the next two, and OpenCV does not.
    broken |= {'strange.png': picture(form='PCX'), 'sum.png': wrong_last_checksum(picture(form='PNG'))}
    write_set(tmp_path, {'sound.jpg': whole, **broken})
    with pytest.raises(DataError) as refused:
        read(tmp_path)
    lines = str(refused.value).splitlines()
    assert lines[0].endswith(f': {len(broken)} faults in a set of {len(broken) + 1} images:')
    named = {os.path.basename(line.partition(': ')[0]): line for line in lines[1:-1]}
    assert named.keys() == broken.keys()
    assert all(': cannot be read: ' in line for line in named.values())
    assert named['empty.jpg'].endswith(': the file is empty')
    assert 'cannot decode this PCX' in named['strange.png']
    assert 'cannot decode this PNG' in named['sum.png']
    assert lines[-1].startswith('images that cannot be read: ')


@both
def test_a_pipe_does_not_keep_anyone_waiting(tmp_path: Path, read: Callable[..., Any]) -> None:
    write_set(tmp_path, {'a.jpg': picture()})
    (tmp_path / 'JPEGImages/a.jpg').unlink()
    os.mkfifo(tmp_path / 'JPEGImages/a.jpg')
    with pytest.raises(DataError, match=r'a\.jpg: cannot be read: no regular file'):
        read(tmp_path)


@pytest.mark.parametrize(
    ('read', 'name'), [(read_coco, 'set.json'), (read_voc, 'set.txt'), (read_voc, 'Annotations/a.xml')]
)
def test_nor_does_one_in_place_of_annotations(tmp_path: Path, read: Callable[..., Any], name: str) -> None:
    write_set(tmp_path, {'a.jpg': picture()})
    (tmp_path / name).unlink()
    os.mkfifo(tmp_path / name)
    with pytest.raises(DataError, match=rf'{name}: cannot be read .*no regular file'):
        read(tmp_path)


@both
def test_names_that_are_no_text_are_looked_at_loaded_and_known_again(
    tmp_path: Path, log: pytest.LogCaptureFixture, read: Callable[..., Any]
) -> None:
    name = os.fsdecode(b'b\xe4r.png')
    try:
        (tmp_path / name).touch()
    except OSError:
        pytest.skip('this file system takes names in UTF-8 only')
    root = tmp_path / 'set'
    write_set(root, {'a.png': picture(form='PNG')})
    for file in (root / 'set.json', root / 'set.txt'):
        text = file.read_text()
        file.write_bytes(os.fsencode(text.replace('a.png', 'b\\udce4r.png') if file.suffix == '.json' else name[:-4]))
    (root / 'JPEGImages/a.png').rename(root / 'JPEGImages' / name)
    (root / 'Annotations/a.xml').rename((root / 'Annotations' / name).with_suffix('.xml'))
    for _ in range(2):
        dataset = read(root, pipeline=[{'type': 'LoadImageFromFile'}])
        assert dataset[0]['img'].shape == (HEIGHT, WIDTH, 3)
    assert log.text.count(' for faults') == 1


@both
def test_a_second_start_opens_no_image_that_did_not_change(
    tmp_path: Path, log: pytest.LogCaptureFixture, read: Callable[..., Any]
) -> None:
    write_set(tmp_path, {'a.jpg': picture(), 'b.jpg': picture()})
    (tmp_path / 'JPEGImages/b.jpg').write_bytes(b'')
    for _ in range(2):  # what could not be read is tried again, the other is known
        with pytest.raises(DataError, match=r'b\.jpg: cannot be read'):
            read(tmp_path)
    (tmp_path / 'JPEGImages/b.jpg').write_bytes(picture())
    read(tmp_path)
    read(tmp_path)
    looks = [line for line in (record.getMessage() for record in log.records) if ' for faults' in line]
    assert [line.split()[1] for line in looks] == ['2', '1', '1']
    assert '/mobileone_mm/pictures/' in looks[0]
