"""A loss that is not a number ends training with its iteration and images, and costs a step nothing."""

import os
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from mmengine.evaluator import BaseMetric
from mmengine.model import BaseModel
from mmengine.optim import OptimWrapper
from mmengine.registry import OPTIM_WRAPPERS
from mmengine.runner import Runner
from mmengine.structures import BaseDataElement
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.data import DataLoader, Dataset

from mobileone_mm.errors import ConfigError, DataError, MobileOneError
from mobileone_mm.hooks import StopOnInvalidLoss

BAD_STEP = 3  # counted from 1
BATCH = 2
NAN = float('nan')
PLAIN = {'type': 'mobileone_mm.PlainCheckpointHook'}
EVERY_STEP = {'type': 'CheckpointHook', 'interval': 1, 'by_epoch': False}
EVERY_EPOCH = {'type': 'CheckpointHook', 'interval': 1}


class Numbered(Dataset[dict[str, Any]]):
    """Item i is 1, its image is called i.jpg; item `bad` is `value`."""

    def __init__(self, bad: int, value: float, length: int = 20) -> None:
        self.bad, self.value, self.length = bad, value, length

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> dict[str, Any]:
        sample = BaseDataElement(metainfo={'img_path': f'{index}.jpg'})
        return {'inputs': torch.tensor([self.value if index == self.bad else 1.0]), 'data_samples': sample}


class Line(BaseModel):
    """Its accuracy is always NaN, which is nobody's business; its loss follows its input.

    The gradient of its root is infinite at the input 0, and NaN after the chain rule, while the loss stays finite.
    """

    def __init__(self) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(1, 1)

    def forward(self, inputs: torch.Tensor, data_samples: Any, mode: str) -> Any:
        if mode == 'predict':
            return data_samples
        root = (self.linear.weight.abs() * inputs).sqrt().mean()
        return {'decode.loss_ce': self.linear(inputs).square().mean() + root, 'decode.acc_seg': torch.tensor(NAN)}


class Rising(BaseMetric):
    """Better every time, so that every validation has a best checkpoint."""

    default_prefix, times = 'rising', 0

    def process(self, data_batch: Any, data_samples: Any) -> None:
        self.results.append(0)

    def compute_metrics(self, results: Any) -> dict[str, float]:
        self.times += 1
        return {'score': float(self.times)}


@OPTIM_WRAPPERS.register_module()
class ScaledOptimWrapper(OptimWrapper):  # type: ignore[misc]  # mmengine is untyped
    """mmengine's AmpOptimWrapper in little: that one wants a GPU. Its first scale overflows and is halved."""

    def __init__(self, init_scale: float, **options: Any) -> None:
        super().__init__(**options)
        self.scaler = torch.amp.GradScaler('cpu', init_scale=init_scale)

    def backward(self, loss: torch.Tensor, **options: Any) -> None:
        self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]

    def step(self, **options: Any) -> None:
        self.scaler.step(self.optimizer)
        self.scaler.update()


def collate(items: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        'inputs': torch.stack([item['inputs'] for item in items]),
        'data_samples': [item['data_samples'] for item in items],
    }


def build(
    folder: Path,
    value: float,
    *hooks: dict[str, Any],
    length: int = 20,
    bad_step: int = BAD_STEP,
    checkpoint: dict[str, Any] = EVERY_EPOCH,
    interval: int = 50,
    **options: Any,
) -> Runner:
    """A runner of 10 steps, the `bad_step`th of them (from 1) with an item of `value`."""
    dataset = Numbered(bad=(bad_step - 1) * BATCH, value=value, length=length)
    settings = {
        'train_cfg': {'by_epoch': True, 'max_epochs': 1},
        'optim_wrapper': {'optimizer': {'type': 'SGD', 'lr': 0.01}},
        **options,
    }
    return Runner(
        Line(),
        work_dir=str(folder),
        train_dataloader=DataLoader(dataset, BATCH, drop_last=True, collate_fn=collate),
        default_hooks={'checkpoint': checkpoint},
        custom_hooks=[{'type': 'mobileone_mm.StopOnInvalidLoss', 'interval': interval}, *hooks],
        default_scope='mmengine',
        experiment_name=str(folder),
        log_level='ERROR',
        **settings,
    )


