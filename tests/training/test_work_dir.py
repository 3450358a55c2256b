"""A training replaces nothing of the user's."""

import os
from pathlib import Path

import pytest

from mobileone_mm.errors import UsageError
from mobileone_mm.training.work_dir import require_work_dir


def made(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return folder


CONFIG = Path('configs/ssd.py')


@pytest.mark.parametrize('afresh', [False, True])
def test_a_new_or_empty_folder_is_taken_and_so_is_one_of_a_run_without_checkpoints(
    afresh: bool, tmp_path: Path
) -> None:
    require_work_dir(tmp_path / 'new/one', CONFIG, afresh)
    require_work_dir(tmp_path, CONFIG, afresh)
    require_work_dir(made(tmp_path / 'run', '20261124_120000/x.log', 'ssd.py', 'notes.txt'), CONFIG, afresh)
    require_work_dir(made(tmp_path / 'own', 'ssd.py'), tmp_path / 'own/ssd.py', afresh)


def test_checkpoints_are_kept_unless_the_training_goes_on(tmp_path: Path) -> None:
    folder = made(tmp_path, '20261124_120000/x.log', 'best_bbox_mAP_epoch_3.pth')
    require_work_dir(folder, CONFIG, afresh=False)
    with pytest.raises(
        UsageError, match=r'holds best_bbox_mAP_epoch_3\.pth, and a new training may replace .*`resume`'
    ):
        require_work_dir(folder, CONFIG, afresh=True)


@pytest.mark.parametrize('afresh', [False, True])
def test_a_config_that_no_run_left_is_not_written_over(afresh: bool, tmp_path: Path) -> None:
    folder = made(tmp_path, 'ssd.py')
    with pytest.raises(UsageError, match=r'ssd\.py: would be written over, and no earlier run left it'):
        require_work_dir(folder, CONFIG, afresh)


@pytest.mark.parametrize('afresh', [False, True])
def test_a_file_and_a_package_are_no_work_dir(afresh: bool, tmp_path: Path) -> None:
    made(tmp_path, 'file', 'a.mlpackage/Manifest.json')
    with pytest.raises(UsageError, match='this is a file, expected a folder; choose another `work_dir`'):
        require_work_dir(tmp_path / 'file', CONFIG, afresh)
    (tmp_path / 'link').symlink_to('a.mlpackage')
    for name in ('a.mlpackage', 'a.mlpackage/inner', 'link', 'link/inner'):
        with pytest.raises(UsageError, match=r'lies in the package a\.mlpackage, which holds nothing else'):
            require_work_dir(tmp_path / name, CONFIG, afresh)


def test_a_name_that_mmengine_could_not_write_down_is_refused_before_the_training(tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b'b\xe4r')
    with pytest.raises(
        UsageError, match='this name is no UTF-8, which mmengine writes it as; choose another `work_dir`'
    ):
        require_work_dir(folder, CONFIG, afresh=True)
    require_work_dir(tmp_path / 'b\xe4r', CONFIG, afresh=True)
