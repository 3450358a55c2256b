"""The lower rungs of the ladder, all in torch: trained model, fused model, graph; and the contract of a saved file."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from mobileone_mm.artifact.card import ArtifactInfo
from mobileone_mm.artifact.ladder import GRAPH_LIMITS, Boxes, Pairs, Rung, row_rungs
from mobileone_mm.parity import FLOAT64_RELATIVE_LIMIT, Parity
from mobileone_mm.pictures.reading import Picture
from mobileone_mm.targets.coreml.contract import check_contract
from mobileone_mm.targets.coreml.package import open_package
from mobileone_mm.threads import one_thread

FUSED_RUNG = 'trained -> fused, float64'
GRAPH_RUNG = 'trained -> graph, float32'


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
    # With as many threads everywhere: the last digit depends on it, and the metadata hold what comes out.
    with torch.no_grad(), one_thread():
        confidence, coordinates = graph(image)
    return Boxes(confidence[:, :classes].double().numpy(), coordinates.double().numpy())


def fused_rung(parity: Parity, form: str) -> Rung:
    """Fused against trained model, both in float64, as a fraction of the output's range; `form` is the checkpoint's."""
    if form == 'fused':
        note = 'not run: the checkpoint was fused before'
        return Rung(FUSED_RUNG, None, FLOAT64_RELATIVE_LIMIT, 'of range', note)
    return Rung(FUSED_RUNG, parity.relative, FLOAT64_RELATIVE_LIMIT, 'of range')


def graph_rungs(pairs: Pairs, input_size: tuple[int, int]) -> list[Rung]:
    """Every row of the graph against the same row of the trained model."""
    return row_rungs(GRAPH_RUNG, pairs, input_size, GRAPH_LIMITS)


def verify(path: str | Path) -> ArtifactInfo:
    """Open a saved package and judge it by the contract.

    Raises:
        ExportError: it cannot be opened, or a rule is broken.
    """
    return check_contract(open_package(path))