def saved(folder: Path) -> list[str]:
    """Names of the checkpoints, all of which have to be sound."""
    for file in folder.glob('*.pth'):
        state = torch.load(file, weights_only=False)['state_dict']  # noqa: TID251 - written by this test
        assert all(weight.isfinite().all() for weight in state.values()), file
    return sorted(file.name for file in folder.glob('*.pth'))


@pytest.mark.parametrize('value', [NAN, float('inf')])
def test_names_the_iteration_and_its_images_at_the_end_of_the_epoch(tmp_path: Path, value: float) -> None:
    found = r'\(the first of 8 between 1 and 10\) gave loss = (\w+), decode\.loss_ce = \1 on 4\.jpg, 5\.jpg\.'
    with pytest.raises(MobileOneError, match=rf'^training stopped: iteration 3 {found} Expected .* \(now 0\.01\)'):
        build(tmp_path, value).train()
    assert saved(tmp_path) == []


EMA = {'type': 'EMAHook'}
ACCUMULATED = {'optim_wrapper': {'optimizer': {'type': 'SGD', 'lr': 0.01}, 'accumulative_counts': 4}}
ITERATIONS = {'train_cfg': {'by_epoch': False, 'max_iters': 10}}


@pytest.mark.parametrize(
    ('hooks', 'options', 'count'),
    [
        ([EMA], {}, 4),
        ([], ACCUMULATED, 3),  # the weights take the spoilt gradient in after step 4, whose loss is sound
        ([], ITERATIONS, 4),
    ],
    ids=['ema', 'accumulated', 'iterations'],
)
def test_checks_every_interval(tmp_path: Path, hooks: list[Any], options: dict[str, Any], count: int) -> None:
    runner = build(tmp_path, NAN, *hooks, interval=6, **options)
    found = rf'iteration 3 \(the first of {count} between 1 and 6\) gave loss = nan, .* on 4\.jpg, 5\.jpg\.'
    with pytest.raises(MobileOneError, match=found):
        runner.train()
    assert runner.iter == 5  # the sixth, which mmengine counts once its hooks are through
    assert saved(tmp_path) == []


@pytest.mark.parametrize('options', [{}, ITERATIONS], ids=['epochs', 'iterations'])
def test_checks_before_a_checkpoint_and_before_the_last_sound_one_is_deleted(
    tmp_path: Path, options: dict[str, Any]
) -> None:
    checkpoint = {**EVERY_STEP, 'interval': 2, 'max_keep_ckpts': 1}
    with pytest.raises(MobileOneError, match=r'iteration 3 \(the first of 2 between 3 and 4\)'):
        build(tmp_path, NAN, checkpoint=checkpoint, **options).train()
    assert saved(tmp_path) == ['iter_2.pth']


@pytest.mark.parametrize('by_epoch', [True, False])
def test_checks_before_the_last_checkpoint(tmp_path: Path, by_epoch: bool) -> None:
    checkpoint = {'type': 'CheckpointHook', 'interval': -1, 'by_epoch': by_epoch}
    with pytest.raises(MobileOneError, match=r'iteration 3 \(the first of 8 between 1 and 10\)'):
        build(tmp_path, NAN, checkpoint=checkpoint, **ITERATIONS).train()
    assert saved(tmp_path) == []


