"""What a segmenter gives for a picture, and how far two forms of it are apart.

`logits` (1, C, h, w) on the grid of the map's stride; `semanticPredictions` (H, W), the class of each pixel.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from mobileone_mm.artifact.inputs import Array, Picture
from mobileone_mm.artifact.ladder import REPORT_IT, Rung, largest, psnr_of
from mobileone_mm.artifact.runner import Outputs
from mobileone_mm.errors import ParityError
from mobileone_mm.openmmlab.inputs import preprocessed
from mobileone_mm.tasks.segmentation.graph import CLASS_MAP, LOGITS
from mobileone_mm.tasks.segmentation.options import SegmentationOptions
from mobileone_mm.tasks.task import Pairs, Size

OF_RANGE, OF_PIXELS = 'of range', 'of pixels'  # units: of the largest minus the smallest logit; of all pixels
OF_MAP = 'of the map'  # of all pixels, where a map is held to its own logits, whatever rounding does to those
MOST = {OF_RANGE: 0.25, OF_PIXELS: 0.25, OF_MAP: 0.0}  # beyond it, a comparison says nothing
BOTH = 2  # logits of a tie may be rounded towards each other


@dataclass(frozen=True)
class Limits:
    """Largest differences that two forms may have.

    Attributes:
        logit: of any logit, as a fraction of the range of all logits of the picture.
        pixels: pixels of another class, as a fraction of all, ties left out.
        tie: the two best logits of a pixel are a tie if rounding a logit by this fraction of the range may turn them.
    """

    logit: float
    pixels: float
    tie: float


HALF_STEP = 2.0**-11  # of a number: how far float16 rounds it
LIMITS: Mapping[str, Limits] = {
    'graph': Limits(1e-4, 0.0, 1e-5),  # float32 graph against the trained model in float64
    'float32': Limits(1e-5, 0.0, 1e-6),  # saved file executed in float32 against the graph with the same constants
    'float16': Limits(0.02, 1e-3, 2 * HALF_STEP),  # float16 program against float32
    # Compressed weights against the graph: these tell a bad file from a good one, and a metric what they cost.
    'int8': Limits(0.15, 0.1, 2 * HALF_STEP),
    'palette8': Limits(0.15, 0.1, 2 * HALF_STEP),
    'palette6': Limits(0.25, 0.2, 2 * HALF_STEP),
}


def most(_size: Size) -> Mapping[str, float]:
    """The largest limits under which a comparison says anything."""
    return MOST


def reference(model: Any, picture: Picture, options: SegmentationOptions) -> Outputs:
    """A segmenter's own logits and classes by mmseg's preprocessor and head, in the model's own precision."""
    height, width = picture.shape[:2]
    stride = options.stride_for(model.decode_head.num_classes)
    with torch.no_grad():
        features = model.extract_feat(preprocessed(model, picture))
        # The head enlarges its logits to what it takes for the picture's shape.
        meta = [{'img_shape': (height // stride, width // stride)}]
        logits = model.decode_head.predict(features, meta, model.test_cfg).double().numpy()
    best = logits[0].argmax(axis=0).astype(np.int32)
    return {LOGITS: logits, CLASS_MAP: best.repeat(stride, axis=0).repeat(stride, axis=1)}


def compare(name: str, pairs: Pairs, _size: Size, step: str) -> list[Rung]:
    """Every logit and every pixel against the same of another form; the worst of all pictures counts.

    A map that contradicts its own logits is a check more, which leaves no room for rounding.

    Raises:
        ParityError: the shapes differ.
    """
    limits = LIMITS[step]
    for expected, found in pairs:
        for key in (LOGITS, CLASS_MAP):
            if expected[key].shape != found[key].shape:
                raise ParityError(f'{name}: {key} of shape {found[key].shape} given, {expected[key].shape} expected')
    logits = [(_double(expected), _double(found)) for expected, found in pairs]
    errors = [largest((found - expected) / _range(expected)) for expected, found in logits]
    moved = [_moved(expected, found, limits.tie) for expected, found in pairs if np.isfinite(_double(found)).all()]
    worst = max(moved, default=None)
    strays = max(_strays(found) for _, found in pairs)
    note = 'pixels whose class has not the largest logit there'
    return [
        Rung(name, largest(np.array(errors)), limits.logit, OF_RANGE, psnr_db=_psnr(logits)),
        Rung(
            name,
            float('nan') if worst is None or len(moved) < len(pairs) else worst[0],
            limits.pixels,
            OF_PIXELS,
            _ties_said(moved, limits.tie),
        ),
        *([Rung(name, strays, 0.0, OF_MAP, note, cure=REPORT_IT)] if strays else []),
    ]


def _strays(outputs: Outputs) -> float:
    """Pixels whose class is not the best by the same form's logits, as a fraction of all."""
    logits = outputs[LOGITS][0]
    if not np.isfinite(logits).all():
        return 0.0
    stride = outputs[CLASS_MAP].shape[0] // logits.shape[1]
    best = logits.argmax(axis=0).repeat(stride, axis=0).repeat(stride, axis=1)
    return _moved({**outputs, CLASS_MAP: best}, outputs, tie=0.0)[0]


def _ties_said(moved: Sequence[tuple[float, int]], tie: float) -> str:
    ties = sum(count for _, count in moved)
    if not ties:
        return ''
    counted = '1 pixel changed class but is' if ties == 1 else f'{ties} pixels changed class but are'
    return f'{counted} not counted: the logits of the two classes were within {BOTH * tie:.2g} of the range'


def _psnr(pairs: Sequence[tuple[Array, Array]]) -> float | None:
    return psnr_of(*(np.concatenate([side.ravel() for side in sides]) for sides in zip(*pairs, strict=True)))


def _moved(expected: Outputs, found: Outputs, tie: float) -> tuple[float, int]:
    """Pixels of another class that is no tie, as a fraction of all, and the number of those that are ties."""
    differs = expected[CLASS_MAP] != found[CLASS_MAP]
    logits = _double(expected)[0]
    stride = differs.shape[0] // logits.shape[1]
    places = np.nonzero(differs)  # each pixel by itself: the squares of another form may lie elsewhere
    chosen, row, column = found[CLASS_MAP][places], *(index // stride for index in places)
    known = (chosen >= 0) & (chosen < len(logits))  # of a class that there is not, the logit is minus infinity
    given = np.where(known, logits[np.where(known, chosen, 0), row, column], -np.inf)
    ties = int((logits.max(axis=0)[row, column] - given <= BOTH * tie * _range(logits)).sum())
    return (len(chosen) - ties) / differs.size, ties


def _range(logits: Array) -> float:
    return max(float(logits.max() - logits.min()), float(np.finfo(np.float32).tiny))


def _double(outputs: Outputs) -> Array:
    return outputs[LOGITS].astype(np.float64)
