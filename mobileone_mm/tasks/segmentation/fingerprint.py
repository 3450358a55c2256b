"""What a segmenter gives for the drawn picture, short enough to be carried in a file's metadata.

Whoever opens the file later can tell with it, and with nothing else, whether it still computes what the graph computed.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from mobileone_mm.artifact.card import Card, is_number
from mobileone_mm.artifact.inputs import Array
from mobileone_mm.artifact.ladder import PROBE_RUNG, Rung, largest
from mobileone_mm.artifact.runner import Outputs
from mobileone_mm.tasks.segmentation.graph import CLASS_MAP, LOGITS
from mobileone_mm.tasks.segmentation.maps import BOTH, LIMITS, OF_PIXELS, OF_RANGE

BLOCKS = 16  # runs of places, of each of which one signed sum a class is kept
SAMPLES = 32  # rows and columns of the class map that are kept
TIE = -1  # instead of a class, where the two best are too close to be held to one
SIGNS_SEED = 0
DIGITS = 7  # of float32


def fingerprint(outputs: Outputs) -> Mapping[str, Any]:
    """A digest of the logits, and samples of the class map.

    `range` is the largest minus the smallest logit. `sums` are of each class's logits in each of `BLOCKS` runs of
    places, with signs drawn at random, divided by the root of their number: errors count as their RMS there, and do not
    cancel as in a mean. `map` holds every so manyth pixel, `TIE` where two classes are too close.
    """
    logits = outputs[LOGITS][0].astype(np.float64)
    spread = float(logits.max() - logits.min())
    best, second = np.sort(logits, axis=0)[:-3:-1] if len(logits) > 1 else (logits[0], np.full_like(logits[0], -np.inf))
    stride = outputs[CLASS_MAP].shape[0] // logits.shape[1]
    close = (best - second <= BOTH * LIMITS['float16'].tie * spread).repeat(stride, axis=0).repeat(stride, axis=1)
    return {
        'range': _rounded(spread),
        'sums': [[_rounded(value) for value in row] for row in _sums(logits)],
        'map': _sampled(np.where(close, TIE, outputs[CLASS_MAP])).tolist(),
    }


def fingerprint_rungs(card: Card, outputs: Outputs, step: str) -> list[Rung]:
    """Outputs for the same picture, computed now, against what a card stores."""
    limits, stored = LIMITS[step], card.probe
    sums, classes = _sums(outputs[LOGITS][0].astype(np.float64)), _sampled(outputs[CLASS_MAP])
    expected, kept = np.array(stored['sums']), np.array(stored['map'])
    if expected.shape != sums.shape or kept.shape != classes.shape:
        note = f'the probe holds {expected.shape} sums and {kept.shape} samples, expected {sums.shape}, {classes.shape}'
        return [Rung(PROBE_RUNG, np.inf, limits.logit, OF_RANGE, note)]
    spread = max(float(stored['range']), float(np.finfo(np.float32).tiny))
    return [
        Rung(PROBE_RUNG, largest((sums - expected) / spread), limits.logit, OF_RANGE),
        Rung(PROBE_RUNG, float(((kept != classes) & (kept != TIE)).mean()), limits.pixels, OF_PIXELS),
    ]


def is_fingerprint(value: Any) -> bool:
    """Whether a value read from JSON has the form of a fingerprint."""
    if not isinstance(value, dict) or set(value) != {'range', 'sums', 'map'}:
        return False
    numbers = _is_table(value['sums'], is_number) and len(value['sums']) == BLOCKS
    classes = _is_table(value['map'], lambda one: type(one) is int and one >= TIE)
    return numbers and classes and is_number(value['range']) and value['range'] >= 0


def _is_table(value: Any, holds: Any) -> bool:
    if not isinstance(value, list) or not value or not all(isinstance(row, list) and row for row in value):
        return False
    return all(holds(one) for row in value for one in row) and len({len(row) for row in value}) == 1


def _sums(logits: Array) -> Array:
    """(BLOCKS, C) of logits (C, h, w)."""
    places = logits.reshape(len(logits), -1).T
    signs = np.random.default_rng(SIGNS_SEED).choice((-1.0, 1.0), len(places))
    blocks = np.array_split(places * signs[:, None], BLOCKS)
    return np.stack([block.sum(axis=0) / max(len(block), 1) ** 0.5 for block in blocks])


def _sampled(classes: Array) -> Array:
    rows, columns = (np.linspace(0, side - 1, min(side, SAMPLES)).round().astype(int) for side in classes.shape)
    sampled: Array = classes[np.ix_(rows, columns)].astype(np.int64)
    return sampled


def _rounded(value: float) -> float:
    return float(f'{value:.{DIGITS}g}')
