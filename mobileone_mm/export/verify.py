"""The ladder: how far each form of a detector is from the trained model, in score and in pixels, with a limit on each.

Letters as in `graphs`: N priors, C classes, K confidence columns.
"""

import math
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
from mobileone_mm.export.info import ArtifactInfo
from mobileone_mm.export.package import open_package
from mobileone_mm.export.probe import Picture
from mobileone_mm.parity import FLOAT64_RELATIVE_LIMIT, Parity

Array = npt.NDArray[np.float64]

GRAPH_SCORE_LIMIT = 1e-3  # score; float32 graph against the trained model in float64
GRAPH_BOX_LIMIT = 0.5  # px of the input picture; the same

FUSED_RUNG = 'trained -> fused, float64'
GRAPH_RUNG = 'trained -> graph, float32'


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


def fused_rung(parity: Parity, form: str) -> Rung:
    """Fused against trained model, both in float64, as a fraction of the output's range; `form` is the checkpoint's."""
    if form == 'fused':
        note = 'not run: the checkpoint was fused before'
        return Rung(FUSED_RUNG, None, FLOAT64_RELATIVE_LIMIT, 'of range', note)
    return Rung(FUSED_RUNG, parity.relative, FLOAT64_RELATIVE_LIMIT, 'of range')


def graph_rungs(pairs: Sequence[tuple[Boxes, Boxes]], input_size: tuple[int, int]) -> list[Rung]:
    """Every row of the graph against the same row of the trained model; the worst of all pictures counts."""
    for trained, graph in pairs:
        if (trained.confidence.shape, trained.coordinates.shape) != (graph.confidence.shape, graph.coordinates.shape):
            raise ParityError(f'{GRAPH_RUNG}: {graph.confidence.shape} rows given, {trained.confidence.shape} expected')
    score = largest([graph.confidence - trained.confidence for trained, graph in pairs])
    box = largest([(graph.coordinates - trained.coordinates) * (*input_size, *input_size) for trained, graph in pairs])
    return [Rung(GRAPH_RUNG, score, GRAPH_SCORE_LIMIT, 'score'), Rung(GRAPH_RUNG, box, GRAPH_BOX_LIMIT, 'px')]


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
    lines = [f'{"rung":34} {"worst":>9} {"limit":>9}  unit']
    for rung in rungs:
        value = '-' if rung.value is None else f'{rung.value:.1e}'
        lines.append(f'{rung.name:34} {value:>9} {rung.limit:>9.1e}  {rung.unit}{rung.note and f"  ({rung.note})"}')
    return '\n'.join(lines)


def as_dicts(rungs: Iterable[Rung]) -> tuple[dict[str, Any], ...]:
    """Rungs as JSON can hold them."""
    return tuple(asdict(rung) for rung in rungs)


def verify(path: str | Path) -> ArtifactInfo:
    """Open a saved package and judge it by the contract.

    Raises:
        ExportError: it cannot be opened, or a rule is broken.
    """
    return check_contract(open_package(path))


def largest(differences: Sequence[Array]) -> float:
    """The largest magnitude in arrays of one shape; NaN if any entry is no finite number."""
    # NumPy's max of all, since Python's loses a NaN that is not the first.
    found = float(np.abs(np.stack(differences)).max())
    return found if math.isfinite(found) else math.nan
