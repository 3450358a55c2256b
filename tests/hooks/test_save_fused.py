"""Fused files beside the checkpoints: which ones, that they load everywhere, and when they go again."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner

from mobileone_mm import reparam
from mobileone_mm.openmmlab import configs, open_model
from mobileone_mm.outputs import file_sha256

SAVE = {'type': 'mobileone_mm.SaveFusedHook'}
PLAIN = {'type': 'mobileone_mm.PlainCheckpointHook'}
FUSED_LIMIT = 1e-4  # of logits near 1, float32

Build = Callable[..., Runner]


@HOOKS.register_module(force=True)
class DeleteOther(Hook):
    """Deletes other.pth during training."""

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        (Path(runner.work_dir) / 'other.pth').unlink(missing_ok=True)


DELETE = {'type': 'DeleteOther'}


def work_dir(config: Config) -> Path:
    return Path(config.work_dir)


def test_fused_files_lie_beside_last_and_best_and_load_everywhere(finished: tuple[Config, Path]) -> None:
    config, folder = finished
    names = {path.name for path in folder.glob('*_fused.*')}
    best = next(path for path in folder.glob('best_*.pth') if not path.stem.endswith('_fused'))
    assert names == {'epoch_2_fused.pth', 'epoch_2_fused.py', f'{best.stem}_fused.pth', f'{best.stem}_fused.py'}

    trained, fused = folder / 'epoch_2.pth', folder / 'epoch_2_fused.pth'
    described = Config.fromfile(folder / 'epoch_2_fused.py')
    model, source = open_model.open_model(described, fused)
    assert reparam.is_fused(model)
    block = source.meta['mobileone_mm']
    assert block['kind'] == 'fused'
    assert block['classes'] == ['bright', 'dark']
    assert block['source_sha256'] == file_sha256(trained)
    assert block['parity'] <= 1e-4
    images = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        expected = open_model.open_model(config, trained)[0](images, mode='tensor')
        torch.testing.assert_close(model(images, mode='tensor'), expected, rtol=0, atol=FUSED_LIMIT)
    # Without any hook of ours, as another tool would load it.
    plain = configs.build_model(described)
    plain.load_state_dict(torch.load(fused, weights_only=True)['state_dict'], strict=True)  # noqa: TID251


def test_fused_files_go_with_the_checkpoint_that_a_resumed_run_deletes(config: Config, build: Build) -> None:
    folder = work_dir(config)
    keep_last = {'checkpoint': {'max_keep_ckpts': 1}}
    build(config, SAVE, PLAIN, train_cfg={'max_epochs': 1}, default_hooks=keep_last).train()
    assert (folder / 'epoch_1_fused.py').is_file()
    mine = folder / 'mine_fused.pth'  # its checkpoint is gone before this run: the user's business
    shutil.copy(folder / 'epoch_1_fused.pth', mine)
    foreign = folder / 'other_fused.pth'  # deleted beside, but not written by us
    foreign.write_text('notes')
    (folder / 'other.pth').write_text('')
    build(config, SAVE, PLAIN, DELETE, resume=True, default_hooks=keep_last).train()
    assert not (folder / 'epoch_1.pth').exists()
    assert not (folder / 'other.pth').exists()
    assert {path.name for path in folder.glob('*_fused.*') if not path.name.startswith('best')} == {
        'epoch_2_fused.pth',
        'epoch_2_fused.py',
        'mine_fused.pth',
        'other_fused.pth',
    }


@pytest.mark.parametrize('name', ['epoch_1_fused.pth', 'epoch_1_fused.py'])
def test_a_file_of_the_users_stays_where_a_fused_one_would_be_written(
    name: str, config: Config, build: Build, caplog: pytest.LogCaptureFixture
) -> None:
    folder = work_dir(config)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text('mine')
    runner = build(config, SAVE, PLAIN, train_cfg={'max_epochs': 1}, log_level='INFO')
    runner.logger.addHandler(caplog.handler)
    runner.train()
    assert (folder / name).read_text() == 'mine'
    assert len(list(folder.glob('epoch_1_fused.*'))) == 1
    (warning,) = (line.message for line in caplog.records if 'epoch_1.pth was not written' in line.message)
    assert f'{name}: this file is not ' in warning
    assert list(folder.glob('best_*_fused.pth'))  # the others are


def test_a_config_of_the_users_stays_when_a_fused_file_goes(config: Config, build: Build) -> None:
    folder = work_dir(config)
    keep_last = {'checkpoint': {'max_keep_ckpts': 1}}
    build(config, SAVE, PLAIN, train_cfg={'max_epochs': 1}, default_hooks=keep_last).train()
    (folder / 'epoch_1_fused.py').write_text('mine')
    build(config, SAVE, PLAIN, resume=True, default_hooks=keep_last).train()
    assert not (folder / 'epoch_1_fused.pth').exists()
    assert (folder / 'epoch_1_fused.py').read_text() == 'mine'


def contents(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Of the fused files in a folder: when each was written, and what it holds."""
    return {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.glob('*_fused.*')}


def test_a_run_resumed_in_a_copy_of_a_work_folder_leaves_the_original_alone(
    config: Config, build: Build, tmp_path: Path
) -> None:
    original, copied = work_dir(config), tmp_path / 'copied'
    build(config, SAVE, PLAIN, train_cfg={'max_epochs': 1}).train()
    shutil.copytree(original, copied)
    before = contents(original)
    assert any(name.startswith('best_') for name in before)
    for name in before:
        (copied / name).unlink()
    # Without validation the best checkpoint stays the one that the original saved, by its absolute path.
    options: dict[str, Any] = {'train_cfg': {'max_epochs': 2, 'val_begin': 9}, 'work_dir': str(copied)}
    resumed = build(config, SAVE, PLAIN, resume=True, **options)
    resumed.train()
    assert resumed.epoch == 2
    assert contents(original) == before
    best = {name for name in before if name.startswith('best_')}
    assert set(contents(copied)) == {'epoch_2_fused.pth', 'epoch_2_fused.py', *best}


def test_checkpoints_that_a_config_saves_elsewhere_get_their_fused_files_there(
    config: Config, build: Build, tmp_path: Path
) -> None:
    elsewhere = {'checkpoint': {'out_dir': str(tmp_path / 'elsewhere')}}
    build(config, SAVE, PLAIN, train_cfg={'max_epochs': 1}, default_hooks=elsewhere).train()
    assert {path.name for path in (tmp_path / 'elsewhere' / work_dir(config).name).glob('epoch_1*')} == {
        'epoch_1.pth',
        'epoch_1_fused.pth',
        'epoch_1_fused.py',
    }
    assert not list(work_dir(config).glob('*_fused.*'))
