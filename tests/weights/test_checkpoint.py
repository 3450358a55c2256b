"""Weight files: what is read and what is refused, what is written, and how a file gets into a model."""

import io
import logging
import os
import pickle
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.logging import HistoryBuffer, MMLogger
from mmengine.model import initialize
from torch import Tensor, nn

from mobileone_mm import reparam
from mobileone_mm.errors import CheckpointError, ConfigError, FuseError
from mobileone_mm.models.backbones.mobileone import MobileOne
from mobileone_mm.models.backbones.variants import ARCHITECTURES
from mobileone_mm.openmmlab import configs, open_model
from mobileone_mm.outputs import file_sha256
from mobileone_mm.parity import FLOAT32_RELATIVE_LIMIT, compare
from mobileone_mm.weights import checkpoint, expand, names
from mobileone_mm.weights.layouts import LAYOUTS

ARCH = {
    'num_blocks': [1, 1, 1, 1],
    'width_factor': [0.25, 0.25, 0.25, 0.25],
    'num_conv_branches': [2, 2, 2, 2],
    'num_se_blocks': [0, 0, 0, 1],
}
WIDTH = 128  # of ARCH's last stage
CLASSES = 3
LOGIT_LIMIT = 1e-4  # absolute, against stored logits of up to 14
TOP1, TOP5, PICTURES = 157, 187, 200  # a public decoder's counts; one picture either way for another JPEG decoder


def classifier_config(arch: Any = ARCH, num_classes: int = CLASSES, **backbone: Any) -> Config:
    model = {
        'type': 'ImageClassifier',
        'backbone': {'type': 'mobileone_mm.MobileOne', 'arch': arch, **backbone},
        'neck': {'type': 'GlobalAveragePooling'},
        'head': {'type': 'LinearClsHead', 'num_classes': num_classes, 'in_channels': WIDTH},
    }
    return Config({'default_scope': 'mmpretrain', 'model': model})


def save(path: Path, contents: object) -> Path:
    torch.save(contents, path)
    return path


@pytest.fixture
def trained(randomise_batch_norm: Callable[..., nn.Module]) -> MobileOne:
    model = randomise_batch_norm(MobileOne(ARCH)).eval()
    assert isinstance(model, MobileOne)
    return model


@pytest.fixture
def bare_file(trained: MobileOne, tmp_path: Path) -> Path:
    """Backbone and classifier as Apple publishes them."""
    linear = {f'linear.{key}': value for key, value in nn.Linear(WIDTH, CLASSES).state_dict().items()}
    return save(tmp_path / 'bare.pth.tar', {**trained.state_dict(), **linear})


@pytest.fixture
def fused_file(trained: MobileOne, tmp_path: Path) -> Path:
    return save(tmp_path / 'fused.pth', reparam.fuse(trained).state_dict())


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """What mmengine's logger is told; it hands nothing on to the root logger."""
    logger = MMLogger.get_current_instance()
    logger.addHandler(caplog.handler)
    caplog.handler.setLevel(logging.INFO)
    yield caplog
    logger.removeHandler(caplog.handler)


def same(model: nn.Module, reference: nn.Module) -> None:
    """Both compute the same in eval mode."""
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        expected, actual = reference.eval()(images)[0], model.eval()(images)[0]
    assert compare(expected.numpy(), actual.numpy()).relative <= FLOAT32_RELATIVE_LIMIT


# Reading


def test_what_is_written_is_read_back(trained: MobileOne, tmp_path: Path) -> None:
    path = tmp_path / 'a.pth'
    meta = {
        'dataset_meta': {'classes': ('a', 'b')},
        'score': np.float64(0.5),
        'anchors': np.eye(2),
        'seen': {1: [None]},
    }
    checkpoint.save_checkpoint(path, trained.state_dict(), {**meta, 'model': trained, 'deep': [object(), 3]})
    read = checkpoint.read_checkpoint(path)
    torch.testing.assert_close(read.state_dict, dict(trained.state_dict()), rtol=0, atol=0)
    assert read.meta == {**meta, 'anchors': [[1.0, 0.0], [0.0, 1.0]], 'deep': [3]}
    assert type(read.meta['score']) is float
    assert read.classes == ('a', 'b')
    assert read.sha256 == file_sha256(path)
    assert read.form == 'trained'


