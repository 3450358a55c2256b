"""Sets of masks with faults: everything is found at once, before the first step, and the cure reads what was found."""

import json
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mmengine.registry import DATASETS
from mmseg.datasets.transforms import LoadAnnotations
from PIL import Image

from mobileone_mm.datasets import picture_facts
from mobileone_mm.datasets.load_mask import LoadMask
from mobileone_mm.datasets.masks import MaskDataset
from mobileone_mm.errors import DataError

WIDTH, HEIGHT = 20, 12
CLASSES = ('ground', 'cat', 'dog')
PLAIN = [{'type': 'LoadImageFromFile'}, {'type': 'mobileone_mm.LoadMask'}]


def ids(*values: int) -> np.ndarray:
    """A mask of stripes, one a value."""
    return np.resize(np.array(values, np.uint8), (HEIGHT, WIDTH))


def write_set(root: Path, masks: dict[str, np.ndarray | Image.Image], images: Sequence[str] | None = None) -> Path:
    for folder in ('images', 'masks'):
        (root / folder).mkdir(parents=True, exist_ok=True)
    for name in images if images is not None else [f'{Path(name).stem}.jpg' for name in masks]:
        Image.new('RGB', (WIDTH, HEIGHT), 'teal').save(root / 'images' / name)
    for name, mask in masks.items():
        (mask if isinstance(mask, Image.Image) else Image.fromarray(mask)).save(root / 'masks' / name)
    return root


def read(root: Path, classes: Any = CLASSES, **options: Any) -> MaskDataset:
    metainfo = {'classes': classes, **options.pop('metainfo', {})}
    return MaskDataset(
        data_root=str(root),
        data_prefix={'img_path': 'images', 'seg_map_path': 'masks'},
        metainfo=metainfo,
        **{'pipeline': PLAIN, **options},
    )


def labels(dataset: MaskDataset, index: int = 0) -> list[int]:
    return np.unique(dataset[index]['gt_seg_map']).tolist()


def refusal(root: Path, **options: Any) -> str:
    with pytest.raises(DataError) as raised:
        read(root, **options)
    return str(raised.value)


def in_palette(mask: np.ndarray, palette: Sequence[int]) -> Image.Image:
    image = Image.fromarray(mask).convert('L')
    made = Image.new('P', image.size)
    made.putdata(list(mask.ravel().tolist()))
    made.putpalette(palette)
    return made


def test_a_config_finds_it_by_its_name(tmp_path: Path) -> None:
    write_set(tmp_path, {'a.png': ids(0, 1, 2)})
    prefix = {'img_path': 'images', 'seg_map_path': 'masks'}
    options = {'data_root': str(tmp_path), 'data_prefix': prefix, 'metainfo': {'classes': CLASSES}}
    built = DATASETS.build({'type': 'mobileone_mm.MaskDataset', **options})
    assert type(built) is MaskDataset


def test_images_and_masks_of_any_ending_are_paired_in_subfolders_too(tmp_path: Path) -> None:
    (tmp_path / 'images/b').mkdir(parents=True)
    (tmp_path / 'masks/b').mkdir(parents=True)
    write_set(tmp_path, {'a.tif': ids(0), 'b/c.PNG': ids(1), 'd.e.bmp': ids(2)}, ['a.JPEG', 'b/c.webp', 'd.e.png'])
    (tmp_path / 'images/Thumbs.db').touch()
    (tmp_path / 'images/.a.jpg').touch()
    dataset = read(tmp_path)
    pairs = [tuple(os.path.basename(info[key]) for key in ('img_path', 'seg_map_path')) for info in dataset]
    assert pairs == [('a.JPEG', 'a.tif'), ('c.webp', 'c.PNG'), ('d.e.png', 'd.e.bmp')]
    assert [labels(dataset, index) for index in range(3)] == [[0], [1], [2]]


def test_endings_may_be_given_and_one_folder_may_hold_both(tmp_path: Path) -> None:
    write_set(tmp_path, {'a_ids.png': ids(0, 1)}, ['a_photo.png'])
    assert len(read(tmp_path, img_suffix='_photo.png', seg_map_suffix='_ids.png')) == 1
    (tmp_path / 'masks/a_ids.png').rename(tmp_path / 'images/a_ids.png')
    (tmp_path / 'masks').rmdir()
    (tmp_path / 'masks').symlink_to('images')
    assert 'nothing tells which is which; set img_suffix' in refusal(tmp_path)
    assert len(read(tmp_path, img_suffix='_photo.png', seg_map_suffix='_ids.png')) == 1


