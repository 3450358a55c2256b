"""The shipped segmentation configs read data laid out as they say, with their own pipelines."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.registry import DATASETS
from mmengine.runner import Runner
from PIL import Image

from mobileone_mm.openmmlab import configs

SIDE = 512  # px, of a crop and of a test
IGNORED = 255
# Folders of pictures and masks below the data root, and the lists that name the pictures.
VOC = ('JPEGImages', ['SegmentationClass', 'SegmentationClassAug'], ['train', 'aug', 'val'])


def write(folder: Path, pictures: str, masks: list[str], mask: np.ndarray) -> None:
    """One picture of 700 x 400 px and its masks, in every folder."""
    noise = np.random.default_rng(0).integers(0, 256, (400, 700, 3), np.uint8)
    for name in (pictures, *masks):
        (folder / name).mkdir(parents=True, exist_ok=True)
    Image.fromarray(noise).save(folder / pictures / 'a.jpg')
    for name in masks:
        Image.fromarray(mask).save(folder / name / 'a.png')


@pytest.fixture
def mask() -> np.ndarray:
    """Labels 0, 1, 2 and 20 in columns (400, 700), so that no class fills a crop."""
    return np.repeat(np.array([0, 1, 2, 20], np.uint8), 175)[None].repeat(400, 0)


@pytest.fixture(params=['voc', 'ade20k'])
def config(request: pytest.FixtureRequest, tmp_path: Path, mask: np.ndarray) -> Any:
    config = configs.load_config(f'deeplabv3_mobileone_s1_{request.param}')
    if request.param == 'voc':
        pictures, masks, lists = VOC
        write(tmp_path, pictures, masks, mask)
        (tmp_path / 'ImageSets/Segmentation').mkdir(parents=True)
        for name in lists:
            (tmp_path / f'ImageSets/Segmentation/{name}.txt').write_text('a\n')
    else:
        for part in ('training', 'validation'):
            write(tmp_path, f'images/{part}', [f'annotations/{part}'], mask)
    for dataset in (
        config.train_dataloader.dataset,
        *config.train_dataloader.dataset.get('datasets', ()),
        config.val_dataloader.dataset,
    ):
        if 'data_root' in dataset:
            dataset.data_root = str(tmp_path)
    config.train_dataloader.update(batch_size=2, num_workers=0, persistent_workers=False, drop_last=False)
    configs.enter_scope(config)
    return config


def labels_of(sample: Any) -> set[int]:
    found: list[int] = sample.gt_sem_seg.data.unique().tolist()
    return set(found)


def test_a_training_batch_has_its_size_and_labels(config: Any) -> None:
    shifted = config.train_dataloader.dataset.type == 'ADE20KDataset'
    loader = Runner.build_dataloader(config.train_dataloader, seed=0)
    assert len(loader.dataset) == (1 if shifted else 2)  # VOC's and SBD's
    model = configs.build_model(config)
    known = {IGNORED, 0, 1, 19} if shifted else {IGNORED, 0, 1, 2, 20}
    seen = set()
    for _ in range(8):
        for data in loader:
            batch = model.data_preprocessor(data, True)
            assert batch['inputs'].shape[1:] == (3, SIDE, SIDE)
            for sample in batch['data_samples']:
                assert sample.gt_sem_seg.data.shape == (1, SIDE, SIDE)
                seen |= labels_of(sample)
    assert seen == known


def test_a_test_picture_is_resized_and_its_mask_is_not(config: Any, mask: np.ndarray) -> None:
    shifted = config.val_dataloader.dataset.type == 'ADE20KDataset'
    item = DATASETS.build(config.val_dataloader.dataset)[0]
    assert item['inputs'].shape == (3, SIDE, SIDE)
    expected = torch.from_numpy(mask - 1 if shifted else mask)  # 0 - 1 is 255 in uint8
    torch.testing.assert_close(item['data_samples'].gt_sem_seg.data[0].to(torch.uint8), expected, rtol=0, atol=0)