def test_without_meta_a_bare_state_dict_is_written(trained: MobileOne, tmp_path: Path) -> None:
    checkpoint.save_checkpoint(tmp_path / 'a.pth', trained.state_dict(), None)
    assert set(torch.load(tmp_path / 'a.pth', weights_only=True)) == set(trained.state_dict())  # noqa: TID251


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / 'a.pth'
    checkpoint.save_checkpoint(path, {'stage0.reparam_conv.bias': torch.zeros(1)}, {})
    before = path.read_bytes()
    with pytest.raises(AttributeError):
        checkpoint.save_checkpoint(path, {'a': None}, {})  # type: ignore[dict-item]
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ['a.pth']


def test_a_file_of_a_newer_format_is_refused(trained: MobileOne, tmp_path: Path) -> None:
    block = {'mobileone_mm': {'kind': 'fused', 'format_version': checkpoint.FORMAT_VERSION + 1}}
    checkpoint.save_checkpoint(tmp_path / 'a.pth', trained.state_dict(), block)
    with pytest.raises(CheckpointError, match=r'a\.pth: written in format 2 .* reads up to 1; run: pip install'):
        checkpoint.read_checkpoint(tmp_path / 'a.pth')


@pytest.mark.parametrize('block', ['x', {'format_version': 'two'}, {'format_version': None}])
def test_a_block_that_is_not_ours_is_refused(block: object, trained: MobileOne, tmp_path: Path) -> None:
    checkpoint.save_checkpoint(tmp_path / 'a.pth', trained.state_dict(), {'mobileone_mm': block})
    with pytest.raises(CheckpointError, match=r"a\.pth: meta\['mobileone_mm'\] = .* given, expected a dict"):
        checkpoint.read_checkpoint(tmp_path / 'a.pth')


@pytest.mark.parametrize(('classes', 'expected'), [(5, None), ('cat', ('cat',)), (['a', 'b'], ('a', 'b')), ([], None)])
def test_class_names_are_read_where_there_are_any(classes: object, expected: object, tmp_path: Path) -> None:
    meta = {'dataset_meta': {'classes': classes}}
    checkpoint.save_checkpoint(tmp_path / 'a.pth', {'a': torch.zeros(1)}, meta)
    assert checkpoint.read_checkpoint(tmp_path / 'a.pth').classes == expected


def message_hub() -> dict[str, Any]:
    """What mmengine 0.10.7 stores: histories as objects, numpy numbers among the values."""
    history = HistoryBuffer()
    for step in range(3):
        history.update(step / 2, 1)
    return {'log_scalars': {'loss': history}, 'runtime_info': {'eta': np.float64(3.5)}, 'resumed_keys': {'loss': True}}


def test_mmengines_own_training_checkpoint_is_read_without_its_histories(trained: MobileOne, tmp_path: Path) -> None:
    contents = {'state_dict': trained.state_dict(), 'meta': {'epoch': 3}, 'message_hub': message_hub()}
    path = save(tmp_path / 'epoch_3.pth', contents)
    with pytest.raises(pickle.UnpicklingError):  # or there would be nothing to test
        torch.load(path, weights_only=True)  # noqa: TID251
    read = checkpoint.read_checkpoint(path)
    torch.testing.assert_close(read.state_dict, dict(trained.state_dict()), rtol=0, atol=0)
    assert read.meta == {'epoch': 3}


class Attack:
    """Runs a command when it is unpickled by a careless reader."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.marker),)


class Attribute:
    """Reaches for code through `getattr`, which mmengine's own files name as well."""

    def __reduce__(self) -> tuple[Any, ...]:
        return getattr, (HistoryBuffer, 'mean')


