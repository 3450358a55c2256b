"""What a detector gives for the drawn picture, short enough to be carried in a file's metadata.

Whoever opens the file later can tell with it, and with nothing else, whether it still computes what the graph computed.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mobileone_mm.artifact.card import Card
from mobileone_mm.artifact.inputs import Array
from mobileone_mm.artifact.ladder import PROBE_RUNG, Rung, largest
from mobileone_mm.artifact.runner import Outputs
from mobileone_mm.tasks.detection.rows import BOX, LIMITS, PROBE_THRESHOLD, RAW_CONFIDENCE, RAW_COORDINATES, in_pixels

TOP_ROWS = 8  # best rows that are kept one by one
BLOCKS = 16  # runs of rows, of each of which one signed sum is kept
SIGNS_SEED = 0
DIGITS = 7  # of float32

Fingerprint = Mapping[str, Sequence[Sequence[float]]]


def fingerprint(outputs: Outputs) -> Fingerprint:
    """The best rows and a digest of all, from raw rows without padding.

    `rows` is [row, centre x, centre y, width, height, confidence of each class] of the best rows; `sums` are of the
    same numbers without the row, boxes clipped to the picture: in each of `BLOCKS` runs of rows, with signs drawn at
    random, divided by the root of their number. Errors count as their RMS there, and do not cancel as in a mean.
    """
    numbers = _numbers(outputs)
    best = np.argsort(-numbers[:, BOX:].max(axis=1), kind='stable')[:TOP_ROWS]
    return {
        'rows': [[int(row), *_rounded(values)] for row, values in zip(best, numbers[best], strict=True)],
        'sums': [_rounded(values) for values in _sums(numbers)],
    }


def fingerprint_rungs(card: Card, outputs: Outputs, step: str) -> list[Rung]:
    """Raw rows of the same picture, computed now, against what a card stores; padding is expected to be zero."""
    limits, classes = LIMITS[step], len(card.classes)
    numbers = _numbers(outputs)
    found, padding = numbers[:, : BOX + classes], numbers[:, BOX + classes :].ravel()
    rows = np.array([int(row[0]) for row in card.probe['rows']])
    expected = np.array([row[1:] for row in card.probe['rows']])
    if rows.max() >= len(found) or expected.shape[1] != BOX + classes:
        note = f'rows of the probe do not fit {found[:, BOX:].shape} scores'
        return [Rung(PROBE_RUNG, np.inf, limits.score, 'score', note)]
    differences = np.concatenate((found[rows] - expected, _sums(found) - np.array(card.probe['sums'])))
    # Where background lies says nothing.
    counts = np.append(expected[:, BOX:].max(axis=1) > PROBE_THRESHOLD, np.ones(BLOCKS, bool))
    pixels = in_pixels(differences[:, :BOX], card.input_size) * counts[:, None]
    return [
        Rung(PROBE_RUNG, largest(np.append(differences[:, BOX:], padding)), limits.score, 'score'),
        Rung(PROBE_RUNG, largest(pixels), limits.box, 'px'),
    ]


def is_fingerprint(value: Any) -> bool:
    """Whether a value read from JSON has the form of a fingerprint."""
    if not isinstance(value, dict) or set(value) != {'rows', 'sums'}:
        return False
    rows, sums = value['rows'], value['sums']
    if not (_is_table(rows) and _is_table(sums) and len(sums) == BLOCKS and len(rows[0]) == len(sums[0]) + 1):
        return False
    return all(row[0] >= 0 and float(row[0]).is_integer() for row in rows)


def _is_table(value: Any) -> bool:
    if not isinstance(value, list) or not value or not all(isinstance(row, list) for row in value):
        return False
    plain = all(type(number) in (int, float) and abs(number) < 1e6 for row in value for number in row)
    return plain and len({len(row) for row in value}) == 1


def _numbers(outputs: Outputs) -> Array:
    """Raw rows as (N, 4 + K): the box, then its scores."""
    return np.concatenate((outputs[RAW_COORDINATES], outputs[RAW_CONFIDENCE]), axis=1).astype(np.float64)


def _sums(numbers: Array) -> Array:
    clipped = np.concatenate((numbers[:, :BOX].clip(0, 1), numbers[:, BOX:]), axis=1)
    signs = np.random.default_rng(SIGNS_SEED).choice((-1.0, 1.0), len(clipped))
    signed = clipped * signs[:, None]
    return np.stack([block.sum(axis=0) / max(len(block), 1) ** 0.5 for block in _blocks(signed)])


def _blocks(numbers: Array) -> Sequence[Array]:
    return np.array_split(numbers, BLOCKS)


def _rounded(values: Array) -> list[float]:
    return [float(f'{value:.{DIGITS}g}') for value in values]