def test_checks_before_a_validation_and_its_best_checkpoint(tmp_path: Path) -> None:
    metric = Rising()
    checkpoint = {'type': 'CheckpointHook', 'interval': 100, 'by_epoch': False, 'save_best': 'rising/score'}
    runner = build(
        tmp_path,
        NAN,
        checkpoint={**checkpoint, 'rule': 'greater'},
        train_cfg={'by_epoch': False, 'max_iters': 10, 'val_interval': 2},
        val_dataloader=DataLoader(Numbered(bad=-1, value=1.0), BATCH, collate_fn=collate),
        val_cfg={},
        val_evaluator=[metric],
    )
    with pytest.raises(MobileOneError, match=r'iteration 3 \(the first of 2 between 3 and 4\)'):
        runner.train()
    assert metric.times == 1
    assert saved(tmp_path) == ['best_rising_score_iter_2.pth']


def test_stops_at_that_iteration_where_each_is_saved(tmp_path: Path) -> None:
    with pytest.raises(MobileOneError, match=r'stopped: iteration 3 gave loss = nan, .* on 4\.jpg, 5\.jpg'):
        build(tmp_path, NAN, checkpoint=EVERY_STEP).train()
    assert saved(tmp_path) == ['iter_1.pth', 'iter_2.pth']


def test_weights_that_a_gradient_spoils_are_not_saved_though_every_loss_is_finite(tmp_path: Path) -> None:
    checkpoint = {**EVERY_STEP, 'interval': BAD_STEP}
    found = r'iteration 3 \(the only one between 1 and 3\) gave weights that are not finite on 4\.jpg, 5\.jpg'
    with pytest.raises(MobileOneError, match=found):
        build(tmp_path, 0.0, checkpoint=checkpoint).train()
    assert saved(tmp_path) == []


SCALED = {'type': 'ScaledOptimWrapper', 'init_scale': 2.0**127, 'optimizer': {'type': 'SGD', 'lr': 0.01}}


def test_a_gradient_scaler_that_looks_for_its_scale_is_no_fault(tmp_path: Path) -> None:
    runner = build(tmp_path, 1.0, checkpoint=EVERY_STEP, optim_wrapper=SCALED)
    before = runner.model.linear.weight.item()
    runner.train()
    scaler = runner.optim_wrapper.scaler
    assert scaler.get_scale() < SCALED['init_scale']  # an infinite gradient was met and left out
    assert runner.model.linear.weight.item() != before
    assert 'iter_10.pth' in saved(tmp_path)


def test_a_loss_that_a_gradient_scaler_leaves_out_is_a_fault_still(tmp_path: Path) -> None:
    with pytest.raises(MobileOneError, match=r'iteration 3 \(the only one between 1 and 10\) gave loss = nan'):
        build(tmp_path, NAN, optim_wrapper={**SCALED, 'init_scale': 2.0**10}).train()


def test_a_resumed_run_counts_on(tmp_path: Path) -> None:
    build(tmp_path / 'first', 1.0, PLAIN).train()
    assert saved(tmp_path / 'first') == ['epoch_1.pth']
    start = {'load_from': str(tmp_path / 'first/epoch_1.pth'), 'resume': True}
    runner = build(tmp_path, NAN, PLAIN, train_cfg={'by_epoch': True, 'max_epochs': 2}, **start)
    with pytest.raises(MobileOneError, match=r'iteration 13 \(the first of 8 between 11 and 20\) .* on 4\.jpg, 5\.jpg'):
        runner.train()


@pytest.mark.parametrize(
    ('bad_step', 'message'),
    [(1, 'start again: there is no checkpoint yet$'), (2, 'the last checkpoint with `resume`$')],
)
def test_says_resume_only_once_there_is_a_checkpoint(tmp_path: Path, bad_step: int, message: str) -> None:
    with pytest.raises(MobileOneError, match=message):
        build(tmp_path, NAN, bad_step=bad_step, checkpoint=EVERY_STEP).train()


def test_a_finite_loss_and_a_nan_accuracy_go_on_to_the_end(tmp_path: Path) -> None:
    build(tmp_path, 1.0, checkpoint=EVERY_STEP).train()
    assert 'iter_10.pth' in saved(tmp_path)