@pytest.mark.parametrize('place', ['message_hub', 'meta', 'state_dict'])
def test_code_is_refused_by_name_and_not_run(place: str, tmp_path: Path) -> None:
    contents: dict[str, Any] = {'state_dict': {'a': torch.zeros(1)}, 'meta': {}, 'message_hub': message_hub()}
    contents[place]['x'] = Attack(tmp_path / 'ran')
    path = save(tmp_path / 'a.pth', contents)
    with pytest.raises(CheckpointError, match=r'a\.pth: refused.*it names code: posix\.mkdir|it names code: nt\.mkdir'):
        checkpoint.read_checkpoint(path)
    assert not (tmp_path / 'ran').exists()


def test_what_an_allowed_name_makes_is_inert_and_kept_nowhere(tmp_path: Path) -> None:
    contents = {'state_dict': {'stage0.reparam_conv.bias': torch.zeros(1)}, 'meta': {'x': Attribute(), 'y': 1}}
    assert checkpoint.read_checkpoint(save(tmp_path / 'a.pth', contents)).meta == {'y': 1}
    contents = {'state_dict': {'stage0.reparam_conv.bias': torch.zeros(1), 'x': Attribute()}}
    with pytest.raises(CheckpointError, match='expected a state dict: names with their tensors'):
        checkpoint.read_checkpoint(save(tmp_path / 'b.pth', contents))


def html(path: Path) -> None:
    path.write_text('<html>404</html>')


def truncated(path: Path) -> None:
    whole = io.BytesIO()
    torch.save({'a': torch.zeros(1000)}, whole)
    path.write_bytes(whole.getvalue()[:1000])


@pytest.mark.parametrize(
    ('make', 'message'),
    [
        (html, r"this is no \.pth \(it begins with '<html>404</html>'\)"),
        (truncated, 'cannot be read as a weight file'),
        (Path.touch, r'this is no \.pth \(it is empty\)'),
        (lambda path: save(path, torch.zeros(1)), 'holds a Tensor; expected a state dict'),
        (lambda path: None, 'no such weight file'),
    ],
)
def test_what_is_no_weight_file_is_an_error_with_its_name(
    make: Callable[[Path], object], message: str, tmp_path: Path
) -> None:
    make(tmp_path / 'a.pth')
    with pytest.raises(CheckpointError, match=rf'a\.pth: ({message})'):
        checkpoint.read_checkpoint(tmp_path / 'a.pth')


def test_a_file_url_is_a_path(bare_file: Path) -> None:
    assert checkpoint.read_checkpoint(bare_file.as_uri()).path == bare_file


def test_a_url_without_network_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('TORCH_HOME', str(tmp_path))
    url = 'http://127.0.0.1:9/mobileone_s0.pth.tar'  # the discard port: nobody listens
    message = (
        rf'{url}: cannot be downloaded \(.*\); fetch it elsewhere and save it as {tmp_path}/.*mobileone_s0\.pth\.tar'
    )
    with pytest.raises(CheckpointError, match=message):
        checkpoint.read_checkpoint(url)


def test_other_schemes_are_refused() -> None:
    with pytest.raises(CheckpointError, match='s3: given, expected a path or a file:, http: or https: URL'):
        checkpoint.read_checkpoint('s3://bucket/a.pth')


# Into a backbone


@pytest.mark.parametrize('layout', LAYOUTS)
@pytest.mark.parametrize('form', ['trained', 'fused'])
@pytest.mark.parametrize('deploy', [False, True], ids=['into trained', 'into fused'])
def test_any_file_gives_any_form_the_same_function(
    layout: str, form: str, deploy: bool, trained: MobileOne, bare_file: Path, tmp_path: Path
) -> None:
    state = checkpoint.read_checkpoint(bare_file).state_dict
    if form == 'fused':
        linear = {key: value for key, value in state.items() if key.startswith('linear')}
        state = {**reparam.fuse(trained).state_dict(), **linear}
    if LAYOUTS[layout].classifier is None:
        state = {key: value for key, value in state.items() if not key.startswith('linear')}
    path = save(tmp_path / 'a.pth', names.convert(state, layout))
    model = MobileOne(ARCH, deploy=deploy, init_cfg={'type': 'Pretrained', 'checkpoint': str(path)})
    model.init_weights()
    same(model, trained)
    assert expand.awaits_calibration(model) == (form == 'fused' and not deploy)


