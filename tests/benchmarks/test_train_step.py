"""The benchmark of training steps: what is trained, what is counted, and against what."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from mobileone_mm.models.backbones.block import MobileOneBlock
from mobileone_mm.models.backbones.mobileone import MobileOne
from timing import timed
from train_step import IMPLS, SWEEP, Row, plot_of_sweep, settings, table_of, table_of_sweep
from trained_networks import FUSED, Task, Trainable, blocks, stepper
from training_cost_plot import figure_of

TASK = Task('s0', None, 2, 32, 'cpu', None, channels_last=False, compiled=False, threads=1)
SHAPE = (2, 4, 6, 5)


def block(**options: Any) -> MobileOneBlock:
    return MobileOneBlock(4, 4, 3, groups=4, num_conv_branches=2, **options)


@pytest.mark.parametrize('make', [block, lambda: Trainable(block(deploy=True))], ids=['trained', FUSED])
@pytest.mark.parametrize('options', [{}, {'channels_last': True}, {'amp': 'bfloat16'}], ids=str)
def test_a_step_trains(make: Any, options: dict[str, Any]) -> None:
    network: nn.Module = make()
    before = [parameter.detach().clone() for parameter in network.parameters()]
    assert len(timed(stepper(network, SHAPE, replace(TASK, **options), inner=True), 3)) == 3
    after = list(network.parameters())
    assert all(parameter.grad is None for parameter in after)
    moved = [not torch.equal(old, new) for old, new in zip(before, after, strict=True)]
    assert all(moved) or (len(moved) > 2 and any(moved))  # scale's kernel hardly moves a depthwise norm


def test_k_is_that_of_all_stages() -> None:
    assert TASK.arch_dict()['num_conv_branches'] == [4] * 4
    assert replace(TASK, k=8).arch_dict()['num_conv_branches'] == [8] * 4


def test_blocks_are_those_of_the_network_each_shape_once() -> None:
    found = blocks(TASK)
    assert found[0][:2] == ('stage0', (2, 3, 32, 32))
    assert len({(shape, *options.values()) for _, shape, options in found}) == len(found)
    network = MobileOne('s0')
    for name, shape, options in found:
        built = MobileOneBlock(**options)
        assert built.state_dict().keys() == network.get_submodule(name).state_dict().keys()
        assert shape[0] == 2
        assert shape[1] == options['in_channels']


def test_the_table_has_ratios_to_mmpretrain_or_to_the_first() -> None:
    rows = [Row('branches', [3.0, 1.0, 2.0], 300.0), Row('mmpretrain', [4.0], 600.0)]
    assert table_of(rows).splitlines()[2:] == [
        '| branches | 2.0 (1.0) | 0.50 | 300 | 0.50 |',
        '| mmpretrain | 4.0 (4.0) | 1.00 | 600 | 1.00 |',
    ]
    assert table_of(rows[:1]).splitlines()[2] == '| branches | 2.0 (1.0) | 1.00 | 300 | 1.00 |'


def cases() -> list[tuple[str, int | None, list[Row]]]:
    return [
        (arch, k, [Row('mmpretrain', [4.0], 600.0), Row('auto', [1.0 if k else 3.0], 300.0)])
        for arch, k in (('s0', 1), ('s0', 4), ('s1', None))
    ]


def test_the_sweep_has_a_line_for_each_network() -> None:
    assert len(SWEEP) == 8
    assert {arch for arch, _ in SWEEP} == {'s0', 's1', 's2', 's3', 's4'}
    assert table_of_sweep(cases()).splitlines() == [
        '|  | mmpretrain, ms | auto, ms | mmpretrain, MiB | auto, MiB |',
        '| --- | --- | --- | --- | --- |',
        '| MobileOne-S0, k = 1 | 4 (1.00) | 1 (0.25) | 600 (1.00) | 300 (0.50) |',
        '| MobileOne-S0, k = 4 | 4 (1.00) | 1 (0.25) | 600 (1.00) | 300 (0.50) |',
        '| MobileOne-S1 | 4 (1.00) | 3 (0.75) | 600 (1.00) | 300 (0.50) |',
    ]


def test_the_plot_has_a_line_for_each_implementation_over_k() -> None:
    pytest.importorskip('matplotlib')
    assert plot_of_sweep(cases()).startswith(b'\x89PNG')
    figure = figure_of({'step, ms': {'auto': [(1, 10.0), (4, 12.0)]}})
    (line,) = figure.axes[0].lines
    assert line.get_label() == 'auto'
    assert line.get_xydata().tolist() == [[1.0, 10.0], [4.0, 12.0]]
    assert figure.axes[0].get_ylim()[0] == 0


def test_settings_say_what_was_trained() -> None:
    words = settings(replace(TASK, k=8, amp='bfloat16'), 2, 3, others=-0.1)
    assert words['network'] == 'MobileOne-S0, k = 8'
    assert words['input'] == '2 x 3 x 32 x 32, bfloat16, contiguous'
    assert words['other processes'].startswith('0.00 cores')
    assert words['runs'].startswith('2 rounds of 3 steps')


def test_every_implementation_can_be_asked_for() -> None:
    assert IMPLS == ('mmpretrain', 'branches', 'moments', 'auto', 'fused')
