"""mmdet's SSD pipeline in one warp: the same draws and boxes, the same pixels where they can be, boxes on objects."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmdet.structures.bbox import HorizontalBoxes
from mmengine.dataset import Compose
from mmengine.registry import TRANSFORMS, init_default_scope
from numpy.typing import NDArray
from PIL import Image

from feeding_chains import DISTORT, LOAD, LOAD_BOXES, box_chain, boxed, pair, random_boxes, smooth
from mobileone_mm.datasets.transforms.crop_tries import draw_patch
from mobileone_mm.setup.boxes import Resize, resize_of

EVERY = ('horizontal', 'vertical', 'diagonal')
PACK = {'type': 'PackDetInputs'}
LEVELS = 1  # of 255, by rounding
FLOAT = 2e-3  # of 255, of colours that go through HSV in float32
HALF_PX = 0.5 + 0.05  # of the result: an edge is found to half a px


@pytest.mark.parametrize(('count', 'size'), [(1, (90, 70)), (4, (61, 83)), (0, (64, 64))])
def test_boxes_are_those_of_mmdet_to_the_last_bit(count: int, size: tuple[int, int], tmp_path: Path) -> None:
    """With the same seed: everything but the pixels, and the generator afterwards, over 150 seeds."""
    smooth(*size).save(tmp_path / 'one.png')
    both = pair('mmdet', [*box_chain(flips=EVERY), PACK])
    info = boxed(tmp_path / 'one.png', random_boxes(count, *size))
    kept = set()
    for seed in range(150):
        theirs, ours = (found['data_samples'] for found in both(info, seed))
        assert theirs.metainfo == ours.metainfo
        for name in ('gt_instances', 'ignored_instances'):
            torch.testing.assert_close(ours.get(name).bboxes.tensor, theirs.get(name).bboxes.tensor, rtol=0, atol=0)
            assert torch.equal(ours.get(name).labels, theirs.get(name).labels)
        kept.add(len(ours.gt_instances) + len(ours.ignored_instances))
    assert kept == set(range(min(count, 1), count + 1))


@pytest.mark.parametrize(
    'boxes',
    [
        [[1, 1, 89, 69]],
        [[2, 2, 88, 68], [5, 4, 85, 67]],
        [[10, 10, 60, 50], [30, 20, 80, 60]],
        [[0, 0, 90, 70], [20, 20, 20, 40]],
        [[5, 5, 15, 15], [70, 50, 85, 65]],
    ],
    ids=['whole', 'two large', 'overlapping', 'one without an area', 'far apart'],
)
def test_crops_are_those_of_mmdet(boxes: list[list[int]]) -> None:
    """For each limit of the IoU, those that few crops reach too; and for boxes that no crop can hold."""
    init_default_scope('mmdet')
    limits: dict[float, int] = {}
    for seed in range(60):
        crop = TRANSFORMS.build({'type': 'MinIoURandomCrop'})
        corners = np.array(boxes, np.float32)
        picture = np.zeros((70, 90, 1), np.uint8)
        picture[..., 0] = np.arange(90)  # of what is left, the first pixel tells where it begins
        np.random.seed(seed)
        theirs = crop({'img': picture, 'gt_bboxes': HorizontalBoxes(torch.from_numpy(corners))})
        after = np.random.random_sample()
        np.random.seed(seed)
        patch = draw_patch(crop, corners, 90, 70) or (0, 0, 90, 70)
        assert np.random.random_sample() == after
        left, top, right, bottom = patch
        assert theirs['img'].shape[:2] == (bottom - top, right - left)
        assert theirs['img'][0, 0, 0] == left
        limits[crop.mode] = limits.get(crop.mode, 0) + 1
    assert {0, 1} <= set(limits)
    assert len(limits) == 7 or len(boxes) > 1


@pytest.mark.parametrize('side', [20, 48, 120])
def test_pixels_are_those_of_mmdet_but_for_rounding(side: int, tmp_path: Path) -> None:
    """Of files that are not decoded smaller, shrunk and enlarged."""
    smooth(90, 70).save(tmp_path / 'one.png')
    both = pair('mmdet', box_chain(side, flips=EVERY))
    info = boxed(tmp_path / 'one.png', random_boxes(3, 90, 70))
    exact, expanded = 0, 0
    for seed in range(100):
        theirs, ours = both(info, seed)
        shape = theirs['img'].shape
        assert (ours['img'].dtype, ours['img'].shape) == (np.uint8, shape)
        assert {key for key in theirs if key != 'img'} == {key for key in ours if key != 'img'}
        errors = np.abs(theirs['img'].astype(int) - ours['img'])
        exact += errors.max() == 0
        expanded += bool((theirs['img'] == (103, 116, 123)).all(axis=-1).any())
        assert errors.max() <= LEVELS
    assert exact > 25
    assert expanded > 25


def spread(*channels: int) -> NDArray[np.uint8]:
    return np.array(channels, np.uint8)


@pytest.mark.parametrize('brightest', [255, 24])
def test_distortion_is_that_of_mmdet(brightest: int, tmp_path: Path) -> None:
    """In float32, of noise; and of a picture so dark that its colours fall below zero."""
    noise = np.random.default_rng(0).integers(0, brightest + 1, (40, 50, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / 'one.png')
    both = pair('mmdet', [LOAD, DISTORT, PACK])
    info = boxed(tmp_path / 'one.png', random_boxes(1, 50, 40))
    changed = 0
    for seed in range(150):
        theirs, ours = (found['inputs'] for found in both(info, seed))
        torch.testing.assert_close(ours, theirs, rtol=0, atol=FLOAT)
        assert ours.is_contiguous()
        changed += int((ours.permute(1, 2, 0).numpy()[..., ::-1] != noise).any())
    assert changed > 140


def edges(picture: NDArray[np.uint8]) -> list[float]:
    """Left, top, right and bottom of what is white, in px."""
    white = picture[..., 1] > 127
    found = [np.flatnonzero(white.any(axis=axis)) for axis in (0, 1)]
    return [found[0][0], found[1][0], found[0][-1] + 1, found[1][-1] + 1]


@pytest.mark.parametrize(('name', 'side'), [('one.png', 96), ('one.jpg', 300), ('one.jpg', 40)])
def test_boxes_stay_on_their_objects(name: str, side: int, tmp_path: Path) -> None:
    """Whatever is drawn: at 40 px, the file is mostly decoded smaller."""
    width, height, box = 203, 149, (70, 41, 140, 110)
    canvas = np.zeros((height, width, 3), np.uint8)
    canvas[box[1] : box[3], box[0] : box[2]] = 255
    Image.fromarray(canvas).save(tmp_path / name, quality=98, subsampling=0)
    steps = box_chain(side=side, flips=EVERY)
    steps[2]['mean'] = [0, 0, 0]
    init_default_scope('mmdet')
    pipeline = Compose([{'type': 'mobileone_mm.OneWarp', 'transforms': steps}])
    info = boxed(tmp_path / name, np.array([box]))
    for seed in range(200):
        np.random.seed(seed)
        found = pipeline(info())
        expected = found['gt_bboxes'].tensor.numpy()[0]
        np.testing.assert_allclose(edges(found['img']), expected, rtol=0, atol=HALF_PX)


@pytest.mark.parametrize('orientation', range(1, 9))
def test_boxes_stay_on_their_objects_where_exif_data_turn_the_picture(orientation: int, tmp_path: Path) -> None:
    width, height, box = 203, 149, (20, 41, 90, 120)
    canvas = np.zeros((height, width, 3), np.uint8)
    canvas[box[1] : box[3], box[0] : box[2]] = 255
    ways: tuple[Any, ...] = (
        None,
        *('FLIP_LEFT_RIGHT', 'ROTATE_180', 'FLIP_TOP_BOTTOM', 'TRANSPOSE', 'ROTATE_90', 'TRANSVERSE', 'ROTATE_270'),
    )
    image, way = Image.fromarray(canvas), ways[orientation - 1]
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = image.transpose(getattr(Image.Transpose, way)) if way else image
    stored.save(tmp_path / 'one.jpg', quality=98, subsampling=0, exif=exif)
    info = boxed(tmp_path / 'one.jpg', np.array([box]))
    for side in (180, 70, 37, 20):  # of a file decoded as it is, and 2, 4 and 4 times smaller
        steps = [LOAD, LOAD_BOXES, {'type': 'Resize', 'scale': (side, side)}]
        theirs, ours = pair('mmdet', steps)(info, 0)
        assert theirs['ori_shape'] == ours['ori_shape'] == (height, width)
        expected = ours['gt_bboxes'].tensor.numpy()[0]
        np.testing.assert_allclose(edges(ours['img']), expected, rtol=0, atol=HALF_PX)
        np.testing.assert_allclose(edges(theirs['img']), expected, rtol=0, atol=HALF_PX)


def test_a_picture_that_is_decoded_smaller_is_the_average_of_what_mmdet_skips(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (160, 240, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / 'one.jpg', quality=98, subsampling=0)
    info = boxed(tmp_path / 'one.jpg', random_boxes(1, 240, 160))
    both = pair('mmdet', [LOAD, LOAD_BOXES, {'type': 'Resize', 'scale': (60, 40)}])
    theirs, ours = both(info, 0)
    averages = noise[..., ::-1].reshape(40, 4, 60, 4, 3).mean(axis=(1, 3))
    assert np.abs(ours['img'] - averages).mean() < 4
    assert np.abs(theirs['img'] - averages).mean() > 20


def test_the_size_of_the_input_is_found_in_it() -> None:
    init_default_scope('mmdet')

    class Data:
        pipeline = Compose([{'type': 'mobileone_mm.OneWarp', 'transforms': [*box_chain(side=64), DISTORT, PACK]}])

    assert resize_of(Data()) == Resize((64, 64))
