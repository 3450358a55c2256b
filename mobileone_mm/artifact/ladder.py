"""The ladder: comparisons (*rungs*) from the trained model up to the saved file, each with a limit.

Letters as in `graphs`: N priors, C classes, K confidence columns.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mobileone_mm.errors import ParityError
from mobileone_mm.parity import compare

Array = npt.NDArray[np.float64]

PROBE_THRESHOLD = 0.05  # score; boxes below it are background, and where they lie says nothing


@dataclass(frozen=True)
class Limits:
    """Largest errors that a detector's rows may have: in score, and in px of the input picture."""

    score: float
    box: float


GRAPH_LIMITS = Limits(1e-3, 0.5)  # float32 graph against the trained model in float64
FLOAT32_LIMITS = Limits(1e-4, 0.05)  # saved file executed in float32 against the graph with the same constants
FLOAT16_LIMITS = Limits(0.02, 1.0)  # float16 program against float32 (a trained S0 showed 0.006 and 0.47)
# Compressed weights against the graph; what they cost is for a metric to say, these tell a bad file from a good one.
COMPRESSED_LIMITS: Mapping[str, Limits] = {
    'int8': Limits(0.25, 16.0),
    'palette8': Limits(0.25, 16.0),
    'palette6': Limits(0.5, 32.0),
}


@dataclass(frozen=True)
class Boxes:
    """One picture's raw outputs, no box removed.

    Attributes:
        confidence: (N, C), or (N, K) with columns from C on all zero; 0..1.
        coordinates: (N, 4) centre x, centre y, width, height, fractions of the picture, not clipped.
    """

    confidence: Array
    coordinates: Array


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


Pairs = Sequence[tuple[Boxes, Boxes]]  # of each picture: what is expected, what was found


def row_rungs(
    name: str, pairs: Pairs, input_size: tuple[int, int], limits: Limits, above: float = -math.inf
) -> list[Rung]:
    """Every row against the same row of another form, in score and in px; the worst of all pictures counts.

    Boxes count where the score is above `above` on either side; one that is no finite number counts anywhere.

    Raises:
        ParityError: the numbers of rows or classes differ.
    """
    scores, boxes = _aligned(name, pairs, input_size)
    best = np.maximum(*(side.max(axis=-1) for side in scores))
    error = np.where((best > above)[..., None] | ~np.isfinite(boxes[1]), boxes[1] - boxes[0], 0)
    box = largest(error)
    note = ''
    if not (best > above).any() and not math.isnan(box):
        note = f'not run: no score above {above} in these pictures'
    return [
        Rung(name, largest(scores[1] - scores[0]), limits.score, 'score', psnr_db=_psnr_db(*scores)),
        Rung(name, None if note else box, limits.box, 'px', note, None if note else _psnr_db(*boxes)),
    ]


def _aligned(name: str, pairs: Pairs, input_size: tuple[int, int]) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    """Scores and boxes in px of both sides, (pictures, N, K) and (pictures, N, 4); padding is expected to be zero."""
    expected, found = zip(*pairs, strict=True)
    rows, classes = expected[0].confidence.shape
    columns = found[0].confidence.shape[1]
    if len(found[0].confidence) != rows or columns < classes:
        raise ParityError(f'{name}: {found[0].confidence.shape} rows given, {expected[0].confidence.shape} expected')
    padding = ((0, 0), (0, columns - classes))
    pixels = np.array((*input_size, *input_size))
    return (
        (np.stack([np.pad(one.confidence, padding) for one in expected]), np.stack([one.confidence for one in found])),
        (
            np.stack([one.coordinates * pixels for one in expected]),
            np.stack([one.coordinates * pixels for one in found]),
        ),
    )


def _psnr_db(expected: Array, found: Array) -> float | None:
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
    """The ladder as text: one line a rung."""
    lines = [f'{"rung":42} {"worst":>9} {"limit":>9}  {"unit":12} {"PSNR dB":>7}']
    for rung in rungs:
        value = '-' if rung.value is None else f'{rung.value:.1e}'
        psnr_db = '' if rung.psnr_db is None else f'{rung.psnr_db:.0f}'
        note = f'  ({rung.note})' if rung.note else ''
        lines.append(f'{rung.name:42} {value:>9} {rung.limit:>9.1e}  {rung.unit:12} {psnr_db:>7}{note}'.rstrip())
    return '\n'.join(lines)


def as_dicts(rungs: Iterable[Rung]) -> tuple[dict[str, Any], ...]:
    """Rungs as JSON can hold them."""
    return tuple(asdict(rung) for rung in rungs)