@pytest.mark.parametrize('loader', ['mmseg.LoadAnnotations', 'mobileone_mm.LoadMask'])
@pytest.mark.parametrize(
    ('ignored', 'reduce', 'found'),
    [(11, False, [0, 1, 255]), ((11, 1), False, [0, 255]), (11, True, [0, 255]), (255, True, None)],
)
def test_ignored_ids_become_255_whoever_loads_them(
    tmp_path: Path, loader: str, ignored: Any, reduce: bool, found: list[int] | None
) -> None:
    write_set(tmp_path, {'a.png': ids(0, 1, 11, 255)})
    options = {'ignore_index': ignored, 'reduce_zero_label': reduce, 'pipeline': [{'type': loader}]}
    if found is None:
        assert 'id 11 (60 px), expected 1 to 3, or 255' in refusal(tmp_path, **options)
    else:
        assert labels(read(tmp_path, **options)) == found


def test_a_palette_png_is_read_as_its_indices(tmp_path: Path) -> None:
    write_set(tmp_path, {'a.png': in_palette(ids(0, 1, 2), [9, 9, 9, 200, 0, 0, 0, 200, 0])})
    assert labels(read(tmp_path)) == [0, 1, 2]


def test_one_bit_masks_are_read(tmp_path: Path) -> None:
    write_set(tmp_path, {'a.png': Image.fromarray(ids(0, 255)).convert('1')})
    assert labels(read(tmp_path)) == [0, 1]


def test_all_faults_are_listed_at_once(tmp_path: Path) -> None:
    rgb = np.stack([ids(0, 128), ids(0, 0), ids(0, 64)], axis=-1)
    alpha = np.concatenate([rgb, np.full((HEIGHT, WIDTH, 1), 255, np.uint8)], axis=-1)
    small = ids(0, 1)[:-1]
    write_set(
        tmp_path,
        {'alpha.png': alpha, 'id.png': ids(0, 7), 'rgb.png': rgb, 'size.png': small, 'sound.png': ids(0, 1, 2)},
        ['alpha.jpg', 'id.jpg', 'lonely.jpg', 'rgb.jpg', 'size.jpg', 'sound.jpg'],
    )
    for name in ('cut', 'strange', 'broken'):
        Image.fromarray(ids(0, 1)).save(tmp_path / f'masks/{name}.png')
    whole = (tmp_path / 'images/sound.jpg').read_bytes()
    noise = np.random.default_rng(0).integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / 'images/cut.jpg')
    (tmp_path / 'images/cut.jpg').write_bytes((tmp_path / 'images/cut.jpg').read_bytes()[:-99])
    (tmp_path / 'images/strange.heic').write_bytes(whole)
    (tmp_path / 'images/broken.jpg').write_bytes(whole)
    (tmp_path / 'masks/broken.png').write_bytes(b'no picture')
    said = refusal(tmp_path)
    first, *lines = said.splitlines()
    assert first == f'{tmp_path}/masks: 8 faults in a set of 9 images:'
    for name, text in {
        'masks/alpha.png': r'holds an alpha channel, 2 colours \(RGBA\), expected one id a pixel',
        'masks/id.png': r'id 7 \(120 px\), expected 0 to 2, or 255 for no class',
        'images/lonely.jpg': r'no mask: expected .*/masks/lonely with one of the endings \.jpg',
        'masks/rgb.png': r'holds 2 colours \(RGB\), expected one id a pixel',
        'masks/size.png': '20 x 11 px, its image is 20 x 12',
        'images/cut.jpg': 'cannot be read: image file is truncated',
        'images/strange.heic': r'has a mask \(strange\.png\), but not one of the endings',
        'masks/broken.png': 'cannot be read: no picture that Pillow knows',
    }.items():
        assert [line for line in lines if re.match(f'  {re.escape(str(tmp_path / name))}: {text}', line)], (name, said)
    assert '    colour_map = ((0, 0, 0), (128, 0, 64),)' in lines
    assert 'ignored; add a colour for each class that these masks do not have:' in said
    assert 'id 7: if it marks what has no class, set ignore_index=7 in the data set' in lines  # colours are no ids


