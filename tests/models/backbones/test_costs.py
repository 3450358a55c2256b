"""The rule of `train_impl='auto'`: many branches on large maps pay, single branches and small maps do not."""

import pytest
import torch

from mobileone_mm.models.backbones.costs import moments_pay
from mobileone_mm.models.backbones.taps import Window

DEPTHWISE, POINTWISE = Window(3, 1, 1, 128), Window(1, 1, 1, 1)
BATCH, SIDE = 16, 28


@pytest.mark.parametrize(
    ('window', 'convs', 'others', 'side', 'pays'),
    [
        (POINTWISE, 4, 1, SIDE, True),
        (POINTWISE, 1, 1, SIDE, False),  # as much for products of the input as for the one convolution saved
        (POINTWISE, 4, 1, 2, False),  # w^T S w costs the same for however few pixels
        (DEPTHWISE, 4, 2, SIDE, True),
        (DEPTHWISE, 1, 2, SIDE, False),
        (DEPTHWISE, 8, 2, 2, False),
    ],
)
def test_the_rule_tells_cheap_from_dear(window: Window, convs: int, others: int, side: int, pays: bool) -> None:
    x = torch.empty(BATCH, 128, side, side, device='meta')
    assert moments_pay(x, window, 128, convs, others) == pays


@pytest.mark.parametrize('window', [DEPTHWISE, POINTWISE])
def test_more_branches_never_speak_for_branches(window: Window) -> None:
    x = torch.empty(BATCH, 128, SIDE, SIDE, device='meta')
    found = [moments_pay(x, window, 128, convs, 1) for convs in range(1, 12)]
    assert found == sorted(found)
    assert found[-1]
