"""Raw rows: what a detector gives for a picture before suppression, no box removed, and how far two of them are apart.

`raw_confidence` (N, C), a softmax without its background column, 0..1; in a package (N, K), columns from C on all zero.
`raw_coordinates` (N, 4): centre x, centre y, width, height, fractions of the picture, not clipped.

Letters: N priors over all levels, C classes, K confidence columns.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from mobileone_mm.artifact.inputs import Array, Picture
from mobileone_mm.artifact.ladder import Rung, largest, psnr_of
from mobileone_mm.artifact.runner import Outputs
from mobileone_mm.errors import ParityError
from mobileone_mm.openmmlab.inputs import preprocessed

RAW_CONFIDENCE, RAW_COORDINATES = 'raw_confidence', 'raw_coordinates'
BOX = 4  # numbers a box: centre x, centre y, width, height
MOST_SCORE, MOST_BOX = 0.5, 0.25  # in score, and of the shorter side: by chance alone, boxes are about as close
PROBE_THRESHOLD = 0.05  # score; boxes below it are background, and where they lie says nothing

Size = tuple[int, int]
Pairs = Sequence[tuple[Outputs, Outputs]]


@dataclass(frozen=True)
class Limits:
    """Largest errors that rows may have: in score, and in px of the input picture where the score is above `above`."""

    score: float
    box: float
    above: float = -math.inf


LIMITS: Mapping[str, Limits] = {
    'graph': Limits(1e-3, 0.5),  # float32 graph against the trained model in float64
    'float32': Limits(1e-4, 0.05),  # saved file executed in float32 against the graph with the same constants
    'float16': Limits(0.02, 1.0, PROBE_THRESHOLD),  # float16 program against float32; a trained S0 showed 0.006, 0.47
    # Compressed weights against the graph: these tell a bad file from a good one, and a metric what they cost.
    'int8': Limits(0.25, 16.0, PROBE_THRESHOLD),
    'palette8': Limits(0.25, 16.0, PROBE_THRESHOLD),
    'palette6': Limits(0.5, 32.0, PROBE_THRESHOLD),
}


def most(size: Size) -> Mapping[str, float]:
    """The largest limits under which a comparison says anything."""
    return {'score': MOST_SCORE, 'px': MOST_BOX * min(size)}


def reference(model: Any, picture: Picture) -> Outputs:
    """A detector's own rows by mmdet's preprocessor and coder, in the model's own precision."""
    head = model.bbox_head
    height, width = picture.shape[:2]
    with torch.no_grad():
        inputs = preprocessed(model, picture)
        scores, deltas = head(model.extract_feat(inputs))
        sizes = [tuple(score.shape[-2:]) for score in scores]
        priors = head.prior_generator.grid_priors(sizes, dtype=inputs.dtype, device=inputs.device)
        corners = head.bbox_coder.decode(torch.cat(priors), _flat(deltas, BOX))
        confidence = _flat(scores, head.cls_out_channels).softmax(dim=-1)[:, :-1]
    low, high = corners.double().numpy().reshape(-1, 2, 2).transpose(1, 0, 2)
    coordinates = np.concatenate(((low + high) / 2, high - low), axis=1) / (width, height, width, height)
    return {RAW_CONFIDENCE: confidence.double().numpy(), RAW_COORDINATES: coordinates}


def _flat(maps: Iterable[torch.Tensor], numbers: int) -> torch.Tensor:
    return torch.cat([level[0].permute(1, 2, 0).reshape(-1, numbers) for level in maps])


def compare(name: str, pairs: Pairs, size: Size, step: str) -> list[Rung]:
    """Every row against the same row of another form, in score and in px; the worst of all pictures counts.

    Boxes count where the score is above the limits' `above` on either side; one that is no finite number counts
    anywhere.

    Raises:
        ParityError: the numbers of rows or classes differ.
    """
    limits = LIMITS[step]
    scores, boxes = _aligned(name, pairs, size)
    best = np.maximum(*(side.max(axis=-1) for side in scores))
    error = np.where((best > limits.above)[..., None] | ~np.isfinite(boxes[1]), boxes[1] - boxes[0], 0)
    box = largest(error)
    note = ''
    if not (best > limits.above).any() and not math.isnan(box):
        note = f'not run: no score above {limits.above} in these pictures'
    return [
        Rung(name, largest(scores[1] - scores[0]), limits.score, 'score', psnr_db=psnr_of(*scores)),
        Rung(name, None if note else box, limits.box, 'px', note, None if note else psnr_of(*boxes)),
    ]


def _aligned(name: str, pairs: Pairs, size: Size) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    """Scores and boxes in px of both sides, (pictures, N, K) and (pictures, N, 4); padding is expected to be zero."""
    expected, found = zip(*pairs, strict=True)
    rows, classes = expected[0][RAW_CONFIDENCE].shape
    given, columns = found[0][RAW_CONFIDENCE].shape
    if given != rows or columns < classes:
        raise ParityError(f'{name}: {(given, columns)} rows given, {(rows, classes)} expected')
    padding = ((0, 0), (0, columns - classes))
    return (
        (
            np.stack([np.pad(_double(one, RAW_CONFIDENCE), padding) for one in expected]),
            np.stack([_double(one, RAW_CONFIDENCE) for one in found]),
        ),
        (
            np.stack([in_pixels(_double(one, RAW_COORDINATES), size) for one in expected]),
            np.stack([in_pixels(_double(one, RAW_COORDINATES), size) for one in found]),
        ),
    )


def _double(outputs: Outputs, name: str) -> Array:
    return outputs[name].astype(np.float64)


def in_pixels(boxes: Array, size: Size) -> Array:
    """Boxes (M, 4) in fractions of a picture, corners or centres and sizes, in px of one of `size`."""
    return boxes * (*size, *size)
