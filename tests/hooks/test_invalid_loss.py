"""A loss that is not a number ends training at once and names the images."""

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.model import BaseModel
from mmengine.runner import Runner
from mmengine.structures import BaseDataElement
from torch.utils.data import DataLoader, Dataset

from mobileone_mm.errors import DataError, MobileOneError

BAD_STEP = 3  # counted from 1
BATCH = 2


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
    """Its accuracy is always NaN, which is nobody's business; its loss follows its input."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(1, 1)

    def forward(self, inputs: torch.Tensor, data_samples: Any, mode: str) -> dict[str, torch.Tensor]:
        assert mode == 'loss'
        return {'decode.loss_ce': self.linear(inputs).square().mean(), 'decode.acc_seg': torch.tensor(float('nan'))}


def collate(items: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        'inputs': torch.stack([item['inputs'] for item in items]),
        'data_samples': [item['data_samples'] for item in items],
    }


def train(folder: Path, value: float, length: int = 20, bad_step: int = BAD_STEP) -> None:
    dataset = Numbered(bad=(bad_step - 1) * BATCH, value=value, length=length)
    Runner(
        Line(),
        work_dir=str(folder),
        train_dataloader=DataLoader(dataset, BATCH, drop_last=True, collate_fn=collate),
        train_cfg={'by_epoch': True, 'max_epochs': 1},
        optim_wrapper={'optimizer': {'type': 'SGD', 'lr': 0.01}},
        default_hooks={'checkpoint': {'type': 'CheckpointHook', 'interval': 1, 'by_epoch': False}},
        custom_hooks=[{'type': 'mobileone_mm.StopOnInvalidLoss'}],
        default_scope='mmengine',
        experiment_name=folder.name,
        log_level='ERROR',
    ).train()


@pytest.mark.parametrize('value', [float('nan'), float('inf')])
def test_stops_at_that_iteration_before_its_weights_are_saved(tmp_path: Path, value: float) -> None:
    with pytest.raises(MobileOneError, match=r'iteration 3: loss = .*loss_ce = \w+ on 4\.jpg, 5\.jpg.*now 0\.01'):
        train(tmp_path, value)
    assert sorted(file.name for file in tmp_path.glob('*.pth')) == ['iter_1.pth', 'iter_2.pth']


@pytest.mark.parametrize(
    ('bad_step', 'message'),
    [(1, 'start again: there is no checkpoint yet$'), (2, 'the last checkpoint with --resume$')],
)
def test_says_resume_only_once_there_is_a_checkpoint(tmp_path: Path, bad_step: int, message: str) -> None:
    with pytest.raises(MobileOneError, match=message):
        train(tmp_path, float('nan'), bad_step=bad_step)


def test_a_finite_loss_and_a_nan_accuracy_go_on_to_the_end(tmp_path: Path) -> None:
    train(tmp_path, 1.0)
    assert (tmp_path / 'iter_10.pth').exists()


def test_a_set_smaller_than_a_batch_is_said_before_the_first_step(tmp_path: Path) -> None:
    with pytest.raises(DataError, match='1 images make no batch of 2'):
        train(tmp_path, 1.0, length=1)


ONE_OF_TWO_RANKS = """
import torch
from types import SimpleNamespace
from mobileone_mm.hooks import StopOnInvalidLoss
torch.distributed.init_process_group('gloo')
rank = torch.distributed.get_rank()
runner = SimpleNamespace(iter=6, work_dir='', optim_wrapper=SimpleNamespace(get_lr=lambda: {'lr': [0.1]}))
batch = {'data_samples': [SimpleNamespace(img_path=f'of_rank_{rank}.jpg')]}
hook = StopOnInvalidLoss()
hook.after_train_iter(runner, 0, batch, {'loss': 1.0})
print('went on')
hook.after_train_iter(runner, 1, batch, {'loss': [1.0, float('nan')][rank]})
"""


def test_all_ranks_stop_together_and_name_the_images_of_the_one_that_failed() -> None:
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        common = {'WORLD_SIZE': '2', 'MASTER_ADDR': '127.0.0.1', 'MASTER_PORT': str(free.getsockname()[1])}
    ranks = [
        subprocess.Popen(
            [sys.executable, '-c', ONE_OF_TWO_RANKS],
            env={**os.environ, **common, 'RANK': str(rank), 'OMP_NUM_THREADS': '1'},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    for output, errors in [rank.communicate(timeout=120) for rank in ranks]:
        assert output == 'went on\n'
        assert 'iteration 7: loss = nan on of_rank_1.jpg. Expected' in errors
