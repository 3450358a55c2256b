"""The ladder: comparisons (*rungs*) from the trained model up to the saved file, each with a limit."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mobileone_mm.artifact.columns import wrapped
from mobileone_mm.errors import ParityError
from mobileone_mm.parity import compare

Array = npt.NDArray[Any]

# What readers see instead of the names that files keep: `{}` is how weights are stored. At most 42 characters.
PLAIN_NAMES: Mapping[str, str] = {
    'trained -> fused, float64': 'fused = trained',
    'trained -> graph, float32': 'exported graph = trained',
    'graph -> saved package, constants': "stored weights = the model's",
    'graph -> saved package, {} constants': "{} weights close to the model's",
    'graph -> saved package, float32': 'saved file executed in float32 = graph',
    'graph -> saved package, float16': 'saved file in its own float16 = graph',
    'saved package, float32 -> float16': 'saved file in its own float16 = float32',
    'graph -> saved package, {} weights': 'file with {} weights close to graph',
    'graph -> saved file, ONNX Runtime': 'saved file in ONNX Runtime = graph',
    'saved package, largest value': 'largest value fits float16',
    'saved file, suppression': 'suppression keeps the right boxes',
    'executed here -> Core ML': 'Core ML itself (macOS)',
    'stored probe -> saved file': 'saved file finds what its export found',
}


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


def plain_name(name: str) -> str:
    """What a reader sees instead of a rung's name; the name itself if no table knows it."""
    if name in PLAIN_NAMES:
        return PLAIN_NAMES[name]
    for pattern, plain in PLAIN_NAMES.items():
        before, marked, after = pattern.partition('{}')
        if marked and name.startswith(before) and name.endswith(after):
            return plain.format(name[len(before) : len(name) - len(after)])
    return name


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
            raise ParityError(
                f'{plain_name(rung.name)}: {rung.value:.2e} {rung.unit}, limit {rung.limit:g} {rung.unit}{note}'
            )


def table(rungs: Iterable[Rung]) -> str:
    """The ladder as text: one line a rung, and its note below it, indented; 80 columns. A name stands there once."""
    lines = [f'{"check":42} {"worst":>7} {"limit":>7}  {"unit":9} {"PSNR dB":>7}']
    above = ''
    for rung in rungs:
        name = '' if rung.name == above else plain_name(rung.name)
        above = rung.name
        value = '-' if rung.value is None else f'{rung.value:.1e}'
        psnr_db = '' if rung.psnr_db is None else f'{rung.psnr_db:.0f}'
        lines.append(f'{name:42} {value:>7} {rung.limit:>7.1e}  {rung.unit:9} {psnr_db:>7}'.rstrip())
        lines += wrapped(rung.note, '    ')
    return '\n'.join(lines)


def as_dicts(rungs: Iterable[Rung]) -> tuple[dict[str, Any], ...]:
    """Rungs as JSON can hold them."""
    return tuple(asdict(rung) for rung in rungs)
