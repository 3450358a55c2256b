"""The ladder: comparisons (*rungs*) from the trained model up to the saved file, each with a limit."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from mobileone_mm.artifact.card import FAILED
from mobileone_mm.artifact.columns import wrapped
from mobileone_mm.errors import ParityError
from mobileone_mm.parity import compare

Array = npt.NDArray[Any]

PROBE_RUNG = 'stored probe -> saved file'
# What readers see instead of the names that files keep: `{}` is how weights are stored. At most 42 characters.
PLAIN_NAMES: Mapping[str, str] = {
    'trained -> fused, float64': 'fused = trained',
    'trained -> graph, layer by layer': 'exported graph = trained, layer by layer',
    'trained -> graph, float32': 'exported graph = trained',
    'graph -> saved package, constants': "stored weights = the model's",
    'graph -> saved package, {} constants': "{} weights close to the model's",
    'graph -> saved package, layer by layer': 'saved file = graph, layer by layer',
    'graph -> saved package, float32': 'saved file executed in float32 = graph',
    'graph -> saved package, float16': 'saved file in its own float16 = graph',
    'saved package, float32 -> float16': 'saved file in its own float16 = float32',
    'graph -> saved package, {} weights': 'file with {} weights close to graph',
    'graph -> saved file, layer by layer': 'saved file = graph, layer by layer',
    'graph -> saved file, ONNX Runtime': 'saved file in ONNX Runtime = graph',
    'saved package, largest value': 'largest value fits float16',
    'saved file, suppression': 'suppression keeps the right boxes',
    'executed here -> Core ML': 'Core ML itself (macOS)',
    PROBE_RUNG: 'saved file finds what its export found',
}

# Units that a reader of the table may not know.
UNITS: Mapping[str, str] = {
    'of range': 'as a fraction of the largest output minus the smallest',
    'of max': "as a fraction of the layer's largest output",
    'of number': 'as a fraction of each stored number',
    'magnitude': 'the largest absolute value',
}
NO_NUMBER = 'NaN'  # and infinity, in the table
REPORT_IT = 'unless a layer of your own is the cause, this is our defect: please report it, with the config'
CONVERTER = 'the converter changed the model: another version of {} may not'
IN_FLOAT32 = '`precision` fp32 computes in float32, `fp32_ops` single layers'
PICTURES = 'train the model first, or check on pictures like those it is for (`images`)'
ROUNDING = f'if it holds layer by layer, it is rounding: {PICTURES}'
# What helps where a check fails, by the beginning of the rung's name; empty where the rung's note says it.
CURES: Mapping[str, str] = {
    'trained -> graph, float32': ROUNDING,
    'saved package, largest value': '',
    'graph -> saved package, constants': 'the converter changed a weight, or it is of another model: export it again; '
    'another version of coremltools may leave it as it is',
    'graph -> saved package, layer by layer': CONVERTER.format('coremltools'),
    'graph -> saved package, float32': ROUNDING,
    'graph -> saved package, float16': IN_FLOAT32,
    'saved package, float32 -> float16': IN_FLOAT32,
    'executed here -> Core ML': IN_FLOAT32,
    'graph -> saved package, int8': '`weights` fp16 stores them as they are, palette8 is as small and often closer',
    'graph -> saved package, palette': '`weights` fp16 stores them as they are, palette8 more exactly than palette6',
    'graph -> saved file, layer by layer': CONVERTER.format('onnxscript'),
    'graph -> saved file, ONNX Runtime': ROUNDING,
    'stored probe -> saved file': 'the file was changed since, or is of another version: export it again',
}


@dataclass(frozen=True)
class Rung:
    """One comparison. `value` is None where it could not be made, and `note` says why.

    Attributes:
        psnr_db: of all that was compared, where it is rows; None for equal ones.
        cure: what is likely to help if it does not hold; empty where its name alone says that (`CURES`).
        rounding: the type that has to round for it to be where it is, if it holds in a widened limit alone (`room`).
    """

    name: str
    value: float | None
    limit: float
    unit: str
    note: str = ''
    psnr_db: float | None = None
    cure: str = ''
    rounding: str = ''

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


def first_failed(rungs: Iterable[Rung]) -> Rung | None:
    """The first rung that was climbed and does not hold."""
    return next((rung for rung in rungs if rung.value is not None and not rung.holds), None)


def require_rungs(rungs: Iterable[Rung], otherwise: str = '') -> None:
    """Stop at the first rung that was climbed and does not hold; `otherwise` is what can be done without a cure.

    Raises:
        ParityError: with the rung, its value, its limit and what is likely to help.
    """
    rung = first_failed(rungs)
    if rung is not None:
        why = '; '.join(filter(None, [rung.note, cure_of(rung)]))
        what = f'{plain_name(rung.name)}: {_beyond(rung)}{f" ({why})" if why else ""}'
        raise ParityError('; '.join(filter(None, [what, otherwise])))


def failure(rung: Rung) -> str:
    """What a rung that does not hold comes to, in a line: the verdict on its file."""
    return f'{FAILED}: {plain_name(rung.name)} ({_beyond(rung)})'


def cure_of(rung: Rung) -> str:
    """What is likely to help where a rung fails; empty where its note says it."""
    if rung.cure:
        return rung.cure
    return next((cure for name, cure in CURES.items() if rung.name.startswith(name)), REPORT_IT)


def _beyond(rung: Rung) -> str:
    value, limit = _apart(rung)
    found = 'no number' if value == NO_NUMBER else f'{value} {rung.unit}'
    return f'{found}, limit {limit} {rung.unit}'


def _apart(rung: Rung) -> tuple[str, str]:
    """The value of a rung and the limit that it is beyond, with as many digits as it takes to tell them apart."""
    value, limit = rung.value, rung.limit
    assert value is not None
    if not math.isfinite(value):
        return NO_NUMBER, f'{limit:g}'
    for digits in range(2, 18):  # 17 tell any two doubles apart
        shown, most = f'{value:.{digits}g}', f'{limit:.{max(digits, 6)}g}'
        if float(shown) > float(most):
            break
    return shown, most


def table(rungs: Iterable[Rung]) -> str:
    """The ladder as text: one line a rung, and its note below it, indented; 80 columns. A name stands there once."""
    lines = [f'{"check":42} {"worst":>7} {"limit":>7}  {"unit":9} {"PSNR dB":>7}']
    above = ''
    for rung in rungs:
        name = '' if rung.name == above else plain_name(rung.name)
        above = rung.name
        value = '-' if rung.value is None else f'{rung.value:.1e}' if rung.holds else _apart(rung)[0]
        psnr_db = '' if rung.psnr_db is None else f'{rung.psnr_db:.0f}'
        lines.append(f'{name:42} {value:>7} {rung.limit:>7.1e}  {rung.unit:9} {psnr_db:>7}'.rstrip())
        if rung.value is not None and not rung.holds:
            lines.append(f'    {FAILED}')
        lines += wrapped(rung.note, '    ')
    return '\n'.join(lines)


def legend(rungs: Iterable[Rung]) -> str:
    """What the units of a ladder mean that do not say it themselves, in 80 columns; empty where there are none."""
    units = dict.fromkeys(rung.unit for rung in rungs if rung.unit in UNITS)
    return '\n'.join(wrapped('; '.join(f'{unit}: {UNITS[unit]}' for unit in units), '  ', '')) if units else ''


def as_dicts(rungs: Iterable[Rung]) -> tuple[dict[str, Any], ...]:
    """Rungs as JSON can hold them: what is no number is null, and the note says so."""
    return tuple(_as_dict(rung) for rung in rungs)


def _as_dict(rung: Rung) -> dict[str, Any]:
    if not math.isfinite(rung.value or 0):
        rung = replace(rung, value=None, note='; '.join(filter(None, ['failed: no number', rung.note])))
    fields = asdict(rung)
    del fields['cure'], fields['rounding']  # of use to who prints them
    return fields
