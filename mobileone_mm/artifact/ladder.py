"""The ladder: comparisons (*rungs*) from the trained model up to the saved file, each with a limit."""

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mobileone_mm.artifact.columns import wrapped
from mobileone_mm.errors import ParityError
from mobileone_mm.parity import compare

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Rung:
    """One comparison. `value` is None where it could not be made, and `note` says why.

    Attributes:
        psnr_db: of all that was compared, where it is rows; None for equal ones.
    """

    name: str
    value: float | None
    limit: float
    unit: str
    note: str = ''
    psnr_db: float | None = None

    @property
    def holds(self) -> bool:
        """Whether it was made and is within its limit; NaN is not."""
        return self.value is not None and self.value <= self.limit


def psnr_of(expected: Array, found: Array) -> float | None:
    """Of two arrays, in dB; None for equal ones, and where there are no numbers."""
    psnr_db = compare(expected, found).psnr_db
    return psnr_db if math.isfinite(psnr_db) else None


def largest(differences: Array) -> float:
    """The largest magnitude; NaN if any entry is no finite number."""
    # NumPy's max of all, since Python's loses a NaN that is not the first.
    found = float(np.abs(differences).max())
    return found if math.isfinite(found) else math.nan


def require_rungs(rungs: Iterable[Rung]) -> None:
    """Stop at the first rung that was climbed and does not hold.

    Raises:
        ParityError: with the rung, its value and its limit.
    """
    for rung in rungs:
        if rung.value is not None and not rung.holds:
            note = f' ({rung.note})' if rung.note else ''
            raise ParityError(f'{rung.name}: {rung.value:.2e} {rung.unit}, limit {rung.limit:g} {rung.unit}{note}')


def table(rungs: Iterable[Rung]) -> str:
    """The ladder as text: one line a rung, and its note below it, indented; 80 columns."""
    lines = [f'{"check":42} {"worst":>7} {"limit":>7}  {"unit":9} {"PSNR dB":>7}']
    for rung in rungs:
        value = '-' if rung.value is None else f'{rung.value:.1e}'
        psnr_db = '' if rung.psnr_db is None else f'{rung.psnr_db:.0f}'
        lines.append(f'{rung.name:42} {value:>7} {rung.limit:>7.1e}  {rung.unit:9} {psnr_db:>7}'.rstrip())
        lines += wrapped(rung.note, '    ')
    return '\n'.join(lines)


def as_dicts(rungs: Iterable[Rung]) -> tuple[dict[str, Any], ...]:
    """Rungs as JSON can hold them."""
    return tuple(asdict(rung) for rung in rungs)
