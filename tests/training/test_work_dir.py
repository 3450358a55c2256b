"""A training replaces nothing of the user's."""

import os
import re
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import CheckpointHook

from mobileone_mm.errors import UsageError
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


def stored(path: Path, run: str | None) -> Path:
    """A checkpoint of a run, which is named after the time it began at."""
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save({'meta': {'experiment_name': f'my_{run}'} if run else {}, 'state_dict': {'w': torch.zeros(1)}}, path)
    return path


OTHER_RUN = '20261123_120000'


@pytest.mark.parametrize('run', [OTHER_RUN, None, 'cut'])
@pytest.mark.parametrize('source', [True, 'epoch_1.pth'])
def test_a_second_hooks_folder_is_gone_on_in_only_with_what_this_training_saved_there(
    source: bool | str, run: str | None, tmp_path: Path
) -> None:
    work, second = made(tmp_path / 'w', f'{RUN}/x.log', 'epoch_1.pth'), tmp_path / 'out/w'
    (work / 'last_checkpoint').write_text(str(work / 'epoch_1.pth'))
    config = training(work, work / source if isinstance(source, str) else source)
    config.custom_hooks = [{'type': 'CheckpointHook', 'out_dir': str(tmp_path / 'out')}]
    stored(second / 'epoch_1.pth', RUN)
    assert require_checkpoints_kept(config) == [work, second]
    path = stored(second / 'epoch_2.pth', run)
    if run == 'cut':
        path.write_bytes(b'another')
    with pytest.raises(
        UsageError,
        match=r'out/w: holds epoch_2\.pth, and .*nothing says that this training saved it; .*`custom_hooks\.0\.out',
    ):
        require_checkpoints_kept(config)


def test_a_training_goes_on_from_either_of_its_folders(tmp_path: Path) -> None:
    work, second = made(tmp_path / 'w', f'{RUN}/x.log', 'epoch_1.pth'), tmp_path / 'out/w'
    path = stored(second / 'epoch_2.pth', RUN)
    config = training(work, source=True)
    config.custom_hooks = [{'type': 'CheckpointHook', 'out_dir': str(tmp_path / 'out')}]
    (work / 'last_checkpoint').write_text(str(path))
    require_checkpoints_kept(config)
    config.load_from = str(stored(path, OTHER_RUN))
    with pytest.raises(UsageError, match=r'w: holds epoch_1\.pth, and a training that goes on from .*`work_dir`'):
        require_checkpoints_kept(config)


NAMES = {
    'mine_{}.ckpt': ('mine_1.ckpt', 'best_coco_bbox_mAP_mine_3.ckpt', 'epoch_1.pth'),
    '{:03d}': ('001', 'best_acc_001'),
    'a[1]_{0}.pt': ('a[1]_7.pt',),
    'A.bin': ('A.bin', 'best_acc_A.bin'),
}


@pytest.mark.parametrize(
    ('template', 'name'), [(template, name) for template, names in NAMES.items() for name in names]
)
def test_checkpoints_are_kept_whatever_the_config_calls_them(template: str, name: str, tmp_path: Path) -> None:
    folder = made(tmp_path / 'w', 'mine.ckpt', 'notes_1.txt', 'a1_7.pt')
    require_checkpoints_kept(training(folder, filename_tmpl=template))
    made(folder, name)
    with pytest.raises(UsageError, match=rf'w: holds {re.escape(name)}, and a new training may replace'):
        require_checkpoints_kept(training(folder, filename_tmpl=template))
    require_checkpoints_kept(training(folder, folder / name, filename_tmpl=template))


@pytest.mark.parametrize(
    'template',
    ['../../ck2/w/epoch_{}.pth', '/ck2/{}.pth', 'sub/{}.pth', '..', 'epoch_{.pth', '{}_{}.pth', '{epoch}.pth'],
)
def test_a_template_that_gives_no_file_name_is_refused(template: str, tmp_path: Path) -> None:
    with pytest.raises(
        UsageError,
        match=rf"`default_hooks\.checkpoint\.filename_tmpl`: '{re.escape(template)}' given, expected a file name with "
        r"one \{\} for the epoch or step, such as 'epoch_\{\}\.pth'",
    ):
        require_checkpoints_kept(training(tmp_path / 'w', filename_tmpl=template))


def test_a_hook_without_a_name_for_its_folder_is_guarded_where_it_saves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    made(tmp_path / 'w', 'epoch_2.pth')  # mmengine joins '' and the last name of the work dir
    with pytest.raises(UsageError, match=r'^w: holds epoch_2\.pth, .*another `default_hooks\.checkpoint\.out_dir`'):
        require_checkpoints_kept(training(tmp_path / 'runs/w', out_dir=''))
