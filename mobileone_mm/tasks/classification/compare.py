"""What a classifier gives for a picture, and how far two forms of it are apart.

`logits` (1, C); `classLabelProbs` (1, C), their softmax.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from mobileone_mm.artifact.card import Card, is_number
from mobileone_mm.artifact.inputs import Array, Picture
from mobileone_mm.artifact.ladder import PROBE_RUNG, Rung, largest, psnr_of
from mobileone_mm.artifact.runner import Outputs
from mobileone_mm.errors import ParityError
from mobileone_mm.openmmlab.inputs import preprocessed
from mobileone_mm.pictures.reading import middle
from mobileone_mm.tasks.classification.graph import LOGITS, PROBABILITIES
from mobileone_mm.tasks.classification.options import FramedOptions
from mobileone_mm.tasks.task import Pairs, Size

# Units: of the largest minus the smallest logit; of a probability; of all pictures.
OF_RANGE, SCORE, OF_PICTURES = 'of range', 'score', 'of pictures'
MOST = {OF_RANGE: 0.25, SCORE: 0.5, OF_PICTURES: 0.5}  # beyond it, a comparison says nothing
DIGITS = 7  # of float32


@dataclass(frozen=True)
class Limits:
    """Largest differences that two forms may have.

    Attributes:
        logit: of any logit, as a fraction of the range of all logits of the picture.
        score: of any probability.
        pictures: pictures of another class, as a fraction of all, ties left out.
        tie: two classes are a tie if their logits are no further apart, as a fraction of the range.
    """

    logit: float
    score: float
    pictures: float
    tie: float


LIMITS: Mapping[str, Limits] = {
    'graph': Limits(1e-4, 1e-3, 0.0, 1e-5),  # float32 graph against the trained model in float64
    'float32': Limits(1e-5, 1e-4, 0.0, 1e-6),  # saved file executed in float32 against the graph with its constants
    'float16': Limits(0.02, 0.02, 1e-3, 0.01),  # float16 program against float32; a trained S0 showed 0.0045, 0.0086
    # Compressed weights against the graph: these tell a bad file from a good one, and a metric what they cost. On 200
    # pictures of ImageNet, Apple's S0 showed up to 0.19 and 0.35 with int8, up to 0.15 between two classes that changed
    # places, and at most 2.5 points of top-1; palette6, which costs it 20 points, 0.31 of range in half of them.
    'int8': Limits(0.25, 0.5, 0.5, 0.2),
    'palette8': Limits(0.25, 0.5, 0.5, 0.2),
    'palette6': Limits(0.25, 0.5, 0.5, 0.1),
}


def most(_size: Size) -> Mapping[str, float]:
    """The largest limits under which a comparison says anything."""
    return MOST


def reference(model: Any, picture: Picture, options: FramedOptions) -> Outputs:
    """A classifier's own logits and probabilities by mmpretrain's preprocessor and head, in its own precision."""
    height, width = picture.shape[:2]
    seen = picture[middle((width, height), (options.seen, options.seen))] if options.seen else picture
    with torch.no_grad():
        logits = model.head(model.extract_feat(preprocessed(model, seen)))
        (sample,) = model.head._get_predictions(logits, None)
    return {LOGITS: logits.double().numpy(), PROBABILITIES: sample.pred_score[None].double().numpy()}


def compare(name: str, pairs: Pairs, _size: Size, step: str) -> list[Rung]:
    """Every logit and every probability against the same of another form, and the best class; the worst counts.

    Raises:
        ParityError: the shapes differ.
    """
    limits = LIMITS[step]
    for expected, found in pairs:
        for key in (LOGITS, PROBABILITIES):
            if expected[key].shape != found[key].shape:
                raise ParityError(f'{name}: {key} of shape {found[key].shape} given, {expected[key].shape} expected')
    logits = [(_double(expected, LOGITS), _double(found, LOGITS)) for expected, found in pairs]
    of_range = [largest((found - expected) / _range(expected)) for expected, found in logits]
    scores = [largest(_double(found, PROBABILITIES) - _double(expected, PROBABILITIES)) for expected, found in pairs]
    return [
        Rung(name, largest(np.array(of_range)), limits.logit, OF_RANGE, psnr_db=_psnr(logits)),
        Rung(name, largest(np.array(scores)), limits.score, SCORE),
        _top1(name, pairs, limits),
    ]


def _psnr(pairs: Sequence[tuple[Array, Array]]) -> float | None:
    return psnr_of(*(np.concatenate([side.ravel() for side in sides]) for sides in zip(*pairs, strict=True)))


def _top1(name: str, pairs: Pairs, limits: Limits) -> Rung:
    """Pictures whose most probable class is another; where it ties with the expected one, it is noted."""
    if not all(np.isfinite(found[PROBABILITIES]).all() for _, found in pairs):
        return Rung(name, float('nan'), limits.pictures, OF_PICTURES)
    margins = []
    for expected, found in pairs:
        logits, chosen = _double(expected, LOGITS)[0], int(found[PROBABILITIES].argmax())
        if chosen != int(expected[PROBABILITIES].argmax()):
            margins.append(float(logits.max() - logits[chosen]) / _range(logits))
    ties = sum(margin <= limits.tie for margin in margins)
    note = ''
    if ties:
        counted = '1 picture of' if ties == 1 else f'{ties} pictures of'
        counted += f' {len(pairs)} changed class but {"is" if ties == 1 else "are"} not counted'
        note = f'{counted}: the logits of the two classes were within {limits.tie:.2g} of the range'
    return Rung(name, (len(margins) - ties) / len(pairs), limits.pictures, OF_PICTURES, note)


def _range(logits: Array) -> float:
    return max(float(logits.max() - logits.min()), float(np.finfo(np.float32).tiny))


def _double(outputs: Outputs, key: str) -> Array:
    return outputs[key].astype(np.float64)


def digest(outputs: Outputs) -> Mapping[str, Any]:
    """The logits for the drawn picture: what a card keeps of it."""
    return {'logits': [float(f'{value:.{DIGITS}g}') for value in outputs[LOGITS].ravel().tolist()]}


def compare_digest(card: Card, outputs: Outputs, step: str) -> list[Rung]:
    """Outputs for the same picture, computed now, against what a card keeps."""
    stored = np.array(card.probe['logits'])[None]
    if stored.shape != outputs[LOGITS].shape:
        note = f'the probe holds {stored.size} logits, expected {outputs[LOGITS].size}'
        return [Rung(PROBE_RUNG, np.inf, LIMITS[step].logit, OF_RANGE, note)]
    powers = np.exp(stored - stored.max())
    expected = {LOGITS: stored, PROBABILITIES: powers / powers.sum()}
    return compare(PROBE_RUNG, [(expected, outputs)], card.input_size, step)


def is_digest(value: Any) -> bool:
    """Whether a value read from JSON has the form of a digest."""
    if not isinstance(value, dict) or set(value) != {'logits'} or not isinstance(value['logits'], list):
        return False
    return bool(value['logits']) and all(is_number(one) for one in value['logits'])
