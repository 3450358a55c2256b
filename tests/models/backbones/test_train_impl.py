"""`train_impl` of the whole backbone: in training, between processes, compiled, recomputed, in evaluation."""

import copy
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from mobileone_mm.errors import ConfigError
from mobileone_mm.models.backbones.block import MobileOneBlock
from mobileone_mm.models.backbones.mobileone import MobileOne
from mobileone_mm.parity import FLOAT64_RELATIVE_LIMIT, compare, require
from mobileone_mm.weights.expand import calibrate, expand

ROOT = Path(__file__).parents[3]
TINY = {
    'num_blocks': [1, 2, 2, 1],
    'width_factor': [0.25, 0.125, 0.125, 0.125],
    'num_conv_branches': [2, 1, 4, 2],
    'num_se_blocks': [0, 0, 0, 1],
}
EVERY = {'arch': TINY, 'out_indices': (0, 1, 2, 3), 'se_cfg': {'ratio': 4}}
DEPTHWISE = {'in_channels': 6, 'out_channels': 6, 'kernel_size': 3, 'groups': 6, 'use_skip': True}
POINTWISE = {'in_channels': 6, 'out_channels': 5, 'kernel_size': 1}
FLOAT64 = 1e-9  # relative to the largest entry
RUNS = ('moments', 'auto')

Randomise = Callable[..., nn.Module]


def models(randomise: Randomise, impl: str, **options: Any) -> tuple[MobileOne, MobileOne]:
    """The same weights in branches and in `impl`, float64."""
    branches = randomise(MobileOne(**EVERY, **options)).double()
    other = MobileOne(**EVERY, train_impl=impl, **options).double()
    other.load_state_dict(branches.state_dict(), strict=True)
    assert isinstance(branches, MobileOne)
    return branches.train(), other.train()


def images(*size: int) -> Tensor:
    return torch.rand(*(size or (3, 3, 65, 96)), dtype=torch.float64)


def step(model: nn.Module, x: Tensor) -> dict[str, Tensor]:
    x = x.detach().requires_grad_()
    outputs = model(x)
    outputs = (outputs,) if isinstance(outputs, Tensor) else outputs
    torch.stack([out.square().mean() for out in outputs]).sum().backward()
    gradients = torch.cat([torch.zeros(1), *(p.grad.flatten() for p in model.parameters() if p.grad is not None)])
    assert x.grad is not None
    statistics = torch.cat([buffer.flatten().double() for buffer in model.buffers()])
    return {'input': x.grad, 'parameters': gradients, 'statistics': statistics}


def require_same(expected: dict[str, Tensor], found: dict[str, Tensor]) -> None:
    for name, value in expected.items():
        limit = FLOAT64 * float(value.abs().max())
        torch.testing.assert_close(found[name], value, rtol=0, atol=limit, msg=lambda text, at=name: f'{at}: {text}')


@pytest.mark.parametrize('impl', RUNS)
@pytest.mark.parametrize(
    'options',
    [
        {},
        {'with_cp': True},
        {'norm_eval': True},
        {'frozen_stages': 2},
        {'frozen_stages': 4},
        {'output_stride': 8},
        {'norm_cfg': {'type': 'BN', 'momentum': None, 'eps': 1e-3}, 'with_cp': True},
    ],
    ids=str,
)
def test_a_step_of_the_backbone_is_that_of_the_branches(
    randomise_batch_norm: Randomise, impl: str, options: dict[str, Any]
) -> None:
    branches, other = models(randomise_batch_norm, impl, **options)
    x = images()
    require_same(step(branches, x), step(other, x))


@pytest.mark.parametrize('impl', RUNS)
def test_evaluation_costs_what_the_fused_form_does(randomise_batch_norm: Randomise, impl: str) -> None:
    branches, other = (model.eval() for model in models(randomise_batch_norm, impl))
    fused = copy.deepcopy(branches)
    fused.switch_to_deploy()
    x = images()
    costs = []
    for model in (branches, other, fused):
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            outputs = model(x)
        costs.append(counter.get_total_flops())
        for out, expected in zip(outputs, fused(x), strict=True):
            require(compare(expected.detach(), out), FLOAT64_RELATIVE_LIMIT, 'evaluation')
    assert costs[1] == costs[2] < costs[0]


@pytest.mark.parametrize('shape', [DEPTHWISE, POINTWISE], ids=['depthwise', 'pointwise'])
def test_a_block_compiles_in_one_piece(shape: dict[str, Any]) -> None:
    """Traced with its backward pass, and run by torch itself: no C++ compiler is needed."""
    plain = MobileOneBlock(**shape, num_conv_branches=2, train_impl='moments').double()
    compiled = torch.compile(copy.deepcopy(plain), backend='aot_eager', fullgraph=True)
    x = images(3, 6, 7, 9)
    require_same(step(plain, x), step(compiled, x))


