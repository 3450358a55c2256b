"""A graph with a program's constants: which are taken, how far off each is, what is rounded where there are none."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mobileone_mm.openmmlab import configs
from mobileone_mm.pictures.synthetic import drawn_picture
from mobileone_mm.reparam import fuse
from mobileone_mm.targets.coreml.stored import as_stored
from mobileone_mm.tasks.detection.graph import DetectorGraph
from mobileone_mm.tasks.task import run_graph
from tiny_detector import SIZE, lively, write_config

PICTURE = drawn_picture(SIZE)


def detector_of(folder: Path) -> Any:
    return lively(configs.build_model(configs.load_config(write_config(folder))), SIZE)


def graph_of(model: Any) -> DetectorGraph:
    return DetectorGraph(fuse(model), SIZE).eval()


GAIN = {'b_runs_0_decode_gain_to_fp16': None}  # says that the decoder is in float16


def test_as_stored_rounds_every_constant_that_float16_holds(tmp_path: Path) -> None:
    graph = graph_of(detector_of(tmp_path))
    weight = graph.model.backbone.stage0.reparam_conv.weight
    with torch.no_grad():
        weight[0, 0, 0, 0] = 1e6
    stored, errors = as_stored(graph, GAIN, half=True)
    kept = stored.model.backbone.stage0.reparam_conv
    assert torch.equal(kept.weight, weight)
    others = [tensor for tensor in (*stored.parameters(), *stored.buffers()) if tensor is not kept.weight]
    assert len(others) > 50
    assert all(torch.equal(tensor, tensor.half().float()) for tensor in others)
    assert 1e-5 < max(errors.values()) < 2**-11
    assert stored.runs[0].decode.limit == 4.13671875  # log(1000 / 16) to 11 bits
    assert graph.runs[0].decode.limit == pytest.approx(4.1351666)
    assert not torch.equal(graph.normalise.mean, stored.normalise.mean)


def test_as_stored_changes_nothing_for_a_float32_program(tmp_path: Path) -> None:
    graph = graph_of(detector_of(tmp_path))
    stored, errors = as_stored(graph, {}, half=False)
    assert set(errors.values()) == {0}
    found = run_graph(stored, PICTURE)
    for name, values in run_graph(graph, PICTURE).items():
        np.testing.assert_array_equal(found[name], values)


@pytest.mark.parametrize('ending', ['', '_to_fp16', '_to_fp16_quantized', '_palettized'])
def test_as_stored_takes_the_programs_constants(ending: str, tmp_path: Path) -> None:
    graph = graph_of(detector_of(tmp_path))
    weight = graph.model.neck.extra_layers[0][0].conv.weight.detach()
    key = f'p_model_neck_extra_layers_0_0_conv_weight{ending}'
    stored, errors = as_stored(graph, {key: weight * 1.25}, half=False)
    assert torch.equal(stored.model.neck.extra_layers[0][0].conv.weight, weight * 1.25)
    assert errors.pop(key) == pytest.approx(0.25, rel=1e-5)
    assert set(errors.values()) == {0}  # each is named and judged by itself
    _, of_another_shape = as_stored(graph, {key: weight[:1] * 1.25}, half=False)
    assert set(of_another_shape.values()) == {0}
    _, of_no_numbers = as_stored(graph, {key: weight * torch.nan}, half=False)
    assert of_no_numbers[key] == torch.inf


def test_as_stored_folds_norms_that_fusing_leaves(tmp_path: Path) -> None:
    config = configs.load_config(write_config(tmp_path))
    config.model.backbone = {'type': 'ResNet', 'depth': 18, 'base_channels': 8, 'out_indices': (2, 3)}
    config.model.neck.in_channels = config.model.neck.out_channels[:2]
    model = lively(configs.build_model(config), SIZE)
    graph = graph_of(model)
    assert any(isinstance(module, torch.nn.BatchNorm2d) for module in graph.modules())
    stored, _ = as_stored(graph, GAIN, half=True)
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in stored.modules())
    found = run_graph(stored, PICTURE)
    for name, values in run_graph(graph, PICTURE).items():
        np.testing.assert_allclose(found[name], values, rtol=0, atol=0.02)