def test_ids_of_16_bits_are_read_up_to_255_and_refused_above(tmp_path: Path) -> None:
    write_set(tmp_path, {'a.png': ids(0, 2).astype(np.uint16)})
    assert labels(read(tmp_path)) == [0, 2]
    write_set(tmp_path, {'a.png': np.where(ids(0, 2) == 2, 258, 0).astype(np.uint16)})  # 2, if it were cut to a byte
    said = refusal(tmp_path)
    assert 'id 258 (120 px), expected 0 to 2' in said
    assert 'an id is a byte once it is loaded; number the classes anew' in said


def test_of_many_faults_the_first_ten_and_the_count(tmp_path: Path) -> None:
    write_set(tmp_path, {f'{index:02}.png': ids(0, 3) for index in range(14)})
    first, *lines = refusal(tmp_path).splitlines()
    assert first.endswith('/masks: 14 faults in a set of 14 images, the first 10 of them:')
    assert len([line for line in lines if 'id 3 (120 px)' in line]) == 10
    assert lines[10] == '  in all: 14 x id out of range'
    assert lines[11:] == [
        'id 3: if it marks what has no class, set ignore_index=3 in the data set',
        '    if ids begin with 1, and 0 marks what has no class, set reduce_zero_label=True',
    ]


@pytest.mark.parametrize(
    ('mask', 'expected'),
    [
        (np.stack([ids(0, 1, 2)] * 3, axis=-1), {0, 1, 2}),  # ids in three channels
        (ids(0, 255), {0, 1}),  # black and white
        (np.stack([ids(9, 9, 5), ids(1, 2, 3), ids(0, 0, 0)], axis=-1), {0, 1}),
    ],
)
def test_the_option_that_the_message_prints_reads_the_masks(
    tmp_path: Path, mask: np.ndarray, expected: set[int]
) -> None:
    classes = ('one', 'two') if len(expected) == 2 else CLASSES
    write_set(tmp_path, {'a.png': mask})
    said = refusal(tmp_path, classes=classes)
    (offered,) = re.findall(r'^    colour_map = (.*)$', said, re.MULTILINE)
    dataset = read(tmp_path, classes=classes, colour_map=eval(offered))
    assert set(labels(dataset)) - {255} == expected


def test_a_mask_of_0_and_255_is_sound_where_another_has_the_second_class(tmp_path: Path) -> None:
    write_set(tmp_path, {'a.png': ids(0, 255), 'b.png': ids(0, 1)})
    dataset = read(tmp_path, classes=('ground', 'thing'))
    assert [labels(dataset, index) for index in range(2)] == [[0, 255], [0, 1]]


def test_colours_become_labels_in_the_order_of_the_map(tmp_path: Path) -> None:
    colours = ((0, 0, 0), (200, 1, 0), (0, 1, 200), (224, 224, 192))
    rgb = np.array(colours, np.uint8)[ids(0, 1, 2, 3)]
    write_set(tmp_path, {'a.png': rgb, 'b.png': in_palette(ids(2, 1), [9, 9, 9, 0, 1, 200, 200, 1, 0])})
    dataset = read(tmp_path, colour_map=colours)
    np.testing.assert_array_equal(dataset[0]['gt_seg_map'], np.where(ids(0, 1, 2, 3) == 3, 255, ids(0, 1, 2, 3)))
    np.testing.assert_array_equal(dataset[1]['gt_seg_map'], ids(1, 2))
    assert dataset.metainfo['palette'] == [list(colour) for colour in colours[:3]]
    assert 'among them (224, 224, 192) (60 px), which colour_map' in refusal(tmp_path, colour_map=colours[:3])
    assert "LoadAnnotations') in it by dict(type='mobileone_mm.LoadMask')" in refusal(
        tmp_path, colour_map=colours, pipeline=[{'type': 'LoadAnnotations'}]
    )
    unchecked = read(tmp_path, colour_map=colours[:3], check=False)
    with pytest.raises(DataError, match='has a colour that colour_map does not have'):
        unchecked[0]


def test_an_alpha_channel_that_hides_nothing_is_no_fault_of_colours(tmp_path: Path) -> None:
    alpha = np.zeros((HEIGHT, WIDTH, 4), np.uint8)
    alpha[..., 3] = 255
    write_set(tmp_path, {'a.png': alpha})
    colours = ((0, 0, 0), (1, 1, 1), (2, 2, 2))
    assert labels(read(tmp_path, colour_map=colours)) == [0]
    alpha[0, 0, 3] = 254
    write_set(tmp_path, {'a.png': alpha})
    assert 'an alpha channel (RGBA) hides some of its pixels' in refusal(tmp_path, colour_map=colours)


