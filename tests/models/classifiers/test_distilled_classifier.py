"""The student: its loss in closed form, what training changes and what it never touches, and where its weights go."""

import copy
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmcv import imread, imresize
from mmengine.config import Config
from mmengine.model import ExponentialMovingAverage
from mmengine.optim import OptimWrapper
from mmpretrain.models import SelfSupDataPreprocessor
from mmpretrain.structures import DataSample
from tiny_teachers import said_by
from torch import Tensor, nn
from trainable_classifier import ARCH

from mobileone_mm import reparam
from mobileone_mm.errors import CheckpointError, ConfigError
from mobileone_mm.models.backbones.mobileone import MobileOne
from mobileone_mm.models.classifiers.distilled_classifier import DistilledClassifier
from mobileone_mm.openmmlab import configs
from mobileone_mm.weights.checkpoint import save_checkpoint
from mobileone_mm.weights.init_cfg import leave_out_files

CLASSES = 1000
SIDE = 64  # px
RELATIVE = 1e-5  # of a loss: float32 teachers in a float64 student
NOWHERE = [{'name': 'timm:nothing'}]
LABELS = torch.tensor([3, 500, 999, 0])


def config_of(teachers: Any = NOWHERE, **changes: Any) -> Config:
    """The shipped config of S0 above a tiny net."""
    config = configs.load_config('mobileone_s0_distill_in1k')
    config.model.backbone.arch = ARCH
    config.model.head.in_channels = 32
    config.model.update(teachers=teachers, init_cfg=None, **changes)
    return config


def student(teachers: Any = NOWHERE, **changes: Any) -> Any:
    """It, trained by nobody, with logits that spread."""
    model: Any = configs.build_model(config_of(teachers, **changes))
    nn.init.normal_(model.head.fc.weight, 0, 1.0)
    return model


def pictures() -> np.ndarray:
    """uint8 (4, SIDE, SIDE, 3), blue, green, red; each channel with its own mean."""
    noise = np.random.default_rng(0).normal((60, 120, 200), 50, (4, SIDE, SIDE, 3))
    return noise.clip(0, 255).astype(np.uint8)


def batch() -> dict[str, Any]:
    """As a data loader gives it."""
    inputs = torch.from_numpy(pictures().transpose(0, 3, 1, 2).copy())
    return {'inputs': inputs, 'data_samples': [DataSample().set_gt_label(label) for label in LABELS]}


def losses_of(model: Any) -> dict[str, Tensor]:
    found: dict[str, Tensor] = model(**model.data_preprocessor(batch(), True), mode='loss')
    return found


def log_softmax(scores: np.ndarray) -> np.ndarray:
    shifted = scores - scores.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))  # type: ignore[no-any-return]


@pytest.mark.parametrize('weight', [0.0, 0.7])
def test_the_loss_is_the_formula_in_float64(weight: float, teachers: list[dict[str, str]]) -> None:
    model = student(teachers, hard_label_weight=weight).double().train()
    plain = copy.deepcopy(model)  # whose statistics are still those before the step
    labels = np.mean([said_by(teacher, pictures()).numpy() for teacher in teachers], axis=0)
    normalised = (pictures()[..., ::-1] - np.array([123.675, 116.28, 103.53])) / [58.395, 57.12, 57.375]
    inputs = torch.from_numpy(normalised.transpose(0, 3, 1, 2).copy())
    logs = log_softmax(plain.head(plain.extract_feat(inputs)).detach().numpy())
    soft = -(labels * logs).sum(axis=1).mean()
    smooth = 0.9 * np.eye(CLASSES)[LABELS] + 0.1 / CLASSES  # the head's own loss
    hard = -(smooth * logs).sum(axis=1).mean()

    found = losses_of(model)
    assert found['loss_soft'].dtype == torch.float64
    assert found['loss_soft'].item() == pytest.approx(soft, rel=RELATIVE)
    if weight:
        assert found['loss_hard'].item() == pytest.approx(weight * hard, rel=RELATIVE)
    assert set(found) == {'loss_soft', *(['loss_hard'] if weight else [])}