@pytest.mark.parametrize('layout', LAYOUTS)
@pytest.mark.parametrize('form', ['trained', 'fused'])
@pytest.mark.parametrize('deploy', [False, True], ids=['into trained', 'into fused'])
def test_weights_of_an_activation_are_read_as_well(
    layout: str, form: str, deploy: bool, randomise_batch_norm: Callable[..., nn.Module], tmp_path: Path
) -> None:
    source = randomise_batch_norm(MobileOne(ARCH, act_cfg={'type': 'PReLU'})).eval()
    slopes = [parameter for name, parameter in source.named_parameters() if '.activation.' in name]
    for slope in slopes:
        nn.init.uniform_(slope)
    assert len(slopes) == 9  # stem, and two a block
    state = (reparam.fuse(source) if form == 'fused' else source).state_dict()
    path = save(tmp_path / 'a.pth', names.convert(state, layout))
    model = MobileOne(ARCH, act_cfg={'type': 'PReLU'}, deploy=deploy)
    checkpoint.load_backbone_weights(model, path)
    same(model, source)


def test_a_features_only_file_of_timm_that_lacks_a_stage_is_named(trained: MobileOne, tmp_path: Path) -> None:
    state = names.convert(trained.state_dict(), 'timm_features')
    path = save(tmp_path / 'a.pth', {key: value for key, value in state.items() if not key.startswith('stages_3.')})
    with pytest.raises(
        CheckpointError,
        match=r'a trained MobileOne cut after stage 3 with k=2 .*\(timm features_only keys\); the config wants a '
        r'trained MobileOne of custom widths .*: missing 33 keys \(stage4\.0\.',
    ):
        checkpoint.load_weights(MobileOne(ARCH), path)


def test_the_classifier_that_is_left_out_is_logged(bare_file: Path, log: pytest.LogCaptureFixture) -> None:
    checkpoint.load_backbone_weights(MobileOne(ARCH), bare_file)
    assert 'left out: 2 keys (linear.weight, linear.bias)' in log.text


def test_an_expanded_backbone_asks_for_the_hook_in_the_log(fused_file: Path, log: pytest.LogCaptureFixture) -> None:
    checkpoint.load_backbone_weights(MobileOne(ARCH), fused_file)
    assert [record.levelname for record in log.records if 'ExpandHook' in record.message] == ['INFO']


@pytest.mark.parametrize('deploy', [False, True])
@pytest.mark.parametrize('form', ['trained', 'fused'])
def test_squeeze_excite_is_left_out_where_the_config_says_so(
    form: str, deploy: bool, trained: MobileOne, tmp_path: Path, log: pytest.LogCaptureFixture
) -> None:
    expected = MobileOne(ARCH, se_cfg=None)
    expected.load_state_dict({key: value for key, value in trained.state_dict().items() if '.se.' not in key})
    source = trained if form == 'trained' else reparam.fuse(trained)
    path = save(tmp_path / 'a.pth', source.state_dict())
    model = MobileOne(ARCH, se_cfg=None, deploy=deploy)
    with pytest.raises(CheckpointError, match='without_se=True'):
        checkpoint.load_backbone_weights(model, path)
    rule = {'type': 'Pretrained', 'checkpoint': str(path), 'without_se': True}
    model = MobileOne(ARCH, se_cfg=None, deploy=deploy, init_cfg=rule)
    model.init_weights()
    same(model, expected)
    said = [record.message for record in log.records if record.levelname == 'WARNING']
    assert len(said) == 1
    assert 'the squeeze-excite of 2 blocks was left out' in said[0]