def test_an_image_that_exif_data_turn_has_the_size_that_training_sees(tmp_path: Path) -> None:
    write_set(tmp_path, {'a.png': ids(0, 1)})
    turned = Image.new('RGB', (HEIGHT, WIDTH))
    exif = turned.getexif()
    exif[0x0112] = 6
    turned.save(tmp_path / 'images/a.jpg', exif=exif)
    assert read(tmp_path)[0]['img'].shape[:2] == (HEIGHT, WIDTH)
    Image.new('RGB', (WIDTH, HEIGHT)).save(tmp_path / 'images/a.jpg', exif=exif)
    assert '20 x 12 px, its image is 12 x 20; EXIF data turn the image' in refusal(tmp_path)


def test_a_list_chooses_images(tmp_path: Path) -> None:
    write_set(tmp_path, {f'{name}.png': ids(0, 1) for name in 'abc'})
    (tmp_path / 'some.txt').write_text('\ufeffc\n\na\n', encoding='utf-8')
    assert [Path(info['img_path']).stem for info in read(tmp_path, ann_file='some.txt')] == ['c', 'a']
    (tmp_path / 'some.txt').write_text('a\nx\n')
    assert "x: no image of the name 'x' with one of the endings" in refusal(tmp_path, ann_file='some.txt')
    (tmp_path / 'some.txt').write_text('a\na\n')
    assert 'some.txt: a stands more than once' in refusal(tmp_path, ann_file='some.txt')
    assert 'no.txt: cannot be read' in refusal(tmp_path, ann_file='no.txt')


def test_a_part_is_held_out_the_same_way_each_time_and_new_images_move_no_others(tmp_path: Path) -> None:
    def stems(part: str, **options: Any) -> set[str]:
        return {Path(info['img_path']).stem for info in read(tmp_path, part=part, check=False, **options)}

    write_set(tmp_path, {f'{index:02}.png': ids(0, 1) for index in range(20)})
    train, val = stems('train'), stems('val')
    assert (len(train), len(val), train & val) == (16, 4, set())
    assert stems('val') == val != stems('val', seed=1)
    assert len(stems('val', val_share=0.01)) == 1
    write_set(tmp_path, {f'{index:02}.png': ids(0, 1) for index in range(20, 25)})
    assert len(val - stems('val')) <= 1
    for options, text in (({'part': 'test'}, "part='test'"), ({'part': 'val', 'val_share': 1}, 'val_share=1 given')):
        assert text in refusal(tmp_path, **options)


@pytest.mark.parametrize('part', ['all', 'train', 'val'])
def test_where_no_image_is_left_the_reasons_are_said_whatever_the_part(tmp_path: Path, part: str) -> None:
    write_set(tmp_path, {'a.png': ids(0), 'b.png': ids(1)}, [])
    assert f'{tmp_path}/images: no images; expected pictures' in refusal(tmp_path, part=part)
    for name in 'ab':
        (tmp_path / f'images/{name}.heic').touch()
    said = refusal(tmp_path, part=part)
    assert '2 faults' in said
    assert f'{tmp_path}/images/b.heic: has a mask (b.png), but not one of the endings' in said
    assert 'unknown endings: save these images as' in said


@pytest.mark.parametrize('part', ['all', 'train', 'val'])
@pytest.mark.parametrize(('suffix', 'line'), [(None, 'a.png'), (None, 'a.jpg'), ('.jpg', 'a.jpg'), ('.jpg', 'a.png')])
def test_names_with_endings_in_a_list_are_told_as_such(
    tmp_path: Path, part: str, suffix: str | None, line: str
) -> None:
    write_set(tmp_path, {'a.png': ids(0), 'b.png': ids(1)})
    (tmp_path / 'some.txt').write_text(f'{line}\nb.png\n')
    said = refusal(tmp_path, part=part, ann_file='some.txt', img_suffix=suffix)
    assert f"  {line}: a name with its ending, expected 'a'" in said
    assert said.endswith('\nnames with endings: list names without them (ann_file), as images and masks share those')


def test_an_empty_list_is_refused(tmp_path: Path) -> None:
    write_set(tmp_path, {'a.png': ids(0)})
    (tmp_path / 'some.txt').write_text('\n')
    assert 'some.txt: no names; expected' in refusal(tmp_path, part='val', ann_file='some.txt')


