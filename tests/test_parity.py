"""The measure and the gate: values by hand, and nothing that is not a number gets through."""

import math

import numpy as np
import pytest

from mobileone_mm.errors import ParityError
from mobileone_mm.parity import Parity, compare, require, worst


@pytest.mark.parametrize(
    ('reference', 'candidate', 'max_abs', 'scale', 'psnr_db'),
    [
        ([0, 4], [0, 4], 0, 4, math.inf),
        ([0, 4], [1, 4], 1, 4, 20 * math.log10(4 / math.sqrt(0.5))),
        ([-1, 1], [-1, 1.5], 0.5, 2, 20 * math.log10(2 / math.sqrt(0.125))),
        ([3, 3], [3, 2], 1, 3, 20 * math.log10(3 / math.sqrt(0.5))),  # constant: its size stands for the range
        ([0, 0], [0, 0.25], 0.25, 1, 20 * math.log10(1 / math.sqrt(0.03125))),  # all zero: one
    ],
)
def test_compare_by_hand(
    reference: list[float], candidate: list[float], max_abs: float, scale: float, psnr_db: float
) -> None:
    parity = compare(reference, candidate)
    assert (parity.max_abs, parity.scale, parity.size) == (max_abs, scale, 2)
    assert parity.psnr_db == pytest.approx(psnr_db)
    assert parity.relative == max_abs / scale


def test_bytes_are_cast_before_they_are_subtracted() -> None:
    parity = compare(np.array([0, 255], np.uint8), np.array([1, 254], np.uint8))
    assert parity.max_abs == 1  # 0 - 1 is 255 in bytes


@pytest.mark.parametrize(
    ('reference', 'candidate', 'message'),
    [
        (np.zeros((4, 4)), np.zeros((4, 1)), r'shape \(4, 1\) given, \(4, 4\) expected'),  # would broadcast
        (np.zeros(0), np.zeros(0), 'nothing to compare'),
    ],
)
def test_what_cannot_be_compared_is_refused(reference: np.ndarray, candidate: np.ndarray, message: str) -> None:
    with pytest.raises(ParityError, match=message):
        compare(reference, candidate)


@pytest.mark.parametrize('bad', [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize('side', ['reference', 'candidate', 'both'])
def test_nan_and_infinity_never_pass(bad: float, side: str) -> None:
    reference = [0, bad] if side != 'candidate' else [0, 1]
    candidate = [0, bad] if side != 'reference' else [0, 1]
    with pytest.raises(ParityError, match=r'logits: .* limit 1\.0e\+30 of the range'):
        require(compare(reference, candidate), 1e30, 'logits')


def parity(relative: float) -> Parity:
    return Parity(relative, 1.0, 60.0, 1)


def test_the_limit_itself_passes_and_more_does_not() -> None:
    assert require(parity(1e-5), 1e-5, 'x') == parity(1e-5)
    with pytest.raises(ParityError, match=r'^x: max abs error 1\.10e-05 = 1\.1e-05 of the range 1, PSNR 60\.0 dB; lim'):
        require(parity(1.1e-5), 1e-5, 'x')


@pytest.mark.parametrize(
    ('relatives', 'expected'), [([1e-3], 1e-3), ([1e-6, 1e-3, 1e-4], 1e-3), ([1e-6, math.nan, 1e9], math.nan)]
)
def test_the_worst_is_the_largest_and_nan_is_worse(relatives: list[float], expected: float) -> None:
    assert worst([parity(relative) for relative in relatives]).relative == pytest.approx(expected, nan_ok=True)


def test_the_worst_of_nothing_is_refused() -> None:
    with pytest.raises(ParityError, match='no outputs'):
        worst([])
