"""Fused files and their configs: of a detector, of a segmenter, and of a model that no config can describe."""

import copy
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from torch import Tensor, nn

from mobileone_mm import reparam
from mobileone_mm.errors import CheckpointError, ParityError
from mobileone_mm.openmmlab import configs, inputs, open_model
from mobileone_mm.openmmlab.fused_file import write_fused
from mobileone_mm.registry import MODELS
from mobileone_mm.weights import checkpoint

CONFIGS = Path(__file__).parents[2] / 'configs'
ARCH = {
    'num_blocks': [1, 1, 1, 1],
    'width_factor': [0.25, 0.25, 0.25, 0.25],
    'num_conv_branches': [2, 2, 2, 2],
    'num_se_blocks': [0, 0, 0, 1],
}
SYNC = {'type': 'SyncBN', 'requires_grad': True}
SAME = 1e-5  # of outputs near 1, float32


@MODELS.register_module(force=True)
class NeckWithItsOwnNorm(nn.Module):
    """A convolution and a norm that no `norm_cfg` speaks of."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(channels, channels, 1, bias=False), nn.BatchNorm2d(channels))
        self.used = 2

    def forward(self, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return (self.layers[: self.used](inputs[-1]).mean((2, 3)),)


def detector() -> Config:
    config = configs.load_config(CONFIGS / 'detection' / 'ssd_mobileone_s0.py')
    channels = (64, 128, 16, 16, 16, 16)
    config.model.backbone.update(arch=ARCH, init_cfg=None)
    config.model.neck.update(in_channels=channels[:2], out_channels=channels)
    config.model.bbox_head.update(in_channels=channels, num_classes=3)
    return config


def segmenter() -> Config:
    head = {'channels': 16, 'num_classes': 4, 'norm_cfg': SYNC, 'align_corners': False}
    model = {
        'type': 'EncoderDecoder',
        'backbone': {'type': 'mobileone_mm.MobileOne', 'arch': ARCH, 'out_indices': (0, 3), 'norm_cfg': SYNC},
        'decode_head': {
            'type': 'DepthwiseSeparableASPPHead',
            'in_channels': 128,
            'in_index': 1,
            'dilations': (1, 6),
            'c1_in_channels': 16,
            'c1_channels': 8,
            **head,
        },
        'auxiliary_head': [{'type': 'FCNHead', 'in_channels': 16, 'in_index': 0, **head}],
        'test_cfg': {'mode': 'whole'},
    }
    return Config({'default_scope': 'mmseg', 'model': model})


def classifier_with_an_odd_neck() -> Config:
    model = {
        'type': 'ImageClassifier',
        'backbone': {'type': 'mobileone_mm.MobileOne', 'arch': ARCH},
        'neck': {'type': 'mobileone_mm.NeckWithItsOwnNorm', 'channels': 128},
        'head': {'type': 'LinearClsHead', 'num_classes': 4, 'in_channels': 128},
    }
    return Config({'default_scope': 'mmpretrain', 'model': model})


def source_of(model: nn.Module, folder: Path) -> checkpoint.Checkpoint:
    checkpoint.save_checkpoint(folder / 'trained.pth', model.state_dict(), {'dataset_meta': {'classes': ('a', 'b')}})
    return checkpoint.read_checkpoint(folder / 'trained.pth')


def outputs(model: nn.Module, config: Config) -> list[Tensor]:
    with torch.no_grad():
        return list(reparam._tensors(model(inputs.example_images(config))))


@pytest.mark.parametrize('make', [detector, segmenter])
def test_the_written_config_builds_the_fused_model_key_by_key(
    make: Callable[[], Config], tmp_path: Path, randomise_batch_norm: Callable[..., nn.Module]
) -> None:
    config = make()
    before = copy.deepcopy(config.to_dict())
    model = randomise_batch_norm(configs.build_model(copy.deepcopy(config))).eval()
    out = tmp_path / 'fused.pth'
    written = write_fused(model, source_of(model, tmp_path), config, out)
    assert config.to_dict() == before
    assert (written.config, written.fault) == (tmp_path / 'fused.py', '')
    assert written.parameters < sum(parameter.numel() for parameter in model.parameters())

    described = configs.load_config(tmp_path / 'fused.py')
    built = configs.build_model(copy.deepcopy(described))
    built.load_state_dict(torch.load(out, weights_only=True)['state_dict'], strict=True)  # noqa: TID251
    assert reparam.is_fused(built)
    torch.testing.assert_close(outputs(built, config), outputs(model, config), rtol=SAME, atol=SAME)
    meta = checkpoint.read_checkpoint(out).meta
    assert meta['mobileone_mm']['arch'] == ARCH
    assert meta['mobileone_mm']['classes'] == ['a', 'b']
    assert Config.fromstring(meta['cfg'], '.py').model == described.model


def test_a_model_beyond_configs_is_written_without_one(
    tmp_path: Path, randomise_batch_norm: Callable[..., nn.Module]
) -> None:
    config = classifier_with_an_odd_neck()
    model = randomise_batch_norm(configs.build_model(config)).eval()
    written = write_fused(model, source_of(model, tmp_path), config, tmp_path / 'fused.pth')
    assert written.config is None
    assert 'no config describes this fused model' in written.fault
    assert 'neck.layers.0.bias' in written.fault
    assert not (tmp_path / 'fused.py').exists()
    loaded = open_model.open_model(config, tmp_path / 'fused.pth')[0]
    torch.testing.assert_close(outputs(loaded, config), outputs(model, config), rtol=SAME, atol=SAME)


@pytest.mark.parametrize('fault', ['nan', 'read before the norm'])
def test_a_model_that_does_not_fuse_right_is_not_written(
    fault: str, tmp_path: Path, randomise_batch_norm: Callable[..., nn.Module]
) -> None:
    config = classifier_with_an_odd_neck()
    model = randomise_batch_norm(configs.build_model(config)).eval()
    if fault == 'nan':
        nn.init.constant_(model.head.fc.weight, torch.nan)
    else:
        model.neck.used = 1
    with pytest.raises(ParityError):
        write_fused(model, source_of(model, tmp_path), config, tmp_path / 'fused.pth')
    assert not (tmp_path / 'fused.pth').exists()


@pytest.mark.parametrize('stale', ['.pth', '.py'])
def test_a_file_and_a_config_of_two_writings_are_told_apart(stale: str, tmp_path: Path) -> None:
    """What a process leaves that was killed between the two."""
    model, config, out = configs.build_model(segmenter()), segmenter(), tmp_path / 'fused.pth'
    source = source_of(model, tmp_path)
    write_fused(model, source, config, out)
    earlier = out.with_suffix(stale).read_bytes()
    assert open_model.open_model(configs.load_config(out.with_suffix('.py')), out)
    nn.init.ones_(model.decode_head.conv_seg.bias)
    write_fused(model, source, config, out)
    out.with_suffix(stale).write_bytes(earlier)
    described = configs.load_config(out.with_suffix('.py'))
    message = rf'{out}: {out.with_suffix(".py")} was not written with this file, .*; fuse the trained checkpoint again'
    with pytest.raises(CheckpointError, match=message):
        open_model.open_model(described, out)
    assert open_model.open_model(config, out)  # the training config goes with either
    out.rename(tmp_path / 'other.pth')
    assert open_model.open_model(described, tmp_path / 'other.pth')


def test_writing_leaves_the_model_as_it_was(tmp_path: Path) -> None:
    model = configs.build_model(segmenter())
    before = {key: value.clone() for key, value in model.state_dict().items()}
    write_fused(model, source_of(model, tmp_path), segmenter(), tmp_path / 'fused.pth')
    assert not reparam.is_fused(model)
    torch.testing.assert_close(dict(model.state_dict()), before, rtol=0, atol=0)