def test_each_part_has_the_faults_of_its_own_images(tmp_path: Path) -> None:
    names = [f'{index:02}' for index in range(10)]
    write_set(tmp_path, {f'{name}.png': ids(0, 1) for name in names})
    parts = {part: [info['img_path'] for info in read(tmp_path, part=part, val_share=0.5)] for part in ('train', 'val')}
    for name in names:
        (tmp_path / f'masks/{name}.png').unlink()
    write_set(tmp_path, {'x.png': ids(0)}, ['x.bmp'])
    (tmp_path / 'images/x.bmp').rename(tmp_path / 'images/x.heic')
    for part, images in parts.items():
        said = refusal(tmp_path, part=part, val_share=0.5)
        count = 5 if part == 'val' else 6  # what nobody can read is train's
        assert said.startswith(f'{tmp_path}/masks: {count} faults in a set of {count} images:')
        assert ('x.heic' in said) == (part == 'train')
        assert all(f'{image}: no mask' in said for image in images)
    (tmp_path / 'images/x.heic').unlink()
    with pytest.raises(DataError, match='1 fault in a set of 1 image:'):
        read(tmp_path, part='val', val_share=0.1)


def test_ids_that_jpeg_changed_are_told_as_such(tmp_path: Path, log: pytest.LogCaptureFixture) -> None:
    write_set(tmp_path, {'a.jpg': ids(0, 200, 1), 'b.png': ids(0, 1, 7)})
    said = refusal(tmp_path)
    assert (
        '\nids changed by JPEG: draw these masks anew, or make them again from their source, and save them as' in said
    )
    assert [line for line in said.splitlines() if 'ignore_index' in line] == [
        'id 7: if it marks what has no class, set ignore_index=7 in the data set'  # of the PNG
    ]
    write_set(tmp_path, {'a.jpg': ids(1), 'b.png': ids(0, 1, 2)})
    read(tmp_path)
    assert '1 of the masks is compressed by JPEG, which changes ids where two meet; save masks as PNG' in log.text
    log.clear()
    write_set(tmp_path, {'a.jpg': ids(1)}, [])
    (tmp_path / 'masks/a.jpg').unlink()
    write_set(tmp_path, {'a.png': ids(1)})
    read(tmp_path)
    assert 'JPEG' not in log.text


def test_other_files_beside_an_image_and_images_outside_a_list_are_no_faults(tmp_path: Path) -> None:
    write_set(tmp_path, {'a.png': ids(0), 'b.png': ids(1)}, ['a.jpg'])
    (tmp_path / 'images/a.json').touch()
    (tmp_path / 'images/b.heic').touch()
    (tmp_path / 'some.txt').write_text('a\n')
    assert len(read(tmp_path, ann_file='some.txt')) == 1
    said = refusal(tmp_path)
    assert '1 fault in a set of 2 images' in said
    assert 'images/b.heic: has a mask' in said


BAD_OPTIONS = [
    ({'classes': 'cat'}, r"for one class write: \('cat',\)"),
    ({'classes': ('a', 'a')}, 'none twice'),
    ({'classes': ('a', 'b\nc')}, r"classes: 'b\\nc' given, expected names without control characters.*; rename"),
    ({'classes': tuple(map(str, range(256)))}, '256 classes given, expected at most 255'),
    ({'ignore_index': 256}, 'ignore_index=256 given, expected an id from 0 to 255'),
    ({'ignore_index': '11'}, "ignore_index='11' given"),
    ({'colour_map': ((0, 0, 0),)}, 'expected one RGB colour a class, in the order of the 3 classes'),
    ({'colour_map': ((0, 0, 0), (0, 0, 0), (1, 1, 1))}, 'each once'),
    ({'metainfo': {'palette': [[0, 0, 0]]}}, '1 colours of the palette given for 3 classes'),
    ({'backend_args': {'backend': 'local'}}, "expected files of this machine; use mmseg's BaseSegDataset"),
    ({'data_prefix': {'img_path': 'no', 'seg_map_path': 'masks'}}, 'no: no such folder; set data_root and img_path'),
    ({'data_prefix': {'img_path': 'empty', 'seg_map_path': 'masks'}}, 'no images; expected pictures'),
]


