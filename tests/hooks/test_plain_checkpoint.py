"""Checkpoints that load with `weights_only=True`, resume more than once, and keep what the resumed run needs."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import CheckpointHook
from mmengine.registry import HOOKS
from mmengine.runner import Runner
from odd_names import NAMES

from mobileone_mm.errors import CheckpointError, UsageError

PLAIN = {'type': 'mobileone_mm.PlainCheckpointHook'}
EMA = {'type': 'EMAHook', 'momentum': 0.3}


@HOOKS.register_module()
class KeepsTheFirst(CheckpointHook):  # type: ignore[misc]
    """mmengine lets downstream packages bring rules."""

    rule_map = {'first': lambda new, best: best == 0}  # noqa: RUF012 - as mmengine's
    init_value_map = {'first': 0}  # noqa: RUF012


def test_mmengines_own_still_need_it(config: Config, build: Callable[..., Runner]) -> None:
    # When mmengine mends it, this turns red and the hook can go.
    build(config, train_cfg={'max_epochs': 1}).train()
    with pytest.raises(Exception, match='Unsupported global'):
        torch.load(Path(config.work_dir) / 'epoch_1.pth', weights_only=True)  # noqa: TID251


def test_resumed_twice_it_remembers_the_best(config: Config, build: Callable[..., Runner]) -> None:
    # The first epoch's checkpoint stays the best: the resumed runs do not validate.
    build(config, EMA, PLAIN, train_cfg={'max_epochs': 1}).train()
    first = torch.load(Path(config.work_dir) / 'epoch_1.pth', weights_only=True)  # noqa: TID251
    best = first['message_hub']['runtime_info']
    assert type(best['best_score']) is float
    assert 'classes' in first['meta']['dataset_meta']
    assert 'optimizer' in first
    for epochs in (2, 3):
        runner = build(config, EMA, PLAIN, resume=True, train_cfg={'max_epochs': epochs, 'val_begin': 100})
        runner.train()
        assert runner.epoch == epochs
        stored = torch.load(Path(config.work_dir) / f'epoch_{epochs}.pth', weights_only=True)  # noqa: TID251
        assert stored['message_hub']['runtime_info']['best_score'] == best['best_score']
        assert stored['message_hub']['runtime_info']['best_ckpt'] == best['best_ckpt']


@pytest.mark.parametrize('save_best', ['accuracy/top1', 'auto'])
@pytest.mark.parametrize('hooks', [[], [PLAIN]])
def test_of_equal_scores_the_last_is_the_best(
    hooks: list[dict[str, str]], save_best: str, config: Config, build: Callable[..., Runner]
) -> None:
    config.optim_wrapper.optimizer.lr = 0.0
    config.default_hooks = {'checkpoint': {'type': 'CheckpointHook', 'save_best': save_best}}
    build(config, *hooks).train()
    (best,) = Path(config.work_dir).glob('best_*.pth')
    assert best.stem.endswith('epoch_2' if hooks else 'epoch_1')  # mmengine's own keeps the first


def test_of_equal_scores_of_which_the_lowest_counts_the_last_is_the_best(
    config: Config, build: Callable[..., Runner]
) -> None:
    config.optim_wrapper.optimizer.lr = 0.0
    config.default_hooks.checkpoint.rule = 'less'
    build(config, PLAIN).train()
    (best,) = Path(config.work_dir).glob('best_*.pth')
    assert best.stem.endswith('epoch_2')


def test_a_kind_of_checkpoint_hook_with_rules_of_its_own_keeps_them(
    config: Config, build: Callable[..., Runner]
) -> None:
    config.optim_wrapper.optimizer.lr = 0.0
    config.default_hooks.checkpoint.update(type='KeepsTheFirst', rule='first')
    build(config, PLAIN).train()
    (best,) = Path(config.work_dir).glob('best_*.pth')
    assert best.stem.endswith('epoch_1')


def test_a_resumed_run_is_the_unbroken_one(config: Config, build: Callable[..., Runner]) -> None:
    # Same data order in both: the sampler's seed goes by the epoch.
    hooks = [EMA, PLAIN, {'type': 'DistSamplerSeedHook'}]
    unbroken = build(config, *hooks)
    unbroken.train()
    other = config.copy()
    other.work_dir = str(Path(config.work_dir).with_name('other'))
    build(other, *hooks, train_cfg={'max_epochs': 1}).train()
    resumed = build(other, *hooks, resume=True)
    resumed.train()
    torch.testing.assert_close(resumed.model.state_dict(), unbroken.model.state_dict(), rtol=0, atol=0)


def test_a_copy_of_a_work_folder_goes_on_by_itself(
    config: Config, build: Callable[..., Runner], tmp_path: Path
) -> None:
    original, copied = Path(config.work_dir), tmp_path / 'copied'
    build(config, PLAIN, train_cfg={'max_epochs': 1}).train()
    (best,) = original.glob('best_*.pth')
    shutil.copytree(original, copied)
    # In the copy any score will be a better one, so that its best checkpoint is replaced.
    contents = torch.load(copied / 'epoch_1.pth', weights_only=True)  # noqa: TID251
    contents['message_hub']['runtime_info']['best_score'] = -1.0
    torch.save(contents, copied / 'epoch_1.pth')
    before = {path: path.read_bytes() for path in original.rglob('*.pth')}
    resumed = build(config, PLAIN, resume=True, work_dir=str(copied))
    resumed.train()
    assert resumed.epoch == 2
    assert {path: path.read_bytes() for path in original.rglob('*.pth')} == before
    assert [path.name for path in copied.glob('best_*.pth')] == [best.name.replace('epoch_1', 'epoch_2')]


def test_a_folder_that_was_moved_goes_on(config: Config, build: Callable[..., Runner], tmp_path: Path) -> None:
    build(config, PLAIN, train_cfg={'max_epochs': 1}).train()
    Path(config.work_dir).rename(tmp_path / 'moved')
    resumed = build(config, PLAIN, resume=True, work_dir=str(tmp_path / 'moved'))
    resumed.train()
    assert resumed.epoch == 2
    assert not Path(config.work_dir).exists()


def test_a_damaged_checkpoint_is_not_gone_on_from(config: Config, build: Callable[..., Runner]) -> None:
    build(config, PLAIN, train_cfg={'max_epochs': 1}).train()
    path = Path(config.work_dir) / 'epoch_1.pth'
    weight = torch.load(path, weights_only=True)['state_dict']['backbone.stage0.rbr_conv.0.conv.weight']  # noqa: TID251
    damaged = path.read_bytes().replace(weight.numpy().tobytes(), (weight * 2).numpy().tobytes())
    assert damaged != path.read_bytes()
    path.write_bytes(damaged)
    with pytest.raises(CheckpointError, match=r'epoch_1\.pth: this file is damaged \(its checksum says so of'):
        build(config, PLAIN, resume=True).train()


def test_a_config_in_a_checkpoint_is_not_run(config: Config, build: Callable[..., Runner], tmp_path: Path) -> None:
    build(config, PLAIN, train_cfg={'max_epochs': 1}).train()
    path = Path(config.work_dir) / 'epoch_1.pth'
    checkpoint = torch.load(path, weights_only=True)  # noqa: TID251 - written above
    checkpoint['meta']['config'] = f'open({str(tmp_path / "run")!r}, "w").close()'
    torch.save(checkpoint, path)
    resumed = build(config, PLAIN, resume=True)
    resumed.train()
    assert resumed.epoch > 1
    assert not (tmp_path / 'run').exists()


@pytest.mark.parametrize('name', ['epoch_2.pth', 'best_accuracy_top1_epoch_2.pth'])
def test_what_cannot_be_written_stops_a_resumed_run_before_its_first_step(
    name: str, config: Config, build: Callable[..., Runner]
) -> None:
    build(config, PLAIN, train_cfg={'max_epochs': 1}).train()
    folder = Path(config.work_dir)
    first = folder / 'epoch_1.pth'
    first.rename(folder.parent / 'moved.pth')  # to another disk
    first.symlink_to('../moved.pth')
    (folder / name).symlink_to('../elsewhere')
    (folder / name.replace('2', '3')).symlink_to('../elsewhere')  # beyond the end
    resumed = build(config, PLAIN, resume=True)
    with pytest.raises(UsageError, match=rf'{name}: this is a symbolic link, and nothing is written through one'):
        resumed.train()
    assert resumed.iter == 2  # as many as it had
    (folder / name).unlink()
    build(config, PLAIN, resume=True).train()
    assert (folder / 'epoch_2.pth').is_file()
    assert first.is_symlink()


def test_a_checkpoint_names_the_run_that_saved_it(config: Config, build: Callable[..., Runner]) -> None:
    first = build(config, PLAIN, train_cfg={'max_epochs': 1})
    first.train()
    stored = torch.load(Path(config.work_dir) / 'epoch_1.pth', weights_only=True)  # noqa: TID251 - written above
    assert stored['meta']['run'] == first.timestamp
    assert (Path(config.work_dir) / first.timestamp).is_dir()


def test_what_mmengine_keeps_of_a_config_is_read_as_the_same(config: Config, build: Callable[..., Runner]) -> None:
    """As `mim train` runs it: names that mmengine would replace on reading stay what they are."""
    visualizer = {'type': 'Visualizer', 'vis_backends': [{'type': 'LocalVisBackend'}]}
    build(config, PLAIN, train_cfg={'max_epochs': 1}, visualizer=visualizer, names=list(NAMES)).train()
    work_dir = Path(config.work_dir)
    kept = [*work_dir.glob('*.py'), *work_dir.glob('*/vis_data/config.py')]
    assert len(kept) == 2
    for file in kept:
        assert '{{' not in file.read_text()
        assert list(Config.fromfile(file).names) == list(NAMES)
    stored = torch.load(work_dir / 'epoch_1.pth', weights_only=True)  # noqa: TID251
    assert list(Config.fromstring(stored['meta']['cfg'], '.py').names) == list(NAMES)
