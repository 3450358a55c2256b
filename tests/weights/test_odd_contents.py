"""Files whose tensors or meta no model can use: each is an error that names the entry, at once."""

import math
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mobileone_mm import cli
from mobileone_mm.commands import convert
from mobileone_mm.errors import CheckpointError, DataError
from mobileone_mm.models.backbones.mobileone import MobileOne
from mobileone_mm.weights import checkpoint, expand
from mobileone_mm.weights.plain import plain

ARCH = {
    'num_blocks': [1, 1, 1, 1],
    'width_factor': [0.25, 0.25, 0.25, 0.25],
    'num_conv_branches': [1, 1, 1, 1],
    'num_se_blocks': [0, 0, 0, 0],
}
KEY = 'stage1.0.reparam_conv.bias'


def save(path: Path, contents: object) -> Path:
    torch.save(contents, path)
    return path


def fused(**changed: Tensor) -> dict[str, Tensor]:
    state = dict(MobileOne(ARCH, deploy=True).state_dict())
    return state | {KEY if name == 'bias' else name: value for name, value in changed.items()}


@pytest.mark.parametrize(
    ('make', 'what'),
    [
        (lambda: torch.ones(16).to_sparse(), 'sparse'),
        (lambda: torch.quantize_per_tensor(torch.ones(16), 0.1, 0, torch.quint8), 'quantised'),
        (lambda: torch.ones(16, device='meta'), 'without data'),
        (lambda: torch.ones(16, dtype=torch.complex64), 'complex64'),
        (lambda: torch.ones(16).to(torch.float8_e4m3fn), 'float8_e4m3fn'),
        (lambda: torch.ones(1).expand(2**50), 'larger than what is stored of them'),
    ],
)
@pytest.mark.filterwarnings('ignore:.*quantize')
def test_a_tensor_that_is_no_dense_array_of_numbers_is_named(
    make: Callable[[], Tensor], what: str, tmp_path: Path
) -> None:
    path = save(tmp_path / 'a.pth', fused(bias=make()))
    with pytest.raises(CheckpointError, match=rf'a\.pth: 1 key \({re.escape(KEY)}\) {what}; expected dense tensors'):
        checkpoint.read_checkpoint(path)


@pytest.mark.parametrize('dtype', [torch.int64, torch.bool, torch.uint8])
@pytest.mark.parametrize('deploy', [True, False], ids=['as it is', 'expanded'])
def test_weights_that_are_whole_numbers_are_named(dtype: torch.dtype, deploy: bool, tmp_path: Path) -> None:
    path = save(tmp_path / 'a.pth', fused(bias=torch.ones(16, dtype=dtype)))
    name = str(dtype).removeprefix('torch.')
    message = rf'a\.pth: .*1 key \({re.escape(KEY)}\) of type {name}, expected floating-point numbers'
    with pytest.raises(CheckpointError, match=message):
        checkpoint.load_backbone_weights(MobileOne(ARCH, deploy=deploy), path)


@pytest.mark.parametrize('part', ['conv.weight', 'bn.running_var'])
def test_whole_numbers_to_be_folded_are_named_and_not_called_shapes(part: str, tmp_path: Path) -> None:
    state = dict(MobileOne(ARCH).state_dict())
    key = f'stage1.0.rbr_conv.0.{part}'
    path = save(tmp_path / 'a.pth', state | {key: state[key].to(torch.int32)})
    with pytest.raises(CheckpointError, match=rf'1 key \({re.escape(key)}\) of type int32, expected floating-point'):
        checkpoint.load_backbone_weights(MobileOne(ARCH, deploy=True), path)


class Host(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.backbone = MobileOne(ARCH)
        self.neck = nn.Conv2d(128, 2, 1)


def test_whole_numbers_in_another_part_of_a_model_are_named(tmp_path: Path) -> None:
    state = Host().state_dict()
    state['neck.bias'] = torch.ones(2, dtype=torch.int64)
    with pytest.raises(CheckpointError, match=r'of another type 1 key \(neck\.bias\): int64 given, float32 expected'):
        checkpoint.load_weights(Host(), save(tmp_path / 'a.pth', state))


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16, torch.float64])
def test_floating_point_numbers_of_any_width_are_read(dtype: torch.dtype, tmp_path: Path) -> None:
    state = {key: value.to(dtype) for key, value in fused().items()}
    model = MobileOne(ARCH, deploy=True)
    checkpoint.load_backbone_weights(model, save(tmp_path / 'a.pth', state))
    torch.testing.assert_close(model.state_dict()[KEY], state[KEY].float(), rtol=0, atol=0)


