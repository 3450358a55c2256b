"""The ladder: how far each form of a detector is from the trained model, in score and in pixels, with a limit on each.

Letters as in `graphs`: N priors, C classes, K confidence columns.
"""

import math
import platform
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from mobileone_mm.errors import ParityError
from mobileone_mm.export.contract import check_contract
from mobileone_mm.export.coreml import coremltools
from mobileone_mm.export.package import CONFIDENCE, CONFIDENCE_THRESHOLD, COORDINATES, IMAGE, PackageInfo, open_package
from mobileone_mm.export.probe import Picture
from mobileone_mm.parity import FLOAT64_RELATIVE_LIMIT, Parity

Array = npt.NDArray[np.float64]

GRAPH_SCORE_LIMIT = 1e-3  # score; float32 graph against the trained model in float64
GRAPH_BOX_LIMIT = 0.5  # px of the input picture; the same
PACKAGE_SCORE_LIMIT = 0.02  # score; float16 package against the graph (a trained S0 showed 0.006)
PACKAGE_BOX_LIMIT = 1.0  # px of the input picture; the same (0.47)
PROBE_THRESHOLD = 0.05  # score; Core ML is compared on all boxes above it

FUSED_RUNG = 'trained -> fused, float64'
GRAPH_RUNG = 'trained -> graph, float32'
COREML_RUNG = 'graph -> saved package, Core ML'


@dataclass(frozen=True)
class Boxes:
    """One picture's raw outputs, no box removed.

    Attributes:
        confidence: (N, C), 0..1.
        coordinates: (N, 4) centre x, centre y, width, height, fractions of the picture, not clipped.
    """

    confidence: Array
    coordinates: Array


@dataclass(frozen=True)
class Rung:
    """One comparison. `value` is None where it could not be made, and `note` says why."""

    name: str
    value: float | None
    limit: float
    unit: str
    note: str = ''

    @property
    def holds(self) -> bool:
        """Whether it was made and is within its limit; NaN is not."""
        return self.value is not None and self.value <= self.limit


def trained_boxes(model: Any, picture: Picture) -> Boxes:
    """A detector's own boxes by mmdet's preprocessor and coder, in the model's own precision: the reference."""
    head = model.bbox_head
    height, width = picture.shape[:2]
    bgr = torch.from_numpy(np.ascontiguousarray(picture[..., ::-1].transpose(2, 0, 1)))
    with torch.no_grad():
        inputs = model.data_preprocessor({'inputs': [bgr]})['inputs'].to(next(model.parameters()).dtype)
        scores, deltas = head(model.extract_feat(inputs))
        sizes = [tuple(score.shape[-2:]) for score in scores]
        priors = head.prior_generator.grid_priors(sizes, dtype=inputs.dtype, device=inputs.device)
        corners = head.bbox_coder.decode(torch.cat(priors), _flat(deltas, 4))
        confidence = _flat(scores, head.cls_out_channels).softmax(dim=-1)[:, :-1]
    low, high = corners.double().numpy().reshape(-1, 2, 2).transpose(1, 0, 2)
    coordinates = np.concatenate(((low + high) / 2, high - low), axis=1) / (width, height, width, height)
    return Boxes(confidence.double().numpy(), coordinates)


def _flat(maps: Iterable[torch.Tensor], numbers: int) -> torch.Tensor:
    return torch.cat([level[0].permute(1, 2, 0).reshape(-1, numbers) for level in maps])


def graph_boxes(graph: nn.Module, picture: Picture, classes: int) -> Boxes:
    """The export graph's boxes, its padding columns left out."""
    image = torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1)))[None].float()
    with torch.no_grad():
        confidence, coordinates = graph(image)
    return Boxes(confidence[:, :classes].double().numpy(), coordinates.double().numpy())


def fused_rung(parity: Parity) -> Rung:
    """Fused against trained model, both in float64, as a fraction of the output's range."""
    return Rung(FUSED_RUNG, parity.relative, FLOAT64_RELATIVE_LIMIT, 'of range')


def graph_rungs(pairs: Sequence[tuple[Boxes, Boxes]], input_size: tuple[int, int]) -> list[Rung]:
    """Every row of the graph against the same row of the trained model; the worst of all pictures counts."""
    for trained, graph in pairs:
        if (trained.confidence.shape, trained.coordinates.shape) != (graph.confidence.shape, graph.coordinates.shape):
            raise ParityError(f'{GRAPH_RUNG}: {graph.confidence.shape} rows given, {trained.confidence.shape} expected')
    score = _largest([graph.confidence - trained.confidence for trained, graph in pairs])
    box = _largest([(graph.coordinates - trained.coordinates) * (*input_size, *input_size) for trained, graph in pairs])
    return [Rung(GRAPH_RUNG, score, GRAPH_SCORE_LIMIT, 'score'), Rung(GRAPH_RUNG, box, GRAPH_BOX_LIMIT, 'px')]


