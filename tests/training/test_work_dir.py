"""A training replaces nothing of the user's."""

import os
from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.hooks import CheckpointHook

from mobileone_mm.errors import UsageError
from mobileone_mm.hooks.plain_checkpoint import saved_to
from mobileone_mm.training.work_dir import require_checkpoints_kept, require_work_dir


def made(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return folder


CONFIG = Path('configs/ssd.py')
RUN = '20261124_120000'


def training(folder: Path, source: Path | str | bool = False, **checkpoint: object) -> Config:
    """A training in a folder: a new one, or one that goes on from the last checkpoint (True) or a named one."""
    return Config(
        {
            'work_dir': str(folder),
            'resume': bool(source),
            'load_from': None if isinstance(source, bool) else str(source),
            'default_hooks': {'checkpoint': {'type': 'CheckpointHook', **checkpoint}},
        }
    )


def test_a_new_or_empty_folder_is_taken_and_so_is_one_of_a_run_without_checkpoints(tmp_path: Path) -> None:
    run = made(tmp_path / 'run', f'{RUN}/x.log', 'ssd.py', 'notes.txt')
    for folder in (tmp_path / 'new/one', tmp_path, run):
        require_work_dir(folder, CONFIG)
        for source in (False, True, 'elsewhere/epoch_1.pth'):
            assert require_checkpoints_kept(training(folder, source)) == [folder]
    require_work_dir(made(tmp_path / 'own', 'ssd.py'), tmp_path / 'own/ssd.py')


def test_checkpoints_are_kept_unless_the_training_goes_on_from_one_of_them(tmp_path: Path) -> None:
    folder = made(tmp_path / 'RB', f'{RUN}/x.log', 'epoch_2.pth')
    other = made(tmp_path / 'wA', 'epoch_1.pth') / 'epoch_1.pth'
    (tmp_path / 'link').symlink_to('RB')
    for source in (True, folder / 'epoch_2.pth', tmp_path / 'link/epoch_2.pth'):
        require_checkpoints_kept(training(folder, source))
    with pytest.raises(UsageError, match=r'holds epoch_2\.pth, and a new training may replace .*`resume`'):
        require_checkpoints_kept(training(folder))
    with pytest.raises(
        UsageError,
        match=rf'RB: holds epoch_2\.pth, and a training that goes on from {other} may replace .*`resume` one of this '
        r'folder, or choose another `work_dir`',
    ):
        require_checkpoints_kept(training(folder, other))
    (folder / 'last_checkpoint').write_text(str(other))
    with pytest.raises(UsageError, match=f'a training that goes on from {other} may replace'):
        require_checkpoints_kept(training(folder, source=True))
    (folder / 'last_checkpoint').write_text('/before/it/was/copied/epoch_2.pth')
    require_checkpoints_kept(training(folder, source=True))


def test_where_there_is_none_to_go_on_from_the_others_are_kept(tmp_path: Path) -> None:
    folder = made(tmp_path, f'{RUN}/x.log', 'best_bbox_mAP_epoch_3.pth')
    with pytest.raises(
        UsageError, match=r'holds best_bbox_mAP_epoch_3\.pth, and none to go on from, .*new training may replace'
    ):
        require_checkpoints_kept(training(folder, source=True))
    require_checkpoints_kept(training(folder, folder / 'best_bbox_mAP_epoch_3.pth'))


def test_checkpoints_in_a_folder_of_their_own_are_kept_too(tmp_path: Path) -> None:
    work, out, other = tmp_path / 'w', tmp_path / 'out', made(tmp_path / 'a', 'epoch_1.pth') / 'epoch_1.pth'
    assert require_checkpoints_kept(training(work, out_dir=str(out))) == [out / 'w', work]
    assert require_checkpoints_kept(training(work, out_dir='s3://bucket')) == [work]
    made(out, 'w/epoch_2.pth')
    for source in (False, other, True):
        (made(work, 'last_checkpoint') / 'last_checkpoint').write_text(str(other))
        with pytest.raises(UsageError, match=r'out/w: holds epoch_2\.pth, and .*`default_hooks\.checkpoint\.out_dir`'):
            require_checkpoints_kept(training(work, source, out_dir=str(out)))
    (work / 'last_checkpoint').write_text(str(out / 'w/epoch_2.pth'))
    for source in (True, out / 'w/epoch_2.pth'):
        require_checkpoints_kept(training(work, source, out_dir=str(out)))
    # What an earlier part of the training left beside the logs is not written to any more.
    require_checkpoints_kept(training(made(work, 'epoch_1.pth'), source=True, out_dir=str(out)))
    with pytest.raises(UsageError, match=r'w: holds epoch_1\.pth, and a new training'):
        require_checkpoints_kept(training(work, out_dir=str(tmp_path / 'unused')))


def test_a_file_and_a_package_are_no_folder_for_checkpoints(tmp_path: Path) -> None:
    made(tmp_path, 'out/w', 'a.mlpackage/Manifest.json')
    for out, message in (('out', 'this is a file, expected a folder'), ('a.mlpackage', r'lies in the package a\.ml')):
        with pytest.raises(UsageError, match=message):
            require_checkpoints_kept(training(tmp_path / 'w', out_dir=str(tmp_path / out)))


def test_a_config_that_no_run_left_is_not_written_over(tmp_path: Path) -> None:
    folder = made(tmp_path, 'ssd.py')
    with pytest.raises(UsageError, match=r'ssd\.py: would be written over, and no earlier run left it'):
        require_work_dir(folder, CONFIG)


def test_a_config_that_was_edited_since_is_not_written_over(tmp_path: Path) -> None:
    folder = made(tmp_path, *(f'{RUN[:-1]}{second}/vis_data/config.py' for second in range(3)), 'ssd.py')
    for second in range(3):
        (folder / f'{RUN[:-1]}{second}/vis_data/config.py').write_text(f'seed = {second}\n')
    kept = folder / 'ssd.py'
    for second in range(3):
        kept.write_text(f'seed = {second}\n')
        require_work_dir(folder, CONFIG)
    kept.write_text('seed = 1  # of mine\n')
    with pytest.raises(
        UsageError,
        match=r'ssd\.py: would be written over, and no earlier run left it as it is; move it, give it as the config',
    ):
        require_work_dir(folder, CONFIG)
    require_work_dir(folder, kept)
    (folder / 'link.py').symlink_to('ssd.py')
    require_work_dir(folder, folder / 'link.py')
    made(folder, '20261124_130000/x.log')  # of a run that kept no config there: it may be its own
    require_work_dir(folder, CONFIG)


def test_a_file_and_a_package_are_no_work_dir(tmp_path: Path) -> None:
    made(tmp_path, 'file', 'a.mlpackage/Manifest.json')
    with pytest.raises(UsageError, match='this is a file, expected a folder; choose another `work_dir`'):
        require_work_dir(tmp_path / 'file', CONFIG)
    (tmp_path / 'link').symlink_to('a.mlpackage')
    for name in ('a.mlpackage', 'a.mlpackage/inner', 'link', 'link/inner'):
        with pytest.raises(UsageError, match=r'lies in the package a\.mlpackage, which holds nothing else'):
            require_work_dir(tmp_path / name, CONFIG)


def test_a_name_that_mmengine_could_not_write_down_is_refused_before_the_training(tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b'b\xe4r')
    with pytest.raises(
        UsageError, match='this name is no UTF-8, which mmengine writes it as; choose another `work_dir`'
    ):
        require_work_dir(folder, CONFIG)
    require_work_dir(tmp_path / 'b\xe4r', CONFIG)


def test_a_page_that_no_training_wrote_is_not_replaced(tmp_path: Path) -> None:
    page = tmp_path / 'training.html'
    for text in ('<p>mine</p>', '<meta name="generator" content="mobileone_mm">'):  # the second is an export's
        page.write_text(text)
        with pytest.raises(UsageError, match=r'training\.html: this file is not a page about a training'):
            require_checkpoints_kept(training(tmp_path))
    page.write_text('<meta name="generator" content="mobileone_mm train">')
    require_checkpoints_kept(training(tmp_path))


@pytest.mark.parametrize('name', ['training.html', 'last_checkpoint'])
@pytest.mark.parametrize('target', ['nowhere', 'mine', 'itself'])
def test_nothing_is_written_through_a_symbolic_link(name: str, target: str, tmp_path: Path) -> None:
    folder = tmp_path / 'run'
    folder.mkdir()
    (tmp_path / 'mine').write_text('<meta name="generator" content="mobileone_mm train">')
    (folder / name).symlink_to(name if target == 'itself' else f'../{target}')
    with pytest.raises(UsageError, match=rf'run/{name}: this is a symbolic link, .*; remove it, or choose another'):
        require_checkpoints_kept(training(folder))


@pytest.mark.parametrize('target', ['nowhere.py', 'mine.py', 'ssd.py'])
def test_nor_is_the_config_that_is_kept(target: str, tmp_path: Path) -> None:
    made(tmp_path, 'mine.py', f'{RUN}/vis_data/config.py')
    (tmp_path / 'ssd.py').symlink_to(target)
    with pytest.raises(UsageError, match=r'ssd\.py: this is a symbolic link, .*; remove it, or choose another'):
        require_work_dir(tmp_path, CONFIG)
    (tmp_path / 'own').symlink_to('nowhere')
    for folder in (tmp_path / 'own', tmp_path / 'own/run'):
        with pytest.raises(UsageError, match=r'own.*: .*symbolic link that leads nowhere; remove it, or choose'):
            require_work_dir(folder, CONFIG)


def test_a_second_hook_that_saves_is_guarded_as_the_first(tmp_path: Path) -> None:
    class Mine(CheckpointHook):
        pass

    work, out, other = tmp_path / 'w', tmp_path / 'out', made(tmp_path / 'a', 'epoch_1.pth') / 'epoch_1.pth'
    for kind in ('CheckpointHook', 'mmengine.CheckpointHook', CheckpointHook, Mine):
        config = training(work, other)
        config.custom_hooks = [{'type': 'EMAHook'}, {'type': kind, 'out_dir': str(out)}]
        assert require_checkpoints_kept(config) == [work, out / 'w']
        made(out, 'w/epoch_2.pth')
        with pytest.raises(UsageError, match=r'out/w: holds epoch_2\.pth, and .*another `custom_hooks\.1\.out_dir`'):
            require_checkpoints_kept(config)
        (out / 'w/epoch_2.pth').unlink()
        made(work, 'epoch_2.pth')  # where the default one saves to
        with pytest.raises(UsageError, match=r'w: holds epoch_2\.pth, and .*another `work_dir`'):
            require_checkpoints_kept(config)
        config.load_from = str(work / 'epoch_2.pth')
        require_checkpoints_kept(config)
        (work / 'epoch_2.pth').unlink()
    config = training(work)
    config.default_hooks.second = {'type': 'CheckpointHook', 'out_dir': str(out)}
    config.default_hooks.checkpoint = None
    made(out, 'w/epoch_2.pth')
    with pytest.raises(UsageError, match=r'another `default_hooks\.second\.out_dir`'):
        require_checkpoints_kept(config)


def test_each_hook_has_a_folder(tmp_path: Path) -> None:
    assert saved_to(tmp_path / 'w', [None, tmp_path / 'out', '', tmp_path / 'w', tmp_path / 'out']) == [
        tmp_path / 'w',
        tmp_path / 'out/w',
    ]
    assert saved_to(tmp_path / 'w', []) == [tmp_path / 'w']
