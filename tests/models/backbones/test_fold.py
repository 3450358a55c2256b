"""Folding against the layers themselves, in float64."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from mobileone_mm.errors import FuseError
from mobileone_mm.models.backbones import fold

EXACT = {'rtol': 1e-12, 'atol': 1e-12}  # float64 rounding of a dozen additions


@pytest.mark.parametrize('bias', [False, True])
@pytest.mark.parametrize(('kernel_size', 'groups'), [(1, 1), (3, 1), (3, 4), (3, 2)])
def test_fold_norm_equals_convolution_then_norm(randomise_batch_norm, kernel_size, groups, bias):
    conv = nn.Conv2d(4, 8, kernel_size, padding=kernel_size // 2, groups=groups, bias=bias).double()
    norm = randomise_batch_norm(nn.BatchNorm2d(8, eps=1e-3).double().eval())
    x = torch.randn(2, 4, 7, 5, dtype=torch.float64)
    kernel, shift = fold.fold_norm(conv.weight, conv.bias, norm)
    folded = functional.conv2d(x, kernel, shift, padding=kernel_size // 2, groups=groups)
    torch.testing.assert_close(folded, norm(conv(x)), **EXACT)


def test_fold_norm_without_gamma_and_beta(randomise_batch_norm):
    conv = nn.Conv2d(2, 3, 1, bias=False).double()
    norm = randomise_batch_norm(nn.BatchNorm2d(3, affine=False).double().eval())
    x = torch.randn(2, 2, 4, 4, dtype=torch.float64)
    torch.testing.assert_close(functional.conv2d(x, *fold.fold_norm(conv.weight, None, norm)), norm(conv(x)), **EXACT)


def test_fold_norm_without_statistics_is_refused():
    with pytest.raises(FuseError, match='track_running_stats=True'):
        fold.fold_norm(torch.ones(3, 2, 1, 1), None, nn.BatchNorm2d(3, track_running_stats=False))


@pytest.mark.parametrize('kernel_size', [1, 3, 5])
def test_padded_pointwise_kernel_is_the_centre_tap(kernel_size):
    kernel = torch.randn(3, 2, 1, 1, dtype=torch.float64)
    x = torch.randn(1, 2, 6, 5, dtype=torch.float64)
    padded = functional.conv2d(x, fold.pad_pointwise(kernel, kernel_size), padding=kernel_size // 2)
    torch.testing.assert_close(padded, functional.conv2d(x, kernel), **EXACT)


@pytest.mark.parametrize(('channels', 'groups'), [(1, 1), (6, 1), (6, 2), (6, 6)])
def test_identity_kernel_copies_its_input(channels, groups):
    kernel = fold.identity_kernel(channels, groups, nn.BatchNorm2d(channels))
    x = torch.randn(2, channels, 3, 4, dtype=torch.float64)
    torch.testing.assert_close(functional.conv2d(x, kernel, groups=groups), x, rtol=0, atol=0)


def test_add_is_the_sum_of_the_branches():
    branches = [fold.Affine(torch.randn(3, 2, 3, 3).double(), torch.randn(3).double()) for _ in range(3)]
    x = torch.randn(1, 2, 5, 5, dtype=torch.float64)
    expected = torch.stack([functional.conv2d(x, *branch) for branch in branches]).sum(0)
    torch.testing.assert_close(functional.conv2d(x, *fold.add(branches)), expected, **EXACT)