def test_the_gradient_is_the_difference_of_probabilities(teachers: list[dict[str, str]]) -> None:
    """In closed form for the bias of the last layer: the mean over pictures of softmax(student) - soft label."""
    model = student(teachers).train()
    expected = copy.deepcopy(model)
    sum(losses_of(model).values()).backward()
    inputs = expected.data_preprocessor(batch(), True)['inputs']
    labels = sum(said_by(teacher, pictures()) for teacher in teachers) / len(teachers)
    difference = expected.head(expected.extract_feat(inputs)).double().softmax(dim=1) - labels
    torch.testing.assert_close(model.head.fc.bias.grad.double(), difference.mean(dim=0), rtol=0, atol=1e-5)
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_steps_change_the_student_and_nothing_of_its_teachers(teachers: list[dict[str, str]]) -> None:
    model = student(teachers)
    optimizer = OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.1))
    model.teachers.open()
    networks = [teacher.model for teacher in model.teachers._opened]
    before = [copy.deepcopy(network.state_dict()) for network in networks]
    trained = copy.deepcopy(model.state_dict())
    graded: list[bool] = []
    for network in networks:
        network.register_forward_hook(lambda *_: graded.append(torch.is_grad_enabled()))
    model.train()
    for _ in range(3):
        model.train_step(batch(), optimizer)
    assert graded == [False] * 6
    changed = [name for name, value in model.state_dict().items() if not torch.equal(value, trained[name])]
    assert 'head.fc.weight' in changed
    assert any(name.endswith('running_mean') for name in changed)
    ours = {id(parameter) for group in optimizer.param_groups for parameter in group['params']}
    for network, state in zip(networks, before, strict=True):
        assert not any(module.training for module in network.modules())
        for name, value in network.state_dict().items():
            assert torch.equal(value, state[name]), name
        for parameter in network.parameters():
            assert not parameter.requires_grad
            assert parameter.grad is None
            assert id(parameter) not in ours


def test_on_a_cpu_teachers_answer_in_float32_whatever_the_student_trains_in(teachers: list[dict[str, str]]) -> None:
    model = student(teachers).eval()
    plain = model.teachers.soft_labels(batch()['inputs'], CLASSES)
    kinds: list[bool] = []
    model.teachers._opened[0].model.register_forward_hook(lambda *_: kinds.append(torch.is_autocast_enabled('cpu')))
    with torch.autocast('cpu', dtype=torch.bfloat16):
        assert torch.equal(model.teachers.soft_labels(batch()['inputs'], CLASSES), plain)
        mixed = losses_of(model)['loss_soft']
    assert kinds == [False, False]
    assert mixed.dtype == torch.float32
    assert mixed.item() == pytest.approx(losses_of(model)['loss_soft'].item(), rel=0.05)


@pytest.mark.skipif(not torch.cuda.is_available(), reason='no CUDA device')
def test_on_a_gpu_teachers_answer_in_mixed_precision(teachers: list[dict[str, str]]) -> None:
    model = student(teachers)
    plain = model.teachers.soft_labels(batch()['inputs'], CLASSES)
    model = model.cuda()
    kinds: list[bool] = []
    for teacher in model.teachers._opened:
        teacher.model.register_forward_hook(lambda *_: kinds.append(torch.is_autocast_enabled('cuda')))
    found = model.teachers.soft_labels(batch()['inputs'].cuda(), CLASSES)
    assert kinds == [True, True]
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.cpu(), plain, rtol=0, atol=0.02)


def test_it_holds_what_a_plain_classifier_does_and_copies_share_the_teachers(teachers: list[dict[str, str]]) -> None:
    model = student(teachers)
    losses_of(model)
    plain_config = configs.load_config('mobileone_s0_in1k')
    plain_config.model.backbone.arch, plain_config.model.head.in_channels = ARCH, 32
    plain = configs.build_model(plain_config)
    shapes = {name: value.shape for name, value in plain.state_dict().items()}
    assert {name: value.shape for name, value in model.state_dict().items()} == shapes
    averaged = ExponentialMovingAverage(model, momentum=0.1, update_buffers=True)
    assert {name.removeprefix('module.') for name in averaged.state_dict()} == {*shapes, 'steps'}
    fused = reparam.fuse(model)
    for other in (averaged.module, fused, copy.deepcopy(model)):
        assert other.teachers is model.teachers
    plain.load_state_dict(model.state_dict())
    inputs = model.data_preprocessor(batch())['inputs']
    assert torch.equal(plain.eval()(inputs), model.eval()(inputs))
    torch.testing.assert_close(fused(inputs), plain(inputs), rtol=1e-3, atol=1e-3)


