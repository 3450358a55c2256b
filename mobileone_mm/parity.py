"""How far a candidate is from its reference, as numbers that a gate can hold. NumPy only."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from mobileone_mm.errors import ParityError

# Rounding grows with depth; these were set from whole fused S0-S4 networks and leave about a factor of ten.
FLOAT64_RELATIVE_LIMIT = 1e-10  # max abs error / range of the reference
FLOAT32_RELATIVE_LIMIT = 1e-5  # max abs error / range of the reference


@dataclass(frozen=True)
class Parity:
    """Distance between two arrays of one shape.

    Attributes:
        max_abs: largest absolute difference, in the unit of the arrays; NaN or infinite if either array is.
        scale: range of the reference, max - min (max abs where all entries are equal, 1 where they are all zero).
        psnr_db: 20 log10(scale / RMS difference); infinite for equal arrays.
        size: number of compared entries.
    """

    max_abs: float
    scale: float
    psnr_db: float
    size: int

    @property
    def relative(self) -> float:
        """`max_abs` as a fraction of `scale`."""
        return self.max_abs / self.scale

    def __str__(self) -> str:
        return (
            f'max abs error {self.max_abs:.2e} = {self.relative:.1e} of the range {self.scale:.3g}'
            f', PSNR {self.psnr_db:.1f} dB'
        )


def compare(reference: ArrayLike, candidate: ArrayLike) -> Parity:
    """Measure `candidate` against `reference`, both cast to float64.

    Raises:
        ParityError: the shapes differ (broadcasting would hide it), or there is nothing to compare.
    """
    expected = np.asarray(reference, dtype=np.float64)
    actual = np.asarray(candidate, dtype=np.float64)
    if expected.shape != actual.shape:
        raise ParityError(f'shape {actual.shape} given, {expected.shape} expected')
    if expected.size == 0:
        raise ParityError(f'nothing to compare: both arrays are empty, shape {expected.shape}')
    with np.errstate(invalid='ignore', over='ignore'):
        difference = np.abs(expected - actual)
        max_abs = float(difference.max())
        scale = float(expected.max() - expected.min()) or float(np.abs(expected).max()) or 1.0
        rms = float(np.sqrt(np.square(difference).mean()))
    if not (math.isfinite(max_abs) and math.isfinite(scale)):
        return Parity(math.nan, scale, math.nan, expected.size)
    psnr_db = math.inf if rms == 0 else 20 * math.log10(scale / rms)
    return Parity(max_abs, scale, psnr_db, expected.size)


def worst(parities: list[Parity]) -> Parity:
    """The parity with the largest relative error; one with NaN wins over all."""
    if not parities:
        raise ParityError('nothing to compare: no outputs given')
    return max(parities, key=lambda p: math.inf if math.isnan(p.relative) else p.relative)


def require(parity: Parity, relative_limit: float, what: str) -> Parity:
    """Return `parity` if its relative error is within the limit.

    Raises:
        ParityError: it is not, or is NaN (hence the positive form of the test).
    """
    if not parity.relative <= relative_limit:
        raise ParityError(f'{what}: {parity}; limit {relative_limit:.1e} of the range')
    return parity