@pytest.mark.parametrize(('options', 'message'), BAD_OPTIONS)
def test_refuses(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    write_set(tmp_path, {'a.png': ids(0, 1)})
    (tmp_path / 'empty').mkdir()
    options = {'data_prefix': {'img_path': 'images', 'seg_map_path': 'masks'}, 'classes': CLASSES, **options}
    metainfo = {'classes': options.pop('classes'), **options.pop('metainfo', {})}
    with pytest.raises(DataError, match=message):
        MaskDataset(data_root=str(tmp_path), metainfo=metainfo, **options)


def test_a_class_without_a_pixel_is_a_warning_in_training(tmp_path: Path, log: pytest.LogCaptureFixture) -> None:
    write_set(tmp_path, {'a.png': ids(0, 1)})
    read(tmp_path, test_mode=True)
    assert 'no pixel of' not in log.text
    read(tmp_path)
    assert 'no pixel of dog, so nothing is learned of it' in log.text


def test_unchanged_files_are_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = tmp_path / 'cache'
    monkeypatch.setenv('XDG_CACHE_HOME', str(cache))
    root = write_set(tmp_path / 'set', {'a.png': ids(0, 1), 'b.png': ids(0, 1)})
    before = {path: path.stat().st_mtime_ns for path in root.rglob('*')}
    said: list[str] = []
    paths = [[str(root / f'{folder}/{name}') for name in names] for folder, names in NAMED.items()]
    first = picture_facts.look_at(*paths, said.append)
    assert picture_facts.look_at(*paths, said.append) == first
    assert len(said) == 1
    assert said[0].startswith('checking 4 images and masks for faults; the results are cached in ')
    assert {path: path.stat().st_mtime_ns for path in root.rglob('*')} == before
    write_set(root, {'a.png': ids(0, 2, 1)}, [])
    assert picture_facts.look_at(*paths, said.append)[str(root / 'masks/a.png')].values == (0, 1, 2)
    assert said[1].startswith('checking 1 image or mask for faults')


def test_what_could_not_be_read_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
    mask = write_set(tmp_path / 'set', {'a.png': ids(0, 1)}) / 'masks/a.png'
    sound, times = mask.read_bytes(), (mask.stat().st_atime_ns, mask.stat().st_mtime_ns)
    mask.write_bytes(bytes(len(sound)))
    os.utime(mask, ns=times)
    assert f'{mask}: cannot be read' in refusal(tmp_path / 'set')
    mask.write_bytes(sound)
    os.utime(mask, ns=times)
    assert labels(read(tmp_path / 'set')) == [0, 1]


def test_unchecked_only_names_are_looked_at(tmp_path: Path, log: pytest.LogCaptureFixture) -> None:
    write_set(tmp_path, {'a.png': ids(0, 7), 'b.png': ids(0)}, ['a.jpg', 'b.jpg', 'c.jpg'])
    said = refusal(tmp_path, check=False)
    assert said.startswith(f'{tmp_path}/masks: 1 fault in a set of 3 images:\n  {tmp_path}/images/c.jpg: no mask')
    assert 'id 7' not in said
    assert ' for faults' not in log.text


NAMED = {'images': ('a.jpg', 'b.jpg'), 'masks': ('a.png', 'b.png')}
DAMAGED = [
    'no json',
    '[]',
    '{"format": 0, "files": {}}',
    '{"format": 2, "files": []}',
    '{"format": 2, "files": {"mask KEY": [1, 2]}}',
    '{"format": 2, "files": {"mask KEY": [1, 2, [1, 2, "L"]]}}',
    '\udcff',
]


@pytest.mark.parametrize('content', DAMAGED)
def test_a_damaged_cache_is_ignored_and_written_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str
) -> None:
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
    root = write_set(tmp_path / 'set', {'a.png': ids(0, 1)})
    read(root)
    (kept,) = (tmp_path / 'cache').rglob('*.json')
    sound = json.loads(kept.read_text())
    kept.write_bytes(content.encode('utf-8', 'surrogateescape'))
    assert labels(read(root)) == [0, 1]
    assert json.loads(kept.read_text()) == sound


def test_where_nothing_can_be_kept_the_set_is_read_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / 'file').touch()
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'file'))
    assert labels(read(write_set(tmp_path / 'set', {'a.png': ids(0, 1)}))) == [0, 1]


def test_colours_do_not_hide_what_mmseg_loads() -> None:
    assert issubclass(LoadMask, LoadAnnotations)
