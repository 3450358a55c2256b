"""mmseg's pipelines in one warp: the same draws, the same masks to the last bit, the picture where the mask is."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
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
HALF_PX = 0.5
MASK_PX = 1.25  # mmseg makes masks smaller by taking the first of some pixels, not the middle one
TURN = {'type': 'RandomRotate', 'prob': 0.5, 'degree': 10}
LEVELS = 1  # of 255, by rounding
COLOURS, COLOURS_MEAN = 12, 0.75  # by rounding in HSV of 8 bits
CHAIN, CHAIN_MEAN = 20, 2  # where colours between two pixels are mixed before they change or after, once or twice


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


def test_distortion_is_that_of_mmseg_but_for_few_levels(files: Any, tmp_path: Path) -> None:
    """Of noise, where rounding between two changes in HSV does most."""
    noise = np.random.default_rng(0).integers(0, 256, (70, 90, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / 'one.png')
    both = pair('mmseg', [LOAD, DISTORT])
    changed, exact = 0, 0
    for seed in range(120):
        theirs, ours = both(files, seed)
        errors = np.abs(ours['img'].astype(int) - theirs['img'])
        assert errors.max() <= COLOURS
        assert errors.mean() <= COLOURS_MEAN
        exact += errors.max() == 0
        changed += bool((ours['img'][..., ::-1] != noise).any())
    assert changed > 100
    assert exact > 30


def inside(mask: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Pixels that are some px away from those without a class: there, a turned picture meets black."""
    kernel = np.ones((5, 5), np.uint8)
    return cv2.erode((mask != 255).astype(np.uint8), kernel, borderType=cv2.BORDER_CONSTANT, borderValue=0) > 0


def outline(region: NDArray[np.bool_]) -> NDArray[np.uint8]:
    return cv2.morphologyEx(region.astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))


@pytest.mark.parametrize('size', SIZES)
def test_pixels_of_a_whole_chain_are_those_of_mmseg_but_for_few_levels(size: str, files: Any) -> None:
    """Enlarged, whose colours change before; and turned, which mmseg does to what it has resized."""
    chain = [LOAD, LOAD_MASK, SIZES[size], CROP, FLIP, DISTORT, TURN, {'type': 'PackSegInputs'}]
    both = pair('mmseg', chain)
    turned = 0
    for seed in range(120):
        theirs, ours = both(files, seed)
        masks = [one['data_samples'].gt_sem_seg.data.numpy()[0] for one in (theirs, ours)]
        np.testing.assert_array_equal(masks[1], masks[0])
        inputs = [one['inputs'].numpy().astype(int) for one in (theirs, ours)]
        assert ours['inputs'].is_contiguous()
        turned += bool((inputs[0] == 0).all(axis=0).any())
        errors = np.abs(inputs[1] - inputs[0])[:, inside(masks[0])]
        assert errors.max() <= CHAIN
        assert errors.mean() <= CHAIN_MEAN
    assert 30 < turned < 90


def test_what_comes_after_runs_as_it_is(files: Any) -> None:
    rest = [DISTORT, {'type': 'RandomRotate', 'prob': 1.0, 'degree': 10}, {'type': 'PackSegInputs'}]
    theirs, ours = pair('mmseg', [LOAD, LOAD_MASK, SIZES['fixed'], *rest])(files, 3)
    assert ours['inputs'].shape == theirs['inputs'].shape
    assert ours['data_samples'].metainfo == theirs['data_samples'].metainfo
    np.testing.assert_array_equal(
        ours['data_samples'].gt_sem_seg.data.numpy(), theirs['data_samples'].gt_sem_seg.data.numpy()
    )


@pytest.mark.parametrize('sizes', [range(24, 60, 5), range(150, 290, 20)], ids=['smaller', 'larger'])
@pytest.mark.parametrize('after', [[], [DISTORT], [TURN], [DISTORT, TURN]], ids=len)
def test_a_masks_edge_lies_on_the_pictures(after: list[dict[str, Any]], sizes: range, tmp_path: Path) -> None:
    """Of a file that is decoded smaller, and one that is enlarged: where the mask has a class, the picture is white."""
    ids = np.zeros((149, 203), np.uint8)
    ids[40:110, 70:140] = 1
    Image.fromarray(ids * 255).convert('RGB').save(tmp_path / 'one.jpg', quality=98, subsampling=0)
    Image.fromarray(ids).save(tmp_path / 'mask.png')
    crop = (30, 40) if max(sizes) < 100 else (160, 200)
    small = {'type': 'RandomChoiceResize', 'scales': [*sizes], 'resize_type': 'ResizeShortestEdge'}
    both = pair('mmseg', [LOAD, LOAD_MASK, {**small, 'max_size': 400}, {**CROP, 'crop_size': crop}, FLIP, *after])
    for seed in range(40):
        theirs, ours = found(both, masked(tmp_path / 'one.jpg', tmp_path / 'mask.png'), seed)
        inner = inside(ours['gt_seg_map'])
        white = [(one['img'][..., 1] > 127) & inner for one in (theirs, ours)]
        middles = [np.argwhere(one).mean(axis=0) for one in (*white, (ours['gt_seg_map'] == 1) & inner)]
        np.testing.assert_allclose(middles[1], middles[0], rtol=0, atol=HALF_PX)
        np.testing.assert_allclose(middles[1], middles[2], rtol=0, atol=MASK_PX)
        assert np.count_nonzero(white[0] ^ white[1]) <= HALF_PX * np.count_nonzero(outline(white[0]))
