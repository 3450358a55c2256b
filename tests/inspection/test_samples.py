"""The sheet of samples: what the pipeline gives, the same for the same seed."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from small_sets import write_boxes, write_masks

from mobileone_mm.errors import DataError
from mobileone_mm.inspection.samples import samples_of
from mobileone_mm.openmmlab.configs import load_config
from mobileone_mm.openmmlab.test_data import open_dataset

OUT = Path('samples.jpg')


def masks() -> Any:
    write_masks()
    return open_dataset(load_config('my_masks.py'), 'train_dataloader')


def drawn(dataset: Any, task: str = 'segmentation', count: int = 1, seed: int = 0) -> Path:
    config = load_config({'detection': 'boxes.py', 'segmentation': 'my_masks.py', 'classification': 'a.py'}[task])
    OUT.write_bytes(samples_of(config, dataset, count, seed))
    return OUT


def test_a_sample_shows_its_crop_beside_the_same_with_its_mask() -> None:
    sheet = np.asarray(Image.open(drawn(masks()))).astype(int)
    red = np.abs(sheet - (255, 0, 0)).sum(axis=-1) < 60
    top, left = 36 + 2, 12 + 2  # inside of the first sample; JPEG blurs its edge
    assert abs(red[top + 120, left:].argmin() - 318) <= 1  # the crop of 24 x 32, enlarged; its copy is painted over
    assert abs(red[top:, left + 100].argmin() - 238) <= 1


@pytest.mark.parametrize('task', ['segmentation', 'detection'])
def test_the_same_seed_draws_the_same(task: str) -> None:
    if task == 'detection':
        write_boxes(6)
        dataset = open_dataset(load_config('boxes.py'), 'train_dataloader')
    else:
        dataset = masks()
    sheets = [drawn(dataset, task, count=3, seed=seed).read_bytes() for seed in (0, 0, 1)]
    assert sheets[0] == sheets[1] != sheets[2]


def test_more_samples_than_there_are_is_all_of_them() -> None:
    dataset = masks()
    assert drawn(dataset, count=99).read_bytes() == drawn(dataset, count=len(dataset)).read_bytes()


def test_boxes_are_drawn_where_the_pipeline_moved_them() -> None:
    """Of a set whose pictures are black, with one box at the left: the pipeline flips each."""
    write_boxes(1)
    (image,) = Path('data/images/train').iterdir()
    Image.new('RGB', (96, 96)).save(image)
    dataset = open_dataset(load_config('boxes.py'), 'train_dataloader')
    box = dataset[0]['gt_bboxes'] if 'gt_bboxes' in dataset[0] else dataset[0]['data_samples'].gt_instances.bboxes
    left, _, right, _ = np.asarray(getattr(box, 'tensor', box))[0] * 320 / 96
    sheet = np.asarray(Image.open(drawn(dataset, 'detection'))).astype(int)
    inside = sheet[36:356, 12:332].max(axis=-1)
    seen = np.flatnonzero((inside > 100).sum(axis=0) > 8)
    assert seen.min() <= right
    assert seen.max() >= left


def test_what_the_pipeline_cannot_read_is_named() -> None:
    dataset = masks()
    for path in Path('data/images').iterdir():
        path.write_bytes(b'no picture')
    with pytest.raises(DataError, match=r'the training pipeline cannot give sample \d'):
        drawn(dataset)
    assert not OUT.exists()


def test_a_step_behind_the_one_that_packs_is_named() -> None:
    write_masks()
    place, text = Path('my_masks.py'), Path('my_masks.py').read_text()
    packs = "    dict(type='PackSegInputs'),\n"
    place.write_text(text.replace(packs, f"{packs}    dict(type='RandomCrop', crop_size=(8, 8)),\n"))
    with pytest.raises(
        DataError,
        match=r"cannot give sample \d: a step looks for 'img', and what is packed has it no more; put the step that "
        r'packs last, behind train_dataloader\.dataset\.pipeline: RandomCrop$',
    ):
        drawn(open_dataset(load_config('my_masks.py'), 'train_dataloader'))


CLASSES = """
default_scope = 'mmpretrain'
model = dict()
pipeline = [dict(type='LoadImageFromFile'), dict(type='CenterCrop', crop_size=16), dict(type='PackInputs')]
own = dict(type='mobileone_mm.ClassFolderDataset', data_root='data', metainfo=dict(classes=('blue', 'none')))
train_dataloader = dict(dataset=dict(**own, data_prefix=dict(img_path='.'), check=False, pipeline=pipeline))
"""


def test_pictures_of_classes_have_the_name_below() -> None:
    for name in ('blue/1', 'blue/2', 'none/1', 'none/2'):
        Path('data', name).parent.mkdir(parents=True, exist_ok=True)
        Image.new('RGB', (24, 24), 'blue').save(f'data/{name}.png')
    Path('a.py').write_text(CLASSES)
    dataset = open_dataset(load_config('a.py'), 'train_dataloader')
    sheet = np.asarray(Image.open(drawn(dataset, 'classification', count=1))).astype(int)
    assert sheet.shape[:2] == (12 + 24 + 320 + 24 + 12, 12 + 320 + 12)
    inside = sheet[36 + 2 : 36 + 318, 12 + 2 : 12 + 318]
    assert np.abs(inside - (0, 0, 255)).max() < 30, 'the crop, in its own colours'
    below = sheet[36 + 322 : 36 + 344, 12:332]
    assert below[:, :50].min() < 100, 'the name of its class'
    assert below[:, 80:].min() > 200
