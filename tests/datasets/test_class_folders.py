"""Sets of class folders: labels go by the folders' names, and what does not fit is said before the first step."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from mmengine.registry import DATASETS, init_default_scope

from mobileone_mm.errors import DataError


def write(root: Path, *files: str) -> Path:
    for name in files:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def built(root: Path, classes: Any) -> Any:
    init_default_scope('mmpretrain')
    return DATASETS.build(
        {
            'type': 'mobileone_mm.ClassFolderDataset',
            'data_root': str(root),
            'data_prefix': {'img_path': 'train'},
            'metainfo': {'classes': classes},
            'pipeline': [],
        }
    )


def labels(dataset: Any, root: Path) -> dict[str, int]:
    rows = [dataset.get_data_info(index) for index in range(len(dataset))]
    return {Path(row['img_path']).relative_to(root / 'train').as_posix(): row['gt_label'] for row in rows}


@pytest.mark.parametrize('classes', [('cat', 'dog'), ('dog', 'cat')])
def test_a_label_is_the_place_of_the_folders_name_in_whatever_order(classes: Sequence[str], tmp_path: Path) -> None:
    write(tmp_path, 'train/dog/1.jpg', 'train/cat/1.JPEG', 'train/cat/b/2.png')
    dataset = built(tmp_path, classes)
    assert labels(dataset, tmp_path) == {
        'cat/1.JPEG': classes.index('cat'),
        'cat/b/2.png': classes.index('cat'),
        'dog/1.jpg': classes.index('dog'),
    }
    assert dataset.metainfo['classes'] == classes


def test_what_is_hidden_or_no_picture_is_passed_over(tmp_path: Path) -> None:
    write(tmp_path, 'train/cat/1.jpg', 'train/cat/._1.jpg', 'train/cat/notes.txt', 'train/.ipynb_checkpoints/a.jpg')
    write(tmp_path, 'train/cat/.thumbs/1.jpg', 'train/list.csv')
    assert labels(built(tmp_path, ['cat']), tmp_path) == {'cat/1.jpg': 0}


@pytest.mark.parametrize(
    ('files', 'classes', 'message'),
    [
        (['a.jpg'], ('cat',), 'train: no such folder; set data_root'),
        (['train/cat/1.jpg'], ('cat', 'dog'), r"no pictures of 'dog'; expected a folder of that name, .*\.jpg"),
        (['train/cat/1.txt'], ('cat',), "no pictures of 'cat'"),
        (['train/cats/1.jpg'], ('cat',), "folders that are no class: 'cats'; expected only cat"),
        (['train/train/cat/1.jpg'], ('cat',), "folders that are no class: 'train'"),
        (['train/cat/1.jpg'], ('cat', 'cat'), 'none twice'),
        (['train/cat/1.jpg'], None, 'expected a tuple of names'),
    ],
)
def test_what_does_not_fit_is_refused(files: list[str], classes: Any, message: str, tmp_path: Path) -> None:
    write(tmp_path, *files)
    with pytest.raises(DataError, match=message):
        built(tmp_path, classes)
