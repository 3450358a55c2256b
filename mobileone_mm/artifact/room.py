"""Limits with room for what rounding alone does to a model.

A model can be so badly conditioned, untrained ones most of all, that the last digits decide: then two right forms of it
are further apart than any fixed limit. How far rounding moves it is measured on its graph (`tasks.rounding`), never on
the file that is judged.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace

from mobileone_mm.artifact.ladder import Rung

Noise = Mapping[str, Mapping[str, float]]  # how far rounding to a type moves outputs: by the type, then by the unit

# Two right forms round differently, and neither as what was measured: of 25 detectors (trained, untrained, badly
# scaled, S0 to S4) on four pictures each, ONNX Runtime was at most 4.4 times as far from the graph as float64 is, and
# float16 at most 3.2 times as far when each value was rounded up or down by chance instead of to the nearest.
ROOM = 8
FLOAT32, FLOAT16 = 'float32', 'float16'


def rounded_to(step: str, noise: Noise) -> str:
    """The type that a step rounds to: 'graph' and 'float32' to float32, all others to what the program computes in."""
    return FLOAT16 if FLOAT16 in noise and step not in ('graph', FLOAT32) else FLOAT32


def widened(rungs: Iterable[Rung], step: str, noise: Noise, most: Mapping[str, float]) -> list[Rung]:
    """Rungs of a step whose limits leave room for `noise`, up to `most` of each unit, beyond which they say nothing.

    A float16 rung that is beyond that fails, since float32 helps. A float32 rung is not judged: nothing else would help
    but another model, and its layers are judged one by one.
    """
    kind = rounded_to(step, noise)
    return [_widened(rung, kind, noise.get(kind, {}).get(rung.unit, 0.0), most[rung.unit]) for rung in rungs]


def _widened(rung: Rung, kind: str, moved: float, most: float) -> Rung:
    wanted = _rounded_up(ROOM * moved)
    if rung.value is None or wanted <= rung.limit:
        return rung
    limit = max(rung.limit, min(wanted, most))
    why = f'rounding to {kind} alone moves this model by {moved:.2g} {rung.unit}'
    if wanted > limit and rung.value > limit:
        why += ', too much for any comparison to tell a right file from a wrong one'
        if kind == FLOAT32:
            return replace(rung, value=None, limit=limit, note=f'not judged but layer by layer: {why}', psnr_db=None)
    return replace(rung, limit=limit, note=f'limit {rung.limit:g} widened: {why}')


def _rounded_up(value: float) -> float:
    """To two digits."""
    if value <= 0 or not math.isfinite(value):
        return 0.0
    step = 10.0 ** (math.floor(math.log10(value)) - 1)
    return float(f'{math.ceil(value / step) * step:.2g}')