def test_a_backbone_that_squeezes_gets_it_whatever_is_said(bare_file: Path, trained: MobileOne) -> None:
    model = MobileOne(ARCH)
    checkpoint.load_backbone_weights(model, bare_file, without_se=True)
    same(model, trained)


@pytest.mark.parametrize(
    ('file', 'wanted', 'message'),
    [
        (
            {'arch': 's0', 'deploy': True},
            {'arch': 's2'},
            r'this is a fused S0 .*; the config wants a trained S2 .*\(48, 3, 3, 3\) given, \(64, 3, 3, 3\) expected',
        ),
        ({'arch': 's1'}, {'arch': 's3', 'deploy': True}, 'this is a trained S1 .*; the config wants a fused S3'),
        (
            {'arch': ARCH},
            {'arch': {**ARCH, 'num_conv_branches': [4] * 4}},
            r'with k=2 .* wants a trained MobileOne of custom widths with k=4 .*: missing 80 keys',
        ),
        (
            {'arch': ARCH},
            {'arch': ARCH, 'se_cfg': None},
            r'this is a trained .*, with squeeze-excite, which the config leaves out .*without_se=True',
        ),
        ({'arch': 's4'}, {'arch': 's3'}, 'this is a trained S4 .*; the config wants a trained S3'),
    ],
)
def test_the_wrong_variant_is_named(file: dict[str, Any], wanted: dict[str, Any], message: str, tmp_path: Path) -> None:
    path = save(tmp_path / 'a.pth', MobileOne(**file).state_dict())
    model = MobileOne(**wanted)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    with pytest.raises(CheckpointError, match=message):
        checkpoint.load_weights(model, path)
    torch.testing.assert_close(dict(model.state_dict()), before, rtol=0, atol=0)


@pytest.mark.parametrize(
    ('extra', 'prefix', 'message'),
    [
        (
            {'stage1.0.reparam_convv.weight': torch.zeros(1)},
            '',
            r'unexpected 1 key \(stage1\.0\.reparam_convv\.weight\)',
        ),
        (
            {'foo': torch.zeros(1)},
            '',
            r'beside 1 key \(foo\) of no known place .*: unexpected 1 key \(foo\); expected a',
        ),
        ({'linear.weight': torch.zeros(1)}, '', r'half a classifier: 1 key \(linear\.weight\) given'),
        ({'head.fc.bias': torch.zeros(1)}, 'backbone.', r'half a classifier: 1 key \(linear\.bias\) given'),
        ({'backbone.stage1.0.foo': torch.zeros(1)}, 'backbone.', r'unexpected 1 key \(backbone\.stage1\.0\.foo\)'),
        ({'stage1.0.foo': torch.zeros(1)}, 'backbone.', r'unexpected 1 key \(stage1\.0\.foo\)'),
    ],
)
def test_every_entry_finds_its_place_or_is_named(
    extra: dict[str, Tensor], prefix: str, message: str, trained: MobileOne, tmp_path: Path
) -> None:
    state = {f'{prefix}{key}': value for key, value in trained.state_dict().items()}
    path = save(tmp_path / 'a.pth', {**state, **extra})
    for load in (checkpoint.load_weights, checkpoint.load_backbone_weights):
        with pytest.raises(CheckpointError, match=rf'a\.pth: .*{message}'):
            load(MobileOne(ARCH), path)


@pytest.mark.parametrize('value', [float('nan'), float('inf')])
@pytest.mark.parametrize('deploy', [False, True], ids=['as it is', 'folded'])
def test_weights_that_are_not_finite_are_refused(
    value: float, deploy: bool, trained: MobileOne, tmp_path: Path
) -> None:
    state = trained.state_dict()
    key = 'stage2.0.rbr_conv.1.conv.weight'
    state[key][0, 0, 0, 0] = value
    message = rf'a\.pth: NaN or infinity in 1 key \({re.escape(key)}\)'
    with pytest.raises(CheckpointError, match=message):
        checkpoint.load_weights(MobileOne(ARCH, deploy=deploy), save(tmp_path / 'a.pth', state))


