"""The rule of `train_impl='auto'`: many branches on large maps pay, single branches and small maps do not."""

import pytest
import torch

from mobileone_mm.models.backbones.costs import fastest
from mobileone_mm.models.backbones.taps import Window

DEPTHWISE, POINTWISE = Window(3, 1, 1, 128), Window(1, 1, 1, 1)
BATCH, SIDE = 16, 28


@pytest.mark.parametrize(
    ('window', 'convs', 'others', 'side', 'way'),
    [
        (POINTWISE, 4, 1, SIDE, 'moments'),
        (POINTWISE, 1, 1, SIDE, 'adding'),  # as much for products of the input as for the one convolution saved
        (POINTWISE, 1, 0, SIDE // 2, 'branches'),  # one norm only
        (POINTWISE, 4, 1, 2, 'branches'),  # w^T S w costs the same for however few pixels
        (DEPTHWISE, 4, 2, SIDE, 'moments'),
        (DEPTHWISE, 1, 2, SIDE, 'adding'),  # scale and skip need the input's mean and variance only
        (DEPTHWISE, 8, 2, 2, 'branches'),
        (DEPTHWISE._replace(stride=2), 1, 1, SIDE, 'branches'),
    ],
)
def test_the_rule_tells_cheap_from_dear(window: Window, convs: int, others: int, side: int, way: str) -> None:
    x = torch.zeros(1).expand(BATCH, 128, side, side)
    assert fastest(x, window, 128, convs, others) == way


@pytest.mark.parametrize('window', [DEPTHWISE, POINTWISE])
def test_more_branches_never_speak_for_branches(window: Window) -> None:
    x = torch.zeros(1).expand(BATCH, 128, SIDE, SIDE)
    found = [fastest(x, window, 128, convs, 1) == 'moments' for convs in range(1, 12)]
    assert found == sorted(found)
    assert found[-1]


def test_norms_are_taken_together_on_a_cpu_only() -> None:
    x = torch.empty(BATCH, 128, SIDE, SIDE, device='meta')
    assert fastest(x, DEPTHWISE, 128, 1, 2) == 'branches'