def test_all_but_training_needs_no_teacher(monkeypatch: pytest.MonkeyPatch) -> None:
    for package in ('timm', 'huggingface_hub'):
        monkeypatch.setitem(sys.modules, package, None)  # makes its import fail
    model = student()
    assert reparam.is_fused(reparam.fuse(model))
    assert model.predict(model.data_preprocessor(batch())['inputs'])[0].pred_score.shape == (CLASSES,)
    with pytest.raises(ConfigError, match='timm cannot be imported'):
        configs.build_model(config_of()).init_weights()
    with pytest.raises(ConfigError, match='timm cannot be imported'):
        losses_of(model)


@pytest.mark.parametrize('to_rgb', [True, False])
@pytest.mark.parametrize('constants', [{'mean': [100.0, 120.0, 140.0], 'std': [50.0, 60.0, 70.0]}, {}])
def test_the_students_normalisation_is_undone(to_rgb: bool, constants: dict[str, Any]) -> None:
    preprocessor = {'_delete_': True, 'to_rgb': to_rgb, **constants}
    config = config_of()
    config.merge_from_dict({'model': {'data_preprocessor': preprocessor}})
    model: Any = configs.build_model(config)
    pixels = model._pixels(model.data_preprocessor(batch(), True)['inputs'])
    torch.testing.assert_close(pixels, batch()['inputs'].float(), rtol=0, atol=1e-4)


def test_mixed_pictures_are_mixed_for_the_teachers_too(teachers: list[dict[str, str]]) -> None:
    model = student(teachers, train_cfg={'augments': {'type': 'Mixup', 'alpha': 9.0}})
    seen: list[Tensor] = []
    model.teachers.soft_labels = lambda pixels, classes: (seen.append(pixels), torch.full((4, classes), 1 / classes))[1]
    np.random.seed(1)
    prepared = model.data_preprocessor(batch(), True)
    model(**prepared, mode='loss')
    share = prepared['data_samples'][0].gt_score.max().item()  # of the first label
    assert 0.01 < share < 0.99
    raw = batch()['inputs'].float()
    mixtures = [share * raw[0] + (1 - share) * other for other in raw]
    assert min((seen[0][0] - mixture).abs().max().item() for mixture in mixtures) < 1e-3


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'hard_label_weight': -1}, 'hard_label_weight=-1 given, expected 0 or more'),
        ({'hard_label_weight': 'a'}, "hard_label_weight='a' given"),
        ({'teachers': []}, 'teachers: none given'),
    ],
)
def test_an_option_that_does_not_fit_is_named(changes: dict[str, Any], message: str) -> None:
    config = config_of()
    config.model.update(changes)
    with pytest.raises(ConfigError, match=message):
        configs.build_model(config)


def test_a_data_preprocessor_that_cannot_be_undone_is_refused() -> None:
    with pytest.raises(ConfigError, match='data_preprocessor of type SelfSupDataPreprocessor given, expected Cls'):
        DistilledClassifier(data_preprocessor=SelfSupDataPreprocessor(), backbone=nn.Identity(), teachers=NOWHERE)


def initialised(teachers: Any, checkpoint: Path) -> Any:
    config = config_of(teachers)
    config.model.init_cfg = {'type': 'Pretrained', 'checkpoint': str(checkpoint)}
    model: Any = configs.build_model(config)
    model.init_weights()
    return model