def test_a_missing_kind_of_branch_is_named(tmp_path: Path) -> None:
    path = save(tmp_path / 'a.pth', MobileOne('s0').state_dict())
    model = MobileOne({**ARCHITECTURES['s0'], 'use_skip': False})
    with pytest.raises(CheckpointError, match=r'this is a trained S0 with.* wants a trained S0 without skip branches'):
        checkpoint.load_weights(model, path)


def test_a_shape_that_cannot_be_folded_is_an_error(trained: MobileOne, tmp_path: Path) -> None:
    state = {**trained.state_dict(), 'stage0.rbr_conv.0.conv.weight': torch.tensor(1.0)}
    with pytest.raises(CheckpointError, match='the shapes in stage0 do not belong together'):
        checkpoint.load_weights(MobileOne(ARCH, deploy=True), save(tmp_path / 'a.pth', state))


def test_another_network_for_a_model_without_mobileone_is_named_with_its_path(tmp_path: Path) -> None:
    class Host(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Module()
            self.head.fc = nn.Linear(2, 2)

    path = save(tmp_path / 'other.pth', {'a': torch.zeros(1)})
    with pytest.raises(
        CheckpointError, match=r'other\.pth: this is no MobileOne: 1 key \(a\); the config wants another'
    ):
        checkpoint.load_weights(Host(), path)


def test_another_network_is_no_mobileone(tmp_path: Path) -> None:
    path = save(tmp_path / 'resnet.pth', {'layer1.0.conv1.weight': torch.zeros(1)})
    with pytest.raises(CheckpointError, match=r'resnet\.pth: this is no MobileOne'):
        checkpoint.load_weights(MobileOne(ARCH), path)


def test_one_missing_entry_is_an_error_and_a_batch_counter_is_not(trained: MobileOne, tmp_path: Path) -> None:
    state = {key: value for key, value in trained.state_dict().items() if not key.endswith('num_batches_tracked')}
    model = MobileOne(ARCH)
    checkpoint.load_weights(model, save(tmp_path / 'a.pth', state))
    same(model, trained)
    del state['stage1.0.rbr_skip.bias' if 'stage1.0.rbr_skip.bias' in state else 'stage1.0.rbr_scale.bn.bias']
    with pytest.raises(CheckpointError, match='missing 1 key'):
        checkpoint.load_weights(model, save(tmp_path / 'a.pth', state))


def test_only_a_mobileone_is_filled_so(trained: MobileOne, fused_file: Path) -> None:
    with pytest.raises(ConfigError, match='Conv2d given, expected a MobileOne'):
        checkpoint.load_backbone_weights(nn.Conv2d(3, 3, 1), fused_file)
    with pytest.raises(ConfigError, match='Sequential given, expected a MobileOne'):
        initialize(nn.Sequential(trained), {'type': 'mobileone_mm.Pretrained', 'checkpoint': str(fused_file)})


def test_fused_weights_into_other_convolutions_are_refused(fused_file: Path) -> None:
    model = MobileOne(ARCH, conv_cfg={'type': 'ConvWS'})
    with pytest.raises(FuseError, match='conv_cfg of the backbone builds ConvWS2d'):
        checkpoint.load_backbone_weights(model, fused_file)
    assert not expand.awaits_calibration(model)


# Into a whole model


def test_a_classification_file_fits_a_classifier(bare_file: Path) -> None:
    model, source = open_model.open_model(classifier_config(), bare_file)
    state = source.state_dict
    torch.testing.assert_close(model.head.fc.weight, nn.Parameter(state['linear.weight']), rtol=0, atol=0)
    assert not model.training
    assert not reparam.is_fused(model)


def test_load_weights_fills_a_classifier_and_its_backbone(bare_file: Path, trained: MobileOne) -> None:
    model = open_model.open_model(classifier_config(), bare_file)[0]
    other = open_model.open_model(classifier_config(), bare_file)[0]
    for parameter in other.parameters():
        nn.init.zeros_(parameter)
    checkpoint.load_weights(other, bare_file)
    torch.testing.assert_close(dict(other.state_dict()), dict(model.state_dict()), rtol=0, atol=0)


def test_load_weights_leaves_the_head_to_a_file_without_one(
    fused_file: Path, trained: MobileOne, bare_file: Path
) -> None:
    model = open_model.open_model(classifier_config(), bare_file)[0]
    head = model.head.fc.weight.clone()
    checkpoint.load_weights(model, fused_file)
    same(model.backbone, trained)
    assert expand.awaits_calibration(model.backbone)
    torch.testing.assert_close(model.head.fc.weight, nn.Parameter(head), rtol=0, atol=0)


def test_another_class_count_is_named(bare_file: Path) -> None:
    config = classifier_config(num_classes=5)
    message = rf'^{bare_file}: the file has 3 classes, the config 5; give the config it was trained with$'
    with pytest.raises(CheckpointError, match=message):
        open_model.open_model(config, bare_file)
    with pytest.raises(CheckpointError, match=message):
        checkpoint.load_weights(configs.build_model(config), bare_file)


def test_a_fused_whole_file_gives_a_fused_model(bare_file: Path, tmp_path: Path) -> None:
    trained = open_model.open_model(classifier_config(), bare_file)[0]
    path = tmp_path / 'fused.pth'
    checkpoint.save_checkpoint(path, reparam.fuse(trained).state_dict(), {})
    for config in (classifier_config(), classifier_config(deploy=True)):
        model = open_model.open_model(config, path)[0]
        assert reparam.is_fused(model)
        same(model.backbone, trained.backbone)


def test_a_trained_file_does_not_fit_a_fused_config(bare_file: Path) -> None:
    with pytest.raises(CheckpointError, match=r'this is a trained .* the config wants a fused'):
        open_model.open_model(classifier_config(deploy=True), bare_file)


def test_a_backbone_is_no_whole_model(fused_file: Path) -> None:
    with pytest.raises(CheckpointError, match=r'missing 2 keys \(head\.fc\.weight, head\.fc\.bias\)'):
        open_model.open_model(classifier_config(), fused_file)


def test_a_detector_file_feeds_a_backbone_and_a_detector(trained: MobileOne, tmp_path: Path) -> None:
    class Detector(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.backbone = MobileOne(ARCH)
            self.neck = nn.Conv2d(WIDTH, 2, 1)

    source = Detector()
    source.backbone.load_state_dict(trained.state_dict())
    path = save(tmp_path / 'det.pth', {'state_dict': source.state_dict(), 'meta': {}})
    backbone, target = MobileOne(ARCH), Detector()
    checkpoint.load_backbone_weights(backbone, path)
    same(backbone, trained)
    checkpoint.load_weights(target, path)
    torch.testing.assert_close(dict(target.state_dict()), dict(source.state_dict()), rtol=0, atol=0)
    fused = save(tmp_path / 'fused.pth', reparam.fuse(source).state_dict())
    with pytest.raises(CheckpointError, match='this is a fused MobileOne of custom widths inside a larger model'):
        checkpoint.load_weights(target, fused)  # open_model fuses first; here the model's form is the caller's


def load_backbone(path: Path) -> object:
    return checkpoint.load_backbone_weights(MobileOne(ARCH), path)


def load_classifier(path: Path) -> object:
    return checkpoint.load_weights(configs.build_model(classifier_config()), path)


def open_classifier(path: Path) -> object:
    return open_model.open_model(classifier_config(), path)


def refuse_in_words(path: Path) -> object:
    with pytest.raises(CheckpointError, match='the file has 3 classes, the config 5') as refused:
        open_model.open_model(classifier_config(num_classes=5), path)
    return refused


@pytest.mark.parametrize('load', [load_backbone, load_classifier, open_classifier, refuse_in_words])
def test_a_file_is_sorted_and_hashed_once_a_load(
    load: Callable[[Path], object], bare_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sorted_as, hashed, parse, file_sha256 = [], [], names.parse, checkpoint.file_sha256
    monkeypatch.setattr(names, 'parse', lambda state: sorted_as.append(len(state)) or parse(state))
    monkeypatch.setattr(checkpoint, 'file_sha256', lambda path: hashed.append(path) or file_sha256(path))
    load(bare_file)
    assert sorted_as[0] == len(checkpoint.safe_load.read(bare_file))
    assert len(sorted_as) == 1
    assert hashed == [bare_file]


# The real weights


@pytest.fixture
def real_s0(real_data: Path) -> tuple[MobileOne, nn.Linear]:
    path = real_data / 'weights' / 'mobileone_s0' / 'mobileone_s0.pth.tar'
    backbone = MobileOne('s0', deploy=True)
    state = checkpoint.load_backbone_weights(backbone, path).state_dict
    linear = nn.Linear(1024, 1000)
    linear.load_state_dict({'weight': state['linear.weight'], 'bias': state['linear.bias']})
    return backbone.eval(), linear


@torch.no_grad()
def logits(model: tuple[MobileOne, nn.Linear], images: Tensor) -> Tensor:
    return model[1](model[0](images)[0].mean((2, 3)))  # type: ignore[no-any-return]


def test_real_weights_give_the_stored_logits(real_s0: tuple[MobileOne, nn.Linear], real_data: Path) -> None:
    folder = real_data / 'weights' / 'mobileone_s0'
    image = torch.from_numpy(np.fromfile(folder / 'apple_input_1x3x224x224_f32.bin', np.float32)).reshape(
        1, 3, 224, 224
    )
    expected = torch.from_numpy(np.loadtxt(folder / 'apple_logits_1000.txt', dtype=np.float32))
    torch.testing.assert_close(logits(real_s0, image)[0], expected, rtol=0, atol=LOGIT_LIMIT)


def test_real_weights_score_on_imagenet_pictures(real_s0: tuple[MobileOne, nn.Linear], real_data: Path) -> None:
    from PIL import Image

    folder = real_data / 'data' / 'imagenet_sample200'
    rows = [line.split('\t') for line in (folder / 'classes.txt').read_text().splitlines()]
    label_of = {row[1]: int(row[0]) for row in rows}
    mean, std = torch.tensor([123.675, 116.28, 103.53]), torch.tensor([58.395, 57.12, 57.375])
    paths = sorted((folder / 'val').glob('*/*'))
    assert len(paths) == PICTURES
    top1 = top5 = 0
    for start in range(0, PICTURES, 20):
        chunk = paths[start : start + 20]
        pictures = [np.asarray(Image.open(path).convert('RGB').crop((16, 16, 240, 240)), np.float32) for path in chunk]
        images = ((torch.from_numpy(np.stack(pictures)) - mean) / std).permute(0, 3, 1, 2)
        best = logits(real_s0, images).topk(5).indices
        labels = torch.tensor([label_of[path.parent.name] for path in chunk])
        top1 += int((best[:, 0] == labels).sum())
        top5 += int((best == labels[:, None]).sum())
    assert abs(top1 - TOP1) <= 1, top1
    assert abs(top5 - TOP5) <= 1, top5


def test_real_fused_weights_survive_expansion(real_data: Path) -> None:
    path = real_data / 'weights' / 'mobileone_s0' / 'mobileone_s0.pth.tar'
    fused, model = MobileOne('s0', deploy=True).eval(), MobileOne('s0')
    checkpoint.load_backbone_weights(fused, path)
    checkpoint.load_backbone_weights(model, path)
    same(model, fused)
    images = torch.randn(4, 3, 96, 96)
    assert expand.calibrate(model, [images]).relative <= FLOAT32_RELATIVE_LIMIT
    same(model, fused)
