"""Real masks, loaded and scored by mmseg's own metric: against themselves 100, against their neighbours' labels not."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DATASETS, METRICS, init_default_scope
from PIL import Image

from mobileone_mm import config as shipped
from mobileone_mm.datasets.masks import MaskDataset

LOADED = [{'type': 'LoadImageFromFile'}, {'type': 'LoadAnnotations'}, {'type': 'PackSegInputs'}]
CAMVID = 11  # classes; the id after them marks what has none
FEW = 8  # images of the larger sets


@pytest.fixture(autouse=True)
def _scope() -> None:
    init_default_scope('mmseg')


def lines(path: Path) -> tuple[str, ...]:
    return tuple(line.strip() for line in path.read_text().splitlines() if line.strip())


def built(config: Mapping[str, Any]) -> Any:
    dataset = DATASETS.build({'pipeline': LOADED, **config})
    dataset.full_init()
    return dataset


def camvid(data: Path) -> Any:
    return built(
        {
            'type': 'mobileone_mm.MaskDataset',
            'data_root': str(data / 'camvid_small'),
            'data_prefix': {'img_path': 'images/val', 'seg_map_path': 'annotations/val'},
            'metainfo': {'classes': lines(data / 'camvid_small/classes.txt')[:CAMVID]},
            'ignore_index': CAMVID,
            'indices': FEW,
        }
    )


def coco_as_voc(data: Path) -> Any:
    root = data / 'coco_small'
    classes = DATASETS.get('mmseg.PascalVOCDataset').METAINFO['classes']
    return built(
        {
            'type': 'mobileone_mm.MaskDataset',
            'data_root': str(root),
            'data_prefix': {'img_path': 'images/val2017', 'seg_map_path': 'voc21/val2017'},
            'ann_file': 'voc21/val2017.txt',
            'metainfo': {'classes': classes},
            'indices': FEW,
        }
    )


def ade(kind: str, data: Path) -> Any:
    """By mmseg's own class, or by ours with the same options."""
    classes = DATASETS.get('mmseg.ADE20KDataset').METAINFO['classes']
    ours = {'metainfo': {'classes': classes}} if kind == 'mobileone_mm.MaskDataset' else {}
    return built(
        {
            'type': kind,
            'data_root': str(data / 'ade_fixture3'),
            'data_prefix': {'img_path': 'images/validation', 'seg_map_path': 'annotations/validation'},
            'reduce_zero_label': True,
            **ours,
        }
    )


def coco_as_ade(data: Path, listed: Path) -> Any:
    root = data / 'coco_small'
    stems = {path.stem for path in (root / 'images/val2017').iterdir()}  # some have no such mask
    listed.write_text('\n'.join(sorted(stems & {path.stem for path in (root / 'semantic/val2017').iterdir()})))
    return built(
        {
            'type': 'mobileone_mm.MaskDataset',
            'data_root': str(root),
            'data_prefix': {'img_path': 'images/val2017', 'seg_map_path': 'semantic/val2017'},
            'ann_file': str(listed),
            'metainfo': {'classes': tuple(line.split('\t')[2] for line in lines(root / 'semantic/classes.txt'))},
            'reduce_zero_label': True,
            'indices': FEW,
        }
    )


def by_ade_config(root: Path, listed: str = '', **prefix: str) -> Any:
    """As the config for ADE20k tests, but for where the pictures are."""
    dataset = config_of_ade().test_dataloader.dataset
    dataset.update(data_root=str(root), ann_file=listed, **({'data_prefix': prefix} if prefix else {}))
    built = DATASETS.build(dataset)
    built.full_init()
    return built


def config_of_ade() -> Any:
    return Config.fromfile(shipped('deeplabv3_mobileone_s0_ade20k'))


def coco_by_ade_config(data: Path, listed: Path) -> Any:
    coco_as_ade(data, listed)
    prefix = {'img_path': 'images/val2017', 'seg_map_path': 'semantic/val2017'}
    return by_ade_config(data / 'coco_small', str(listed), **prefix)


SETS = {
    'camvid': camvid,
    'coco as voc': coco_as_voc,
    'ade': lambda data: ade('mobileone_mm.MaskDataset', data),
    "ade, mmseg's": lambda data: ade('ADE20KDataset', data),
    'ade, by its config': lambda data: by_ade_config(data / 'ade_fixture3'),
}


def miou(dataset: Any, shift: int) -> float:
    """Of each mask, with its labels moved on by `shift`, against itself: mean over the classes that occur, 0 to 100."""
    metric = METRICS.build(config_of_ade().test_evaluator)
    metric.dataset_meta = dataset.metainfo
    count = len(dataset.metainfo['classes'])
    for item in dataset:
        truth = item['data_samples'].gt_sem_seg.data
        known = truth != 255
        answer = torch.where(known, (truth + shift) % count, torch.zeros_like(truth))
        metric.process({}, [{'gt_sem_seg': {'data': truth}, 'pred_sem_seg': {'data': answer}}])
    return float(metric.compute_metrics(metric.results)['mIoU'])


@pytest.mark.parametrize('name', SETS)
def test_a_mask_scored_against_itself_is_perfect_and_shifted_by_one_is_not(name: str, real_data: Path) -> None:
    require_right(SETS[name](real_data / 'data'))


def test_so_it_is_with_masks_of_coco_whose_ids_begin_with_1(real_data: Path, tmp_path: Path) -> None:
    require_right(coco_as_ade(real_data / 'data', tmp_path / 'list.txt'))
    require_right(coco_by_ade_config(real_data / 'data', tmp_path / 'list.txt'))


def require_right(dataset: Any) -> None:
    assert miou(dataset, 0) == 100
    assert miou(dataset, 1) < 5


def test_labels_are_those_of_the_files(real_data: Path) -> None:
    dataset = ade('mobileone_mm.MaskDataset', real_data / 'data')
    theirs = ade('ADE20KDataset', real_data / 'data')
    for index, item in enumerate(dataset):
        ids = np.asarray(Image.open(dataset.get_data_info(index)['seg_map_path'])).astype(int)
        found = item['data_samples'].gt_sem_seg.data[0].numpy()
        np.testing.assert_array_equal(found, np.where(ids == 0, 255, ids - 1))
        np.testing.assert_array_equal(found, theirs[index]['data_samples'].gt_sem_seg.data[0].numpy())


def test_palette_masks_of_voc_are_read_as_ids(real_data: Path) -> None:
    root = real_data / 'data/voc_seg_fixture3'
    dataset = MaskDataset(
        data_root=str(root),
        data_prefix={'img_path': 'JPEGImages', 'seg_map_path': 'SegmentationClass'},
        metainfo={'classes': DATASETS.get('mmseg.PascalVOCDataset').METAINFO['classes']},
        pipeline=[{'type': 'mmseg.LoadAnnotations'}],
    )
    assert len(dataset) == 3
    for index in range(3):
        with Image.open(dataset.get_data_info(index)['seg_map_path']) as mask:
            assert mask.mode == 'P'
            np.testing.assert_array_equal(dataset[index]['gt_seg_map'], np.asarray(mask))