def coreml_rungs(
    package: Path, pictures: Sequence[Picture], raw: Sequence[Boxes], input_size: tuple[int, int]
) -> list[Rung]:
    """What Core ML itself detects with the saved package against the graph's raw rows; macOS only."""
    if platform.system() != 'Darwin':
        return package_rungs([], f'not run: Core ML predicts on macOS only, this is {platform.system()}')
    found = [
        distance(detections, rows, input_size)
        for detections, rows in zip(_coreml(package, pictures), raw, strict=True)
        if len(detections.confidence)
    ]
    return package_rungs(found, f'not run: Core ML finds no box above {PROBE_THRESHOLD} in these pictures')


def package_rungs(found: Sequence[tuple[float, float]], without: str) -> list[Rung]:
    """The worst of the pictures' distances in score and px; `without` any, rungs that were not made and say so."""
    score, box = np.max(found, axis=0).tolist() if found else (None, None)
    note = '' if found else without
    return [
        Rung(COREML_RUNG, score, PACKAGE_SCORE_LIMIT, 'score', note),
        Rung(COREML_RUNG, box, PACKAGE_BOX_LIMIT, 'px', note),
    ]


def _coreml(package: Path, pictures: Sequence[Picture]) -> list[Boxes]:
    from PIL import Image

    ct = coremltools()
    # Not all units: the GPU's compiler has been seen to end the process (ultralytics#24885).
    model = ct.models.MLModel(str(package), compute_units=ct.ComputeUnit.CPU_AND_NE)
    inputs = [{IMAGE: Image.fromarray(picture), CONFIDENCE_THRESHOLD: PROBE_THRESHOLD} for picture in pictures]
    outputs = [model.predict(given) for given in inputs]
    return [Boxes(np.asarray(out[CONFIDENCE], np.float64), np.asarray(out[COORDINATES], np.float64)) for out in outputs]


def distance(detections: Boxes, raw: Boxes, input_size: tuple[int, int]) -> tuple[float, float]:
    """How far detections are from the raw rows they came from: largest error in score, and in px.

    A detection's row is the one nearest in box and score together, each measured in its limit. No detections: 0, 0.
    """
    pixels = np.array((*input_size, *input_size))
    score_error = box_error = 0.0
    for confidence, coordinates in zip(detections.confidence, detections.coordinates, strict=True):
        scores = np.abs(raw.confidence - confidence[: raw.confidence.shape[1]]).max(axis=1)
        boxes = np.abs((raw.coordinates - coordinates) * pixels).max(axis=1)
        row = int(np.argmin(np.maximum(scores / PACKAGE_SCORE_LIMIT, boxes / PACKAGE_BOX_LIMIT)))
        score_error, box_error = max(score_error, float(scores[row])), max(box_error, float(boxes[row]))
    return score_error, box_error


def require_rungs(rungs: Iterable[Rung]) -> None:
    """Stop at the first rung that was climbed and does not hold.

    Raises:
        ParityError: with the rung, its value and its limit.
    """
    for rung in rungs:
        if rung.value is not None and not rung.holds:
            raise ParityError(f'{rung.name}: {rung.value:.2e} {rung.unit}, limit {rung.limit:g} {rung.unit}')


def table(rungs: Iterable[Rung]) -> str:
    """The ladder as text: one line a rung."""
    lines = [f'{"rung":34} {"worst":>9} {"limit":>9}  unit']
    for rung in rungs:
        value = '-' if rung.value is None else f'{rung.value:.1e}'
        lines.append(f'{rung.name:34} {value:>9} {rung.limit:>9.1e}  {rung.unit}{rung.note and f"  ({rung.note})"}')
    return '\n'.join(lines)


def as_dicts(rungs: Iterable[Rung]) -> tuple[dict[str, Any], ...]:
    """Rungs as JSON can hold them."""
    return tuple(asdict(rung) for rung in rungs)


def verify(path: str | Path) -> PackageInfo:
    """Open a saved package and judge it by the contract.

    Raises:
        ExportError: it cannot be opened, or a rule is broken.
    """
    return check_contract(open_package(path))


def _largest(differences: Sequence[Array]) -> float:
    # NumPy's max of all, since Python's loses a NaN that is not the first.
    largest = float(np.abs(np.stack(differences)).max())
    return largest if math.isfinite(largest) else math.nan
