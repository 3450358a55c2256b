"""Fused and trained form of a backbone's weights: folding a file, expanding a kernel, calibrating on a batch."""

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from mobileone_mm.errors import CheckpointError, DataError, FuseError
from mobileone_mm.models.backbones.mobileone import MobileOne
from mobileone_mm.parity import FLOAT64_RELATIVE_LIMIT, Parity, compare, worst
from mobileone_mm.weights import expand

ARCH = {
    'num_blocks': [1, 2, 3, 1],
    'width_factor': [0.25, 0.25, 0.25, 0.25],
    'num_conv_branches': [1, 2, 3, 1],
    'num_se_blocks': [0, 0, 1, 1],
}
ALL = (0, 1, 2, 3)
# Training mode after calibration against the fused function, fraction of the range; float32 adds its rounding to it.
EXPANSION_LIMIT = 1e-9  # float64
EXPANSION_LIMIT_FLOAT32 = 1e-5


def difference(reference: tuple[Tensor, ...], candidate: tuple[Tensor, ...]) -> Parity:
    pairs = zip(reference, candidate, strict=True)
    return worst([compare(a.detach().numpy(), b.detach().numpy()) for a, b in pairs])


def batch(count: int = 4, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(count, 3, 64, 64, dtype=dtype)


@pytest.fixture
def trained(randomise_batch_norm: Callable[..., nn.Module]) -> MobileOne:
    model = randomise_batch_norm(MobileOne(ARCH, out_indices=ALL)).double().eval()
    assert isinstance(model, MobileOne)
    return model


@pytest.fixture
def fused(trained: MobileOne) -> MobileOne:
    copied = copy.deepcopy(trained)
    copied.switch_to_deploy()
    return copied


def expanded(fused: MobileOne, **options: object) -> MobileOne:
    model = MobileOne(ARCH, out_indices=ALL, **options).double()
    expand.expand(model, fused.state_dict())
    return model


@torch.no_grad()
@pytest.mark.parametrize('switch', ['use_scale', 'use_skip', None])
def test_a_file_folds_as_the_model_does(switch: str | None, randomise_batch_norm: Callable[..., nn.Module]) -> None:
    arch = ARCH if switch is None else {**ARCH, switch: False}
    model = randomise_batch_norm(MobileOne(arch, out_indices=ALL)).double().eval()
    folded = expand.fold_state(model.state_dict())
    twin = MobileOne(arch, out_indices=ALL, deploy=True).double().eval()
    twin.load_state_dict(folded, strict=True)
    images = batch()
    assert difference(model(images), twin(images)).relative <= FLOAT64_RELATIVE_LIMIT


def test_a_file_that_lacks_a_statistic_does_not_fold(trained: MobileOne) -> None:
    state = trained.state_dict()
    del state['stage2.1.rbr_conv.1.bn.running_var']
    with pytest.raises(CheckpointError, match=r"stage2\.1 lacks 'rbr_conv\.1\.bn\.running_var'"):
        expand.fold_state(state)


@torch.no_grad()
def test_an_expanded_backbone_computes_the_fused_function_in_eval_mode(fused: MobileOne) -> None:
    model, images = expanded(fused), batch()
    assert expand.awaits_calibration(model)
    assert difference(fused(images), model.eval()(images)).relative <= FLOAT64_RELATIVE_LIMIT


@torch.no_grad()
@pytest.mark.parametrize(
    'options',
    [{}, {'norm_eval': True}, {'frozen_stages': 2}, {'norm_cfg': {'type': 'BN', 'eps': 1e-2}}, {'with_cp': True}],
    ids=str,
)
def test_after_calibration_both_modes_compute_it(fused: MobileOne, options: dict[str, object]) -> None:
    model, images = expanded(fused, **options), batch()
    reference = fused(images)
    measured = expand.calibrate(model, [images])
    assert not expand.awaits_calibration(model)
    assert difference(reference, model.eval()(images)).relative <= EXPANSION_LIMIT
    actual = difference(reference, model.train()(images))
    assert actual.relative <= EXPANSION_LIMIT
    assert measured.relative <= EXPANSION_LIMIT


@torch.no_grad()
def test_without_calibration_training_mode_computes_something_else(fused: MobileOne) -> None:
    # Or the test above would prove nothing.
    images = batch()
    assert difference(fused(images), expanded(fused).train()(images)).relative > 0.1


@torch.no_grad()
def test_float32_adds_only_its_rounding(fused: MobileOne) -> None:
    model, images = expanded(fused).float(), batch(dtype=torch.float32)
    reference = fused.float()(images)
    assert expand.calibrate(model, [images]).relative <= EXPANSION_LIMIT_FLOAT32
    assert difference(reference, model.eval()(images)).relative <= EXPANSION_LIMIT_FLOAT32


@torch.no_grad()
def test_batches_of_unequal_size_count_as_one(fused: MobileOne) -> None:
    images = batch(7)
    at_once, in_parts = expanded(fused), expanded(fused)
    in_parts.load_state_dict(at_once.state_dict())
    expand.calibrate(at_once, [images])
    expand.calibrate(in_parts, [images[:1], images[1:3], images[3:]])
    torch.testing.assert_close(in_parts.state_dict(), at_once.state_dict(), rtol=1e-9, atol=1e-9)


@torch.no_grad()
def test_calibration_of_any_backbone_keeps_its_eval_mode(trained: MobileOne) -> None:
    images, others = batch(), batch()
    reference = trained(images)
    trained.train()
    expand.calibrate(trained, [others])
    assert trained.training
    assert difference(reference, trained.eval()(images)).relative <= EXPANSION_LIMIT


def test_a_step_of_training_moves_every_branch_and_keeps_them_apart(fused: MobileOne) -> None:
    model = expanded(fused)
    expand.calibrate(model, [batch()])
    model.train()
    optimiser = torch.optim.SGD(model.parameters(), lr=1e-3)
    for _ in range(2):  # with gamma 0 a kernel has no gradient before its gamma has moved
        before = {name: value.clone() for name, value in model.named_parameters()}
        optimiser.zero_grad()
        sum(map_.square().mean() for map_ in model(batch())).backward()
        optimiser.step()
    still = [name for name, value in model.named_parameters() if torch.equal(value, before[name])]
    assert not still
    branches = model.stage3[0].rbr_conv
    assert not torch.equal(branches[1].conv.weight, branches[2].conv.weight)
    assert not torch.equal(branches[1].bn.weight, branches[2].bn.weight)


def test_only_the_first_branch_speaks_before_training(fused: MobileOne) -> None:
    model = expanded(fused)
    expand.calibrate(model, [batch()])
    for name, norm in model.named_modules():
        if isinstance(norm, _BatchNorm):
            assert bool(norm.weight.any()) == name.endswith('rbr_conv.0.bn'), name


def test_no_batch_is_an_error(fused: MobileOne) -> None:
    with pytest.raises(DataError, match='gave no batch'):
        expand.calibrate(expanded(fused), [])


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'deploy': True}, 'a fused backbone given'),
        ({'conv_cfg': {'type': 'ConvWS'}}, 'conv_cfg of the backbone builds ConvWS2d'),
        ({'norm_cfg': {'type': 'BN', 'track_running_stats': False}}, 'norm_cfg .* track_running_stats=False'),
        ({'norm_cfg': {'type': 'BN', 'affine': False}}, 'norm_cfg .* affine=False'),
    ],
)
def test_a_backbone_that_could_not_compute_the_fused_function_is_refused(
    options: dict[str, object], message: str, fused: MobileOne
) -> None:
    with pytest.raises(FuseError, match=message):
        expanded(fused, **options)


def test_norms_without_statistics_cannot_be_calibrated() -> None:
    model = MobileOne(ARCH, norm_cfg={'type': 'BN', 'track_running_stats': False}).double()
    with pytest.raises(FuseError, match='track_running_stats=False'):
        expand.calibrate(model, [batch()])
