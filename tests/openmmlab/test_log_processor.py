"""What a training logs of its losses: means over steps of one epoch."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch import Tensor, nn

from mobileone_mm.openmmlab.configs import load_config


class Counting(BaseModel):  # type: ignore[misc]
    """Its loss is the number of the step, from 1."""

    def __init__(self) -> None:
        super().__init__()
        self.weight, self.steps = nn.Parameter(torch.zeros(1)), 0

    def forward(self, inputs: Tensor, mode: str = 'loss') -> dict[str, Tensor]:
        self.steps += 1
        return {'loss': self.weight.sum() * 0 + self.steps}


def logged(folder: Path, interval: int, window: int, steps: int, by_epoch: bool = True) -> Sequence[float]:
    """The losses in the log of three epochs of so many steps."""
    processor = dict(load_config('ssd_mobileone_s0').log_processor, window_size=window, by_epoch=by_epoch)
    assert processor['type'] == 'mobileone_mm.LogProcessor'
    loop = {'by_epoch': True, 'max_epochs': 3} if by_epoch else {'by_epoch': False, 'max_iters': 3 * steps}
    runner = Runner(
        Counting(),
        str(folder),
        train_dataloader={
            'dataset': [torch.zeros(1)] * steps,
            'sampler': {'type': 'DefaultSampler' if by_epoch else 'InfiniteSampler', 'shuffle': False},
            'batch_size': 1,
        },
        train_cfg=loop,
        optim_wrapper={'optimizer': {'type': 'SGD', 'lr': 0.1}},
        default_hooks={'logger': {'type': 'LoggerHook', 'interval': interval}, 'checkpoint': None},
        visualizer={'type': 'Visualizer', 'vis_backends': [{'type': 'LocalVisBackend'}]},
        log_processor=processor,
        log_level='ERROR',
        experiment_name=f'{folder.name}',
    )
    runner.train()
    assert runner.log_processor.window_size == window
    (file,) = folder.glob('*/vis_data/scalars.json')
    return [json.loads(line)['loss'] for line in file.read_text().splitlines()]


@pytest.mark.parametrize(
    ('interval', 'window', 'steps', 'expected'),
    [
        (50, 50, 4, [2.5, 6.5, 10.5]),  # of each epoch, not of all so far
        (2, 50, 4, [1.5, 2.5, 5.5, 6.5, 9.5, 10.5]),
        (2, 2, 4, [1.5, 3.5, 5.5, 7.5, 9.5, 11.5]),  # as mmengine's own
        (50, 3, 4, [3, 7, 11]),
    ],
)
def test_a_mean_is_over_steps_of_one_epoch(
    interval: int, window: int, steps: int, expected: list[float], tmp_path: Path
) -> None:
    assert logged(tmp_path / f'{interval}{window}', interval, window, steps) == pytest.approx(expected)


def test_a_loop_that_counts_steps_has_the_last_ones(tmp_path: Path) -> None:
    assert logged(tmp_path / 'steps', 4, 6, 4, by_epoch=False) == pytest.approx([2.5, 5.5, 9.5])
