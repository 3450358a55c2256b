"""Sets of class folders: labels go by the folders' names, and what does not fit is said before the first step."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from mmengine.registry import DATASETS, init_default_scope
from small_classes import write, write_set

from mobileone_mm.errors import DataError

FEW = {'cat': 2, 'dog': 3}


def built(root: Path, classes: Any = ('cat', 'dog'), **options: Any) -> Any:
    init_default_scope('mmpretrain')
    return DATASETS.build(
        {
            'type': 'mobileone_mm.ClassFolderDataset',
            'data_root': str(root),
            'data_prefix': {'img_path': 'train'},
            'metainfo': {'classes': classes},
            'pipeline': [],
            **options,
        }
    )


def labels(dataset: Any, root: Path) -> dict[str, int]:
    rows = [dataset.get_data_info(index) for index in range(len(dataset))]
    return {Path(row['img_path']).relative_to(root / 'train').as_posix(): row['gt_label'] for row in rows}


def refusal(root: Path, classes: Any = ('cat', 'dog'), **options: Any) -> str:
    with pytest.raises(DataError) as raised:
        built(root, classes, **options)
    return str(raised.value)


@pytest.mark.parametrize('classes', [('cat', 'dog'), ('dog', 'cat')])
def test_a_label_is_the_place_of_the_folders_name_in_whatever_order(classes: Sequence[str], tmp_path: Path) -> None:
    write(tmp_path, 'train/dog/1.jpg', 'train/dog/2.jpg', 'train/cat/1.JPEG', 'train/cat/b/2.png', 'train/cat/x.txt')
    dataset = built(tmp_path, classes)
    assert labels(dataset, tmp_path) == {
        'cat/1.JPEG': classes.index('cat'),
        'cat/b/2.png': classes.index('cat'),
        'dog/1.jpg': classes.index('dog'),
        'dog/2.jpg': classes.index('dog'),
    }
    assert dataset.metainfo['classes'] == classes
    assert dataset.notes == ('1 file that is not a picture is skipped: .txt (1)',)


def test_all_faults_are_listed_at_once_with_their_cures(tmp_path: Path) -> None:
    write_set(tmp_path / 'train', cat=2, dog=2, owl=1)
    write(tmp_path, 'train/loose.png', 'train/hen/1.png', 'train/cat/empty.txt')
    (tmp_path / 'train/cat/empty.txt').rename(tmp_path / 'train/cat/empty.jpg')
    shutil.copy(tmp_path / 'train/cat/00.png', tmp_path / 'train/dog/copy.png')
    first, *lines = refusal(tmp_path, ('cat', 'dog', 'fox', 'owl')).splitlines()
    root = tmp_path / 'train'
    assert first == f'{root}: 6 faults in a set of 7 images:'
    assert lines[:6] == [
        f'  {root}: 1 picture lies beside the folders of the classes: loose.png',
        f'  {root}/hen: a folder that is no class; expected only cat, dog, fox, owl',
        f"  {root}/fox: no folder of the class 'fox'",
        f"  {root}/owl: a single picture of the class 'owl'",
        f'  {root}/cat/empty.jpg: cannot be read: the file is empty',
        f"  {root}/dog/copy.png: the same picture as {root}/cat/00.png, of the class 'cat'",
    ]
    assert [line.partition(':')[0] for line in lines[6:]] == [
        'pictures beside the folders',
        'folders that are no class',
        'classes without pictures',
        'single pictures',
        'pictures that cannot be read',
        'one picture in two classes',
    ]


def test_the_cure_of_a_class_with_too_few_pictures_leads_to_no_other_fault(tmp_path: Path) -> None:
    train = tmp_path / 'train'
    write_set(train, **FEW, owl=1)
    (train / 'fox').mkdir()
    *_, empty, single = refusal(tmp_path, ('cat', 'dog', 'fox', 'owl')).splitlines()
    assert empty.endswith('or leave the name out of `classes` and move the folder, if there is one, out of the set')
    assert single == (
        'single pictures: add more of these classes, or leave their names out of `classes` and move their folders out '
        'of the set'
    )
    assert 'owl: a folder that is no class' in refusal(tmp_path), 'which is why the folder has to go too'
    for name in ('fox', 'owl'):
        (train / name).rename(tmp_path / name)
    assert len(built(tmp_path)) == sum(FEW.values())


def test_without_a_look_into_the_files_places_and_names_count_all_the_same(tmp_path: Path) -> None:
    write_set(tmp_path / 'train', **FEW)
    (tmp_path / 'train/cat/00.png').write_bytes(b'')
    assert len(built(tmp_path, check=False)) == 5
    write(tmp_path, 'train/loose.png')
    assert '1 fault in a set of 5 images:' in refusal(tmp_path, check=False)


@pytest.mark.parametrize('classes', [None, 'cat', ('cat', 'cat'), ()])
def test_classes_that_are_none_are_refused(classes: Any, tmp_path: Path) -> None:
    write_set(tmp_path / 'train', **FEW)
    assert 'expected' in refusal(tmp_path, classes)


def test_one_class_is_none(tmp_path: Path) -> None:
    write_set(tmp_path / 'train', cat=2)
    assert refusal(tmp_path, ['cat']).startswith('1 class given, expected two or more')


def test_a_class_may_have_a_single_picture_to_test_on(tmp_path: Path) -> None:
    write_set(tmp_path / 'train', cat=1, dog=3)
    assert len(built(tmp_path, test_mode=True)) == 4
    assert "cat: a single picture of the class 'cat'" in refusal(tmp_path)


def test_the_parts_are_disjoint_and_together_everything_with_a_share_of_each_class(tmp_path: Path) -> None:
    write_set(tmp_path / 'train', cat=2, dog=10, owl=25)
    classes = ('cat', 'dog', 'owl')
    whole = labels(built(tmp_path, classes), tmp_path)
    train, val = (labels(built(tmp_path, classes, part=part), tmp_path) for part in ('train', 'val'))
    assert not train.keys() & val.keys()
    assert {**train, **val} == whole
    assert [list(val.values()).count(label) for label in range(3)] == [1, 2, 5]
    other = labels(built(tmp_path, classes, part='val', seed=1, val_share=0.4), tmp_path)
    assert [list(other.values()).count(label) for label in range(3)] == [1, 4, 10]
    assert other.keys() != val.keys()


def test_the_parts_of_a_class_stay_when_others_grow_or_the_folder_moves(tmp_path: Path) -> None:
    root = tmp_path / 'here'
    write_set(root / 'train', cat=12, dog=12)
    before = labels(built(root, part='val'), root)
    write_set(root / 'train', dog=30, owl=5)
    root.rename(tmp_path / 'there')
    after = labels(built(tmp_path / 'there', ('dog', 'owl', 'cat'), part='val'), tmp_path / 'there')
    assert {name for name in after if name.startswith('cat/')} == {name for name in before if name.startswith('cat/')}


def test_a_class_of_a_single_picture_cannot_be_parted(tmp_path: Path) -> None:
    write_set(tmp_path / 'train', cat=1, dog=5)
    assert "a single picture of the class 'cat'" in refusal(tmp_path, part='train')


def test_copies_that_are_parted_are_a_fault_of_the_validation(tmp_path: Path) -> None:
    write_set(tmp_path / 'train', cat=2, dog=5)
    (held,) = [name for name in labels(built(tmp_path, part='val'), tmp_path) if name.startswith('cat/')]
    (kept,) = {'cat/00.png', 'cat/01.png'} - {held}
    shutil.copy(tmp_path / 'train' / kept, tmp_path / 'train' / held)
    assert len(built(tmp_path, part='train')) == 5
    said = refusal(tmp_path, part='val')
    assert f'train/{held}: the same picture as {tmp_path}/train/{kept}, which is trained on' in said


def test_no_picture_of_another_folder_that_is_trained_on_may_be_validated_on(tmp_path: Path) -> None:
    write_set(tmp_path / 'train', **FEW)
    write_set(tmp_path / 'val', **FEW)
    options = {'data_prefix': {'img_path': 'val'}, 'test_mode': True}
    shutil.copy(tmp_path / 'train/cat/00.png', tmp_path / 'val/cat/09.png')
    assert len(built(tmp_path, **options)) == 6
    said = refusal(tmp_path, **options, apart_from='train')
    assert f'val/cat/09.png: the same picture as {tmp_path}/train/cat/00.png, which is trained on' in said
    assert len(built(tmp_path, **options, apart_from='elsewhere')) == 6  # a machine that only tests


def test_what_concerns_all_of_a_parted_set_is_said_once(tmp_path: Path) -> None:
    write_set(tmp_path / 'train', **FEW)
    write(tmp_path, 'train/hen/1.png', 'train/hen/2.png')
    assert 'hen: a folder that is no class' in refusal(tmp_path, part='train')
    assert len(built(tmp_path, part='val')) == 2
    assert 'no folder of the class' in refusal(tmp_path, ('fox', 'owl'), part='val')  # or there would be no picture


def test_strong_imbalance_is_noted_of_what_is_trained_on(tmp_path: Path, log: pytest.LogCaptureFixture) -> None:
    write_set(tmp_path / 'train', cat=2, dog=20)
    assert built(tmp_path).notes == (
        "10 times as many pictures of 'dog' (20) as of 'cat' (2), which is then easily never predicted; add pictures "
        'of the rare classes',
    )
    assert [record.levelname for record in log.records if 'easily never predicted' in record.getMessage()] == [
        'WARNING'
    ]
    assert built(tmp_path, test_mode=True).notes == ()


@pytest.mark.parametrize(
    ('options', 'message'), [({'part': 'test'}, "part='test'"), ({'part': 'val', 'val_share': 0}, 'val_share=0')]
)
def test_options_that_do_not_fit_are_refused(options: dict[str, Any], message: str, tmp_path: Path) -> None:
    write_set(tmp_path / 'train', **FEW)
    assert refusal(tmp_path, **options).startswith(message)