def test_fusing_and_expanding_know_no_difference(randomise_batch_norm: Randomise) -> None:
    branches, moments = models(randomise_batch_norm, 'moments')
    for model in (branches, moments):
        model.eval().switch_to_deploy()
    torch.testing.assert_close(dict(moments.state_dict()), dict(branches.state_dict()), rtol=0, atol=0)
    expanded = MobileOne(**EVERY, train_impl='moments').double()
    expand(expanded, moments.state_dict())
    x = images(4, 3, 64, 64)
    assert calibrate(expanded, [x]).relative < FLOAT64  # training mode computes the fused function


class Classifier(nn.Module):
    def __init__(self, impl: str) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.backbone = MobileOne(TINY, se_cfg={'ratio': 4}, output_stride=8, train_impl=impl)
        self.head = nn.Linear(64, 4)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.backbone(x)[0].mean((2, 3)))
        return logits


def losses(impl: str, shuffled: bool = False) -> Tensor:
    """30 steps of SGD on drawn pictures, float32; `shuffled` sums each batch in another order."""
    model = Classifier(impl)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    generator = torch.Generator().manual_seed(1)
    found = []
    for _ in range(30):
        labels = torch.randint(4, (16,), generator=generator)
        x = torch.randn(16, 3, 48, 48, generator=generator) + 2 * labels.reshape(-1, 1, 1, 1)
        order = torch.randperm(16) if shuffled else torch.arange(16)
        loss = functional.cross_entropy(model(x[order]), labels[order])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        found.append(loss.detach())
    return torch.stack(found)


def test_training_stays_as_close_as_to_itself_with_sums_in_another_order() -> None:
    branches, moments = losses('branches'), losses('moments')
    assert branches[-5:].mean() < 0.95 * branches[:5].mean()  # it learns
    assert (moments - branches)[:8].abs().max() < 1e-5  # until a ReLU turns over, which both do sooner or later
    rounding = (losses('branches', shuffled=True) - branches).abs().mean()
    assert (moments - branches).abs().mean() <= 10 * rounding


def free_port() -> int:
    with socket.socket() as found:
        found.bind(('127.0.0.1', 0))
        return int(found.getsockname()[1])


def test_two_processes_share_statistics_as_one_batch(tmp_path: Path) -> None:
    """SyncBN: more pictures here than there, against the branches on all of them."""
    cases = [
        (shape, way, (5, 6, 7, 9), (3, 2)) for shape, way in product((DEPTHWISE, POINTWISE), ('moments', 'adding'))
    ]
    wide = DEPTHWISE | {'in_channels': 64, 'out_channels': 64, 'groups': 64}
    cases.append((wide, 'auto', (13, 64, 56, 56), (12, 1)))  # each by itself would choose another way
    blocks, given, expected = [], [], []
    for shape, way, size, counts in cases:
        options = {**shape, 'num_conv_branches': 2}
        block = MobileOneBlock(**options).double()
        state = copy.deepcopy(block.state_dict())
        x = images(*size).requires_grad_()
        out = block(x)
        weights = torch.randn_like(out)
        (out * weights).sum().backward()
        inputs = [part.clone() for part in x.detach().split(counts)]
        parts = [part.clone() for part in weights.split(counts)]
        given.append({'block': options, 'way': way, 'state': state, 'inputs': inputs, 'weights': parts})
        blocks.append(block)
        expected.append((out.detach(), x.grad))
    torch.save(given, tmp_path / 'given.pt')
    for block, (out, of_input), *found in zip(blocks, expected, *run_ranks(tmp_path), strict=True):
        close = {'rtol': FLOAT64, 'atol': FLOAT64}
        torch.testing.assert_close(torch.cat([rank['out'] for rank in found]), out, **close)
        torch.testing.assert_close(torch.cat([rank['of_input'] for rank in found]), of_input, **close)
        for name, parameter in block.named_parameters():
            total = sum(rank['gradients'][name] for rank in found)
            torch.testing.assert_close(total, parameter.grad, **close)
        for rank in found:
            torch.testing.assert_close(rank['buffers'], dict(block.named_buffers()), **close)


def run_ranks(folder: Path) -> list[list[dict[str, Any]]]:
    common = os.environ | {'MASTER_ADDR': '127.0.0.1', 'MASTER_PORT': str(free_port()), 'WORLD_SIZE': '2'}
    command = [sys.executable, str(ROOT / 'tests/synced_rank.py'), str(folder / 'given.pt')]
    ranks = [
        subprocess.Popen([*command, str(folder / f'{rank}.pt')], env=common | {'RANK': str(rank)}, cwd=ROOT)
        for rank in range(2)
    ]
    assert [rank.wait(timeout=120) for rank in ranks] == [0, 0]
    return [torch.load(folder / f'{rank}.pt', weights_only=True) for rank in range(2)]  # noqa: TID251 - written above


def test_an_impl_that_there_is_not_is_named() -> None:
    with pytest.raises(ConfigError, match="train_impl='fast' given, expected one of branches, moments, auto"):
        MobileOne(TINY, train_impl='fast')
