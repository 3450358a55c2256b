"""Evaluation on a fused copy, training on the untouched trained form."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.model import MMDistributedDataParallel
from mmengine.registry import HOOKS
from mmengine.runner import Runner
from torch import Tensor

from mobileone_mm import reparam
from mobileone_mm.errors import CheckpointError
from mobileone_mm.weights import checkpoint

FUSE = {'type': 'mobileone_mm.FuseForTestHook'}
PLAIN = {'type': 'mobileone_mm.PlainCheckpointHook'}
EMA = {'type': 'EMAHook', 'momentum': 0.3}
FUSED_LIMIT = 1e-4  # of logits near 1, float32

Build = Callable[..., Runner]


@HOOKS.register_module(force=True)
class Watch(Hook):
    """Keeps what the runner's model was at each step of an evaluation."""

    priority = 'LOWEST'

    def __init__(self) -> None:
        self.evaluated: list[tuple[bool, int]] = []
        self.logits: list[Tensor] = []
        self.states: list[dict[str, Tensor]] = []

    def before_train(self, runner: Runner) -> None:
        self.trained = id(runner.model)

    def before_val(self, runner: Runner) -> None:
        self.states.append(state_of(runner.model))

    def after_val_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        self.evaluated.append((reparam.is_fused(runner.model), id(runner.model)))
        self.logits.append(torch.stack([sample.pred_score for sample in outputs]))

    after_test_iter = after_val_iter

    def after_val(self, runner: Runner) -> None:
        self.states.append(state_of(runner.model))
        assert id(runner.model) == self.trained


def state_of(model: torch.nn.Module) -> dict[str, Tensor]:
    return {key: value.clone() for key, value in model.state_dict().items()}


def watch_of(runner: Runner) -> Watch:
    return next(hook for hook in runner.hooks if isinstance(hook, Watch))


def work_dir(config: Config) -> Path:
    return Path(config.work_dir)


@pytest.mark.parametrize('ema', [[], [EMA]], ids=['plain', 'ema'])
def test_validation_runs_fused_and_training_never_notices(
    ema: list[dict[str, Any]], config: Config, build: Build
) -> None:
    results = []
    for ours in ([FUSE], []):
        runner = build(config, *ema, *ours, PLAIN, {'type': 'Watch'})
        runner.train()
        watch = watch_of(runner)
        assert len(watch.evaluated) == 4  # two epochs of two batches
        assert all(fused == bool(ours) for fused, _ in watch.evaluated)
        for before, after in zip(watch.states[::2], watch.states[1::2], strict=True):
            torch.testing.assert_close(after, before, rtol=0, atol=0)
        results.append(
            (watch.logits, state_of(runner.model), checkpoint.read_checkpoint(work_dir(config) / 'epoch_2.pth'))
        )
    (logits, state, saved), (expected_logits, expected_state, expected_saved) = results
    # Evaluated were the same weights (the averaged ones with EMA), trained and saved was exactly the same.
    torch.testing.assert_close(logits, expected_logits, rtol=0, atol=FUSED_LIMIT)
    torch.testing.assert_close(state, expected_state, rtol=0, atol=0)
    torch.testing.assert_close(saved.state_dict, expected_saved.state_dict, rtol=0, atol=0)
    if ema:
        assert not torch.equal(saved.state_dict['head.fc.weight'], state['head.fc.weight'])


@pytest.mark.parametrize('ema', [[], [EMA]], ids=['plain', 'ema'])
def test_the_best_checkpoint_is_trained_and_resumes(ema: list[dict[str, Any]], config: Config, build: Build) -> None:
    hooks = [*ema, FUSE, PLAIN]
    runner = build(config, *hooks)
    runner.train()
    best = next(work_dir(config).glob('best_*.pth'))
    assert checkpoint.read_checkpoint(best).form == 'trained'
    resumed = build(config, *hooks, resume=True, train_cfg={'max_epochs': 3})
    resumed.train()
    assert resumed.epoch == 3
    assert (work_dir(config) / 'epoch_3.pth').is_file()


def test_the_parity_is_logged_once(config: Config, build: Build, caplog: pytest.LogCaptureFixture) -> None:
    runner = build(config, FUSE, PLAIN, log_level='INFO')
    runner.logger.addHandler(caplog.handler)
    runner.train()
    lines = [record.message for record in caplog.records if 'fused against trained' in record.message]
    assert len(lines) == 1
    assert 'max abs error' in lines[0]


def test_a_data_parallel_wrapper_is_put_back(config: Config, build: Build) -> None:
    runner = build(config, FUSE)
    hook = next(hook for hook in runner.hooks if type(hook).__name__ == 'FuseForTestHook')
    torch.distributed.init_process_group('gloo', init_method='tcp://127.0.0.1:29871', rank=0, world_size=1)
    try:
        wrapper = runner.model = MMDistributedDataParallel(runner.model, device_ids=None)
        hook.before_val_epoch(runner)
        assert reparam.is_fused(runner.model)
        assert not isinstance(runner.model, MMDistributedDataParallel)
        assert hasattr(runner.model, 'val_step')
        hook.after_val_epoch(runner)
        assert runner.model is wrapper
    finally:
        torch.distributed.destroy_process_group()


@pytest.mark.parametrize('kind', ['trained', 'fused config', 'fused file'])
def test_a_test_run_gives_the_same_scores_from_each_file(
    kind: str, finished: tuple[Config, Path], build: Build, tmp_path: Path
) -> None:
    config, folder = finished
    scores = []
    for name, settings in (
        ('epoch_2.pth', config),
        ('epoch_2.pth' if kind == 'trained' else 'epoch_2_fused.pth', config),
    ):
        if kind == 'fused config' and name.endswith('_fused.pth'):
            settings = Config.fromfile(folder / 'epoch_2_fused.py')
        runner = build(settings, FUSE, {'type': 'Watch'}, load_from=str(folder / name), work_dir=str(tmp_path))
        runner.test()
        watch = watch_of(runner)
        assert all(fused for fused, _ in watch.evaluated)
        scores.append(watch.logits)
    torch.testing.assert_close(scores[1], scores[0], rtol=0, atol=FUSED_LIMIT)


def test_a_fused_file_cannot_be_trained_on(finished: tuple[Config, Path], build: Build, tmp_path: Path) -> None:
    config, folder = finished
    fused = str(folder / 'epoch_2_fused.pth')
    with pytest.raises(CheckpointError, match='names a fused file, which cannot be trained'):
        build(config, FUSE, PLAIN, load_from=fused, work_dir=str(tmp_path)).train()


def test_a_trained_file_does_not_load_into_a_fused_config(
    finished: tuple[Config, Path], build: Build, tmp_path: Path
) -> None:
    _, folder = finished
    described = Config.fromfile(folder / 'epoch_2_fused.py')
    with pytest.raises(CheckpointError, match='a trained file given, but this config describes the fused form'):
        build(described, FUSE, load_from=str(folder / 'epoch_2.pth'), work_dir=str(tmp_path)).test()


def test_the_hook_leaves_the_model_it_copies_alone(config: Config, build: Build) -> None:
    runner = build(config, FUSE)
    before = copy.deepcopy(runner.model.state_dict())
    runner.test()
    torch.testing.assert_close(runner.model.state_dict(), before, rtol=0, atol=0)
    assert not reparam.is_fused(runner.model)