def test_a_student_starts_from_apples_or_our_weights_its_classifier_included(
    teachers: list[dict[str, str]], tmp_path: Path
) -> None:
    trained = student()
    inputs = trained.data_preprocessor(batch())['inputs']
    expected = trained.eval()(inputs)
    bare = {
        name.removeprefix('backbone.').replace('head.fc', 'linear'): value
        for name, value in trained.state_dict().items()
    }
    save_checkpoint(tmp_path / 'apple.pth', bare, None)
    save_checkpoint(tmp_path / 'ours.pth', trained.state_dict(), {})
    save_checkpoint(tmp_path / 'fused.pth', reparam.fuse(trained).state_dict(), {})
    backbone = {name: value for name, value in bare.items() if not name.startswith('linear')}
    save_checkpoint(tmp_path / 'backbone.pth', backbone, None)
    few = {**bare, 'linear.weight': bare['linear.weight'][:6], 'linear.bias': bare['linear.bias'][:6]}
    save_checkpoint(tmp_path / 'few.pth', few, None)
    for name in ('apple', 'ours'):
        assert torch.equal(initialised(teachers, tmp_path / f'{name}.pth').eval()(inputs), expected)
    fused = initialised(teachers, tmp_path / 'fused.pth')
    assert fused.backbone.awaits_calibration  # by ExpandHook
    torch.testing.assert_close(fused.eval()(inputs), expected, rtol=1e-3, atol=1e-3)
    with pytest.raises(CheckpointError, match=r'backbone\.pth: holds a backbone alone, and `model\.init_cfg\.check'):
        initialised(teachers, tmp_path / 'backbone.pth')
    with pytest.raises(CheckpointError, match=r'few\.pth: the file has 6 classes, the config 1000'):
        initialised(teachers, tmp_path / 'few.pth')
    with pytest.raises(CheckpointError, match=r'no\.pth: no such weight file'):
        initialised(teachers, tmp_path / 'no.pth')


def test_what_a_resumed_run_is_about_to_replace_is_not_read(teachers: list[dict[str, str]], tmp_path: Path) -> None:
    config = config_of(teachers)
    config.model.init_cfg = {'type': 'Pretrained', 'checkpoint': str(tmp_path / 'no.pth')}
    model = configs.build_model(config)
    leave_out_files(model)
    model.init_weights()
    assert model.teachers._opened


def test_weights_that_cannot_be_downloaded_name_the_students_own_option(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv('TORCH_HOME', str(tmp_path))
    config = config_of()
    config.model.init_cfg = {'type': 'Pretrained', 'checkpoint': 'http://127.0.0.1:9/s0.pth'}  # nobody listens there
    with pytest.raises(CheckpointError, match=r'cannot be downloaded .*--cfg-options model\.init_cfg\.checkpoint=FILE'):
        configs.build_model(config).init_weights()


def test_the_real_s0_teaches_what_it_says_itself(real_data: Path, tmp_path: Path) -> None:
    weights = real_data / 'weights/mobileone_s0/mobileone_s0.pth.tar'
    name = f'mmpretrain:{configs.load_config("mobileone_s0_in1k").filename}'
    model = student([{'name': name, 'checkpoint': str(weights)}])
    photos = sorted((real_data / 'data/imagenet_sample200/val').rglob('*.*'))[:200:50]
    raw = np.stack([imresize(imread(str(photo)), (224, 224)) for photo in photos])
    inputs = model.data_preprocessor({'inputs': torch.from_numpy(raw.transpose(0, 3, 1, 2).copy())})['inputs']
    labels = model.teachers.soft_labels(model._pixels(inputs), CLASSES)

    state = torch.load(weights, weights_only=True)  # noqa: TID251 - not by what is tested
    own, linear = MobileOne('s0', deploy=True).double().eval(), nn.Linear(1024, CLASSES).double()
    own.load_state_dict({key: value for key, value in state.items() if not key.startswith('linear')})
    linear.load_state_dict({key.removeprefix('linear.'): state[key] for key in ('linear.weight', 'linear.bias')})
    scaled = (raw[..., ::-1] / 255 - np.array([0.485, 0.456, 0.406])) / [0.229, 0.224, 0.225]
    with torch.no_grad():
        features = own(torch.from_numpy(scaled.transpose(0, 3, 1, 2).copy()))[-1]
        expected = linear(features.mean(dim=(2, 3))).softmax(dim=1)
    torch.testing.assert_close(labels.double(), expected, rtol=0, atol=1e-4)
    assert expected.max() > 0.5  # it knows what it sees
