"""Trained against fused model: a limit with room for the model's own last digit, and none for a wrong fold."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from mobileone_mm.errors import ExportError
from mobileone_mm.exporter.export import export
from mobileone_mm.exporter.model_checks import FUSED_MOST, FUSED_RUNG, fused_of
from mobileone_mm.models.backbones import fold
from mobileone_mm.openmmlab import configs
from mobileone_mm.openmmlab.open_model import open_model
from mobileone_mm.parity import FLOAT64_RELATIVE_LIMIT
from mobileone_mm.pictures.synthetic import drawn_picture
from mobileone_mm.reparam import own_rounding
from mobileone_mm.tasks.by_name import task_named
from mobileone_mm.weights import checkpoint
from tiny_detector import SIZE

PICTURE = drawn_picture(SIZE)
TASK = task_named('detection')
CANCELLED = 1e7  # float64's last digit of it is 2e-9


def model_of(detector: tuple[Path, Path]) -> Any:
    return open_model(configs.load_config(detector[0]), detector[1])[0].double()


def shaky(model: Any) -> Any:
    """The same function, but that each norm of the first unit subtracts a large number and adds it again."""
    for norm in (module for module in model.backbone.stage0.modules() if isinstance(module, nn.BatchNorm2d)):
        norm.running_mean.add_(CANCELLED)
        with torch.no_grad():
            norm.bias.add_(CANCELLED * norm.weight / (norm.running_var + norm.eps).sqrt())
    return model


def test_a_sound_model_has_the_limit_of_the_table(detector: tuple[Path, Path]) -> None:
    rung = fused_of(TASK, TASK.options(), model_of(detector), [PICTURE], was_fused=False).rung
    assert (rung.name, rung.limit, rung.note) == (FUSED_RUNG, FLOAT64_RELATIVE_LIMIT, '')
    assert rung.holds


def test_a_model_that_magnifies_the_last_digit_has_room(detector: tuple[Path, Path]) -> None:
    rung = fused_of(TASK, TASK.options(), shaky(model_of(detector)), [PICTURE], was_fused=False).rung
    assert rung.value is not None
    assert FLOAT64_RELATIVE_LIMIT < rung.value <= rung.limit <= FUSED_MOST
    assert rung.note.startswith(
        'limit 1e-10 widened: another last digit in float64 alone moves what this model gives by '
    )


@pytest.mark.parametrize('change', [lambda model: model, shaky])
def test_a_wrong_fold_fails_all_the_same(
    change: Any, detector: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def without_eps(kernel: Any, bias: Any, norm: Any) -> Any:
        eps, norm.eps = norm.eps, 0.0
        folded = fold_norm(kernel, bias, norm)
        norm.eps = eps
        return folded

    fold_norm = fold.fold_norm
    monkeypatch.setattr(fold, 'fold_norm', without_eps)
    rung = fused_of(TASK, TASK.options(), change(model_of(detector)), [PICTURE], was_fused=False).rung
    assert not rung.holds
    assert rung.cure


def test_a_fused_checkpoint_has_nothing_to_be_compared_with(detector: tuple[Path, Path]) -> None:
    rung = fused_of(TASK, TASK.options(), model_of(detector), [PICTURE], was_fused=True).rung
    assert (rung.value, rung.note) == (None, 'not run: the checkpoint was fused before')


def test_the_last_digits_of_input_parameters_and_buffers_are_nudged() -> None:
    ones = torch.ones(2, 64, dtype=torch.float64)
    assert own_rounding(nn.Identity(), ones).max_abs == 2.0**-52
    assert own_rounding(nn.Identity(), ones.float()).max_abs == 2.0**-23
    norm = nn.BatchNorm1d(64).double().eval()
    nn.init.constant_(norm.bias, 1e6)
    assert 1e-10 < own_rounding(norm, ones).max_abs < 1e-9
    nn.init.constant_(norm.bias, 0)
    norm.running_mean.fill_(1e6)
    before = {name: tensor.clone() for name, tensor in norm.state_dict().items()}
    assert 1e-10 < own_rounding(norm, ones).max_abs < 1e-9
    assert all(torch.equal(tensor, before[name]) for name, tensor in norm.state_dict().items())


@pytest.mark.parametrize('task', ['detector', 'segmenter', 'classifier'])
def test_a_network_of_zeros_is_refused(task: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    config_file, weights = request.getfixturevalue(task)
    source = checkpoint.read_checkpoint(weights)
    zeros = {name: torch.zeros_like(value) for name, value in source.state_dict.items()}
    checkpoint.save_checkpoint(tmp_path / 'zeros.pth', zeros, source.meta)
    with pytest.raises(ExportError, match=r'the same for a picture and for its negative, .* look at the checkpoint'):
        export(config_file, tmp_path / 'zeros.pth', tmp_path / 'out.onnx')
    assert not (tmp_path / 'out.onnx').exists()
