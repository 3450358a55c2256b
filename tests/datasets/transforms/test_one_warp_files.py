"""Pictures that cannot be read while a training goes on, and pipelines that one warp cannot stand for."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mmengine.dataset import Compose
from mmengine.registry import DATASETS, TRANSFORMS, init_default_scope
from PIL import Image
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
