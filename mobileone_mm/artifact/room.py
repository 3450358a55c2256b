"""Limits with room for what rounding alone does to a model.

A model can be so badly conditioned, untrained ones most of all, that the last digits decide: then two right forms of it
are further apart than any fixed limit. How far rounding moves it is measured on its graph (`tasks.rounding`), never on
the file that is judged.
"""

import logging
import math
from collections.abc import Iterable, Mapping
from dataclasses import replace

from mobileone_mm.artifact.ladder import IN_FLOAT32, Rung, plain_name

LOGGER = logging.getLogger(__name__)
FLOAT32, FLOAT16 = 'float32', 'float16'

Noise = Mapping[str, Mapping[str, float]]  # how far rounding to a type moves outputs: by the type, then by the unit

# Two right forms round differently, and neither as what was measured. Of 18 detectors (trained, untrained, badly
# scaled, S0 to S4) on four pictures each, ONNX Runtime was at most 4.4 times as far from the graph as float64 is. A
# package in float16 was as far as the same rounding in torch; with sums in float64, that was 1.8 times as far at most,
# and 3.2 times with each value rounded up or down by chance.
ROOM = {FLOAT32: 8, FLOAT16: 4}


def rounded_to(step: str, noise: Noise) -> str:
    """The type that a step rounds to: 'graph' and 'float32' to float32, all others to what the program computes in."""
    return FLOAT16 if FLOAT16 in noise and step not in ('graph', FLOAT32) else FLOAT32


def widened(rungs: Iterable[Rung], step: str, noise: Noise, most: Mapping[str, float]) -> list[Rung]:
    """Rungs of a step whose limits leave room for `noise`, up to `most` of each unit, beyond which they say nothing.

    What is beyond that fails for float16, since float32 helps, but is not judged for float32: nothing helps there but
    another model, and layer by layer (`tasks.layers`) a right form is told from a wrong one all the same.
    """
    kind = rounded_to(step, noise)
    wide = [_widened(rung, kind, noise.get(kind, {}).get(rung.unit, 0.0), most[rung.unit]) for rung in rungs]
    owing = [rung for rung in wide if rung.rounding == FLOAT16]
    if owing:
        LOGGER.warning(
            '%s: off by %s, as rounding to float16 alone does with this model; if it is trained, %s',
            plain_name(owing[0].name),
            ' and '.join(f'{rung.value:.2g} {rung.unit}' for rung in owing),
            IN_FLOAT32,
        )
    return wide


def _widened(rung: Rung, kind: str, moved: float, most: float) -> Rung:
    wanted = _rounded_up(ROOM[kind] * moved)
    if rung.value is None or rung.holds or wanted <= rung.limit:
        return rung  # nothing to say of a limit that was not needed
    limit = max(rung.limit, min(wanted, most))
    why = f'rounding to {kind} alone moves what this model gives by {moved:.2g} {rung.unit}'
    if kind == FLOAT32 and rung.value > limit >= most:
        note = f'not run: {why}, too much for a comparison of outputs to say anything'
        return replace(rung, value=None, limit=limit, note=note, psnr_db=None)
    wide = replace(rung, limit=limit, note=f'limit {rung.limit:g} widened: {why}')
    return replace(wide, rounding=kind) if wide.holds else wide


def _rounded_up(value: float) -> float:
    """To two digits."""
    if value <= 0:
        return 0.0
    step = 10.0 ** (math.floor(math.log10(value)) - 1)
    return float(f'{math.ceil(value / step) * step:.2g}')