def test_a_set_smaller_than_a_batch_is_said_before_the_first_step_in_mmengines_loop_too(tmp_path: Path) -> None:
    with pytest.raises(DataError, match='1 training images make no batch of 2'):
        build(tmp_path, 1.0, length=1).train()


@pytest.mark.parametrize('interval', [0, -1, 2.5, '50', None])
def test_an_interval_is_a_count(interval: Any) -> None:
    with pytest.raises(ConfigError, match=rf'interval={interval!r} given, expected a number of iterations'):
        StopOnInvalidLoss(interval)


def test_a_step_between_checks_reads_nothing() -> None:
    """Losses on the meta device have no values: whatever reads one (item, bool, tolist, cpu, ...) raises."""
    hook = StopOnInvalidLoss(interval=4)
    losses = {'loss': torch.empty((), device='meta'), 'loss_cls': torch.empty(3, device='meta'), 'acc': 'unread'}
    runner = SimpleNamespace(iter=0, hooks=[], model=torch.nn.Linear(1, 1))
    for runner.iter in range(3):
        hook.after_train_iter(runner, 0, {}, losses)
    with pytest.raises(NotImplementedError, match='meta'):
        hook.after_train_iter(runner, 3, {}, losses)


class Waits(TorchDispatchMode):
    """Counts reads of a tensor's value and exchanges between ranks."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = self.exchanges = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.reads += func is torch.ops.aten._local_scalar_dense.default
        self.exchanges += func.namespace == 'c10d'
        return func(*args, **(kwargs or {}))


def train_one_of_two_ranks(folder: str) -> None:
    """Rank 1 meets the NaN, in step 7 of checks at 4 and 8; prints what each step of the hook waited for."""
    torch.set_num_threads(1)
    torch.distributed.init_process_group('gloo')  # mmengine's own start-up asks for a CUDA device
    rank = torch.distributed.get_rank()
    runner = build(
        Path(folder),
        [1.0, NAN][rank],
        bad_step=7,
        interval=4,
        launcher='pytorch',
        cfg={'model_wrapper_cfg': {'type': 'MMDistributedDataParallel', 'device_ids': None}},
    )
    hook = next(hook for hook in runner.hooks if isinstance(hook, StopOnInvalidLoss))
    step = hook.after_train_iter

    def watched(*args: Any, **kwargs: Any) -> None:
        with Waits() as waits:
            try:
                step(*args, **kwargs)
            finally:
                print(runner.iter + 1, waits.reads > 0, waits.exchanges > 0)

    hook.after_train_iter = watched
    runner.train()


def test_two_ranks_stop_together_and_exchange_nothing_between_checks(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        common = {'WORLD_SIZE': '2', 'MASTER_ADDR': '127.0.0.1', 'MASTER_PORT': str(free.getsockname()[1])}
    start = f'import sys; sys.path[:0] = [{str(Path(__file__).parent)!r}]; import {Path(__file__).stem} as here\n'
    ranks = [
        subprocess.Popen(
            [sys.executable, '-c', f'{start}here.train_one_of_two_ranks({str(tmp_path)!r})'],
            env={**os.environ, **common, 'RANK': str(rank), 'LOCAL_RANK': str(rank), 'OMP_NUM_THREADS': '1'},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    steps = [f'{step} {step % 4 == 0} {step % 4 == 0}' for step in range(1, 9)]
    for output, errors in [rank.communicate(timeout=120) for rank in ranks]:
        assert output.splitlines() == steps, errors[-3000:]
        found = 'iteration 7 (the first of 2 between 5 and 8) gave loss = nan, decode.loss_ce = nan on 12.jpg, 13.jpg.'
        assert f'MobileOneError: training stopped: {found} Expected' in errors
    assert saved(tmp_path) == []