@pytest.mark.parametrize(
    ('key', 'value'),
    [
        ('stage1.0.rbr_conv.0.bn.running_var', -1.0),
        ('stage1.0.rbr_conv.0.bn.weight', math.nan),
        ('stage1.0.rbr_conv.0.conv.weight', 1e300),
    ],
)
@pytest.mark.parametrize('into', ['the model', 'another layout'])
def test_numbers_that_give_nan_are_named(
    key: str, value: float, into: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = {name: entry.double() for name, entry in MobileOne(ARCH).state_dict().items()}
    state[key].fill_(value)
    path = save(tmp_path / 'a.pth', state)
    message = rf'a\.pth: (NaN or infinity|negative variances) in 1 key \({re.escape(key)}\)'
    if into == 'the model':
        with pytest.raises(CheckpointError, match=message):
            checkpoint.load_backbone_weights(MobileOne(ARCH), path)
    else:
        assert cli.run(convert.main, [str(path), str(tmp_path / 'b.pth'), '--to', 'timm']) == 1
        assert re.search(message, capsys.readouterr().err)
        assert not (tmp_path / 'b.pth').exists()


def test_statistics_that_are_not_finite_are_not_kept() -> None:
    model = MobileOne(ARCH)
    expand.expand(model, fused())
    before = {key: value.clone() for key, value in model.state_dict().items()}
    images = torch.randn(2, 3, 32, 32)
    images[0, 0, 0, 0] = math.nan
    with pytest.raises(DataError, match=r'NaN or infinity in stage0\.rbr_conv\.0\.bn .* look at .* mean and std'):
        expand.calibrate(model, [images])
    torch.testing.assert_close(dict(model.state_dict()), before, rtol=0, atol=0)
    assert expand.awaits_calibration(model)


def shared_over_and_over() -> Any:
    value: Any = 'x'
    for _ in range(60):
        value = [value, value]
    return value


def in_itself() -> Any:
    value: dict[str, Any] = {}
    value['again'] = [value]
    return value


def deep() -> Any:
    value: Any = 'x'
    for _ in range(400):
        value = [value]
    return value


@pytest.mark.parametrize('make', [shared_over_and_over, in_itself, deep])
@pytest.mark.parametrize('key', ['mobileone_mm'])
def test_a_meta_without_end_is_named(make: Callable[[], Any], key: str, tmp_path: Path) -> None:
    path = save(tmp_path / 'a.pth', {'state_dict': fused(), 'meta': {'epoch': 1, key: make()}})
    refused = rf'a\.pth: (meta: {key!r} holds more than .* values, or is nested |refused, since it holds values within)'
    with pytest.raises(CheckpointError, match=refused):
        checkpoint.read_checkpoint(path)


def test_it_is_not_written_either() -> None:
    with pytest.raises(CheckpointError, match="'x' holds more than"):
        plain({'x': in_itself()})


def test_a_state_dict_in_itself_is_no_state_dict(tmp_path: Path) -> None:
    state: dict[str, Any] = dict(fused())
    state['state_dict'] = state
    with pytest.raises(CheckpointError, match='expected a state dict: names with their tensors'):
        checkpoint.read_checkpoint(save(tmp_path / 'a.pth', state))


def test_a_long_block_is_cut_in_the_message(tmp_path: Path) -> None:
    block = {'format_version': ['x' * 1000] * 1000}
    with pytest.raises(CheckpointError, match='expected a dict') as refused:
        checkpoint.read_checkpoint(save(tmp_path / 'a.pth', {'state_dict': fused(), 'meta': {'mobileone_mm': block}}))
    assert len(str(refused.value)) < 1000


ESCAPE = '\x1b[2J\nerror: all is well\r\x9b31m'


@pytest.mark.parametrize(
    'contents',
    [
        {**fused(), ESCAPE: torch.zeros(1)},
        {**{f'backbone.{key}': value for key, value in fused().items()}, f'{ESCAPE}.weight': torch.zeros(1)},
        {**fused(), ESCAPE: torch.zeros(1).to_sparse()},
        {ESCAPE: torch.zeros(1)},
        {'state_dict': fused(), 'meta': {ESCAPE: in_itself()}},
        {'state_dict': fused(), 'meta': {'mobileone_mm': {'format_version': ESCAPE}}},
    ],
)
def test_names_from_a_file_do_not_move_the_cursor(
    contents: object, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = save(tmp_path / 'a.pth', contents)
    assert cli.run(convert.main, [str(path), str(tmp_path / 'b.pth'), '--to', 'timm']) == 1
    said = capsys.readouterr().err
    assert said.endswith('\n')
    assert said[:-1].isprintable()
    assert '\\x9b31m' in said


def test_names_of_code_do_not_either(tmp_path: Path) -> None:
    pickled = b'\x80\x02c' + b'evil\x1b[2J' + b'\n' + b'do\x9b31m'.decode('latin-1').encode() + b'\n.'
    torch.save({'a': torch.zeros(1)}, tmp_path / 'a.pth')
    with zipfile.ZipFile(tmp_path / 'a.pth') as archive:
        records = {record.filename: archive.read(record) for record in archive.infolist()}
    with zipfile.ZipFile(tmp_path / 'a.pth', 'w') as archive:
        for name, data in records.items():
            archive.writestr(name, pickled if name.endswith('data.pkl') else data)
    with pytest.raises(CheckpointError, match=r'it names code: evil\\x1b\[2J\.do\\x9b31m') as refused:
        checkpoint.read_checkpoint(tmp_path / 'a.pth')
    assert str(refused.value).isprintable()
    assert 'weights_only' not in str(refused.value)
