"""mmseg's pipelines in one warp: the same draws, the same masks to the last bit, the picture where the mask is."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from feeding_chains import DISTORT, LOAD, Pair, masked, pair, smooth

LOAD_MASK = {'type': 'LoadAnnotations'}
CROP = {'type': 'RandomCrop', 'crop_size': (40, 56), 'cat_max_ratio': 0.75}
FLIP = {'type': 'RandomFlip', 'prob': 0.5, 'direction': ['horizontal', 'vertical']}
SIZES = {
    'by choice': {
        'type': 'RandomChoiceResize',
        'scales': [*range(24, 97, 8)],
        'resize_type': 'ResizeShortestEdge',
        'max_size': 110,
    },
    'by chance': {'type': 'RandomResize', 'scale': (90, 60), 'ratio_range': (0.5, 2.0), 'keep_ratio': True},
    'fixed': {'type': 'Resize', 'scale': (80, 64), 'keep_ratio': False},
}
LEVELS = 1  # of 255, by rounding


@pytest.fixture
def files(tmp_path: Path) -> Any:
    """A smooth picture, and a mask in which one class fills much, with some pixels of none."""
    smooth(90, 70).save(tmp_path / 'one.png')
    ids = np.zeros((70, 90), np.uint8)
    ids[10:50, 20:60] = 1
    ids[30:45, 70:] = 2
    ids[:4] = 255
    Image.fromarray(ids).save(tmp_path / 'mask.png')
    return masked(tmp_path / 'one.png', tmp_path / 'mask.png')


def found(both: Pair, files: Any, seed: int) -> tuple[dict[str, Any], dict[str, Any]]:
    theirs, ours = both(files, seed)
    np.testing.assert_array_equal(ours['gt_seg_map'], theirs['gt_seg_map'])
    others = [{key: value for key, value in one.items() if key not in ('img', 'gt_seg_map')} for one in (theirs, ours)]
    assert others[0] == others[1]
    return theirs, ours


@pytest.mark.parametrize('size', SIZES)
def test_masks_are_those_of_mmseg_and_pixels_too_but_for_rounding(size: str, files: Any) -> None:
    both = pair('mmseg', [LOAD, LOAD_MASK, SIZES[size], CROP, FLIP])
    shapes = set()
    for seed in range(120):
        theirs, ours = found(both, files, seed)
        assert ours['img'].dtype == np.uint8
        shapes.add(ours['img'].shape)
        errors = np.abs(theirs['img'].astype(int) - ours['img'])
        assert errors.max() <= LEVELS
    assert len(shapes) == 1 if size == 'fixed' else len(shapes) > 2


@pytest.mark.parametrize('ignored', [-1, None, 1, 255, 300])
def test_crops_are_those_of_mmseg_whatever_is_ignored(ignored: int | None, files: Any, tmp_path: Path) -> None:
    both = pair('mmseg', [LOAD, LOAD_MASK, SIZES['fixed'], {**CROP, 'ignore_index': ignored}])
    ids = np.zeros((70, 90), np.uint8)
    ids[:, 50:] = 255  # of which much is seen
    Image.fromarray(ids).save(tmp_path / 'half.png')
    for seed in range(60):
        found(both, files, seed)
        found(both, masked(tmp_path / 'one.png', tmp_path / 'half.png'), seed)


def test_distortion_is_that_of_mmseg_to_the_last_bit(files: Any, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (70, 90, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / 'one.png')
    both = pair('mmseg', [LOAD, DISTORT])
    changed = 0
    for seed in range(120):
        theirs, ours = both(files, seed)
        np.testing.assert_array_equal(ours['img'], theirs['img'])
        changed += bool((ours['img'][..., ::-1] != noise).any())
    assert changed > 100


def test_what_comes_after_runs_as_it_is(files: Any) -> None:
    rest = [DISTORT, {'type': 'RandomRotate', 'prob': 1.0, 'degree': 10}, {'type': 'PackSegInputs'}]
    theirs, ours = pair('mmseg', [LOAD, LOAD_MASK, SIZES['fixed'], *rest])(files, 3)
    assert ours['inputs'].shape == theirs['inputs'].shape
    assert ours['data_samples'].metainfo == theirs['data_samples'].metainfo
    np.testing.assert_array_equal(
        ours['data_samples'].gt_sem_seg.data.numpy(), theirs['data_samples'].gt_sem_seg.data.numpy()
    )


def test_a_masks_edge_lies_on_the_pictures(tmp_path: Path) -> None:
    """Of a file that is decoded smaller: columns of the mask's class are white."""
    ids = np.zeros((149, 203), np.uint8)
    ids[40:110, 70:140] = 1
    Image.fromarray(ids * 255).convert('RGB').save(tmp_path / 'one.jpg', quality=98, subsampling=0)
    Image.fromarray(ids).save(tmp_path / 'mask.png')
    small = {'type': 'RandomChoiceResize', 'scales': [*range(24, 60, 5)], 'resize_type': 'ResizeShortestEdge'}
    both = pair('mmseg', [LOAD, LOAD_MASK, {**small, 'max_size': 100}, {**CROP, 'crop_size': (30, 40)}, FLIP])
    for seed in range(60):
        _, ours = both(masked(tmp_path / 'one.jpg', tmp_path / 'mask.png'), seed)
        white, labelled = ours['img'][..., 1] > 127, ours['gt_seg_map'] == 1
        for axis in (0, 1):
            places = [np.flatnonzero(one.any(axis=axis)) for one in (white, labelled)]
            assert abs(places[0][0] - places[1][0]) <= 1
            assert abs(places[0][-1] - places[1][-1]) <= 1
