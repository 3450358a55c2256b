"""tools/fuse.py, as it is typed."""

import json
import re
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from mobileone_mm import reparam
from mobileone_mm.cli import run
from mobileone_mm.openmmlab import configs, open_model
from mobileone_mm.weights import checkpoint
from tools.fuse import main

ARCH = {
    'num_blocks': [1, 1, 1, 1],
    'width_factor': [0.25, 0.25, 0.25, 0.25],
    'num_conv_branches': [2, 2, 2, 2],
    'num_se_blocks': [0, 0, 0, 0],
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """config.py, and trained.pth that fits it."""
    model = {
        'type': 'ImageClassifier',
        'backbone': {'type': 'mobileone_mm.MobileOne', 'arch': ARCH},
        'neck': {'type': 'GlobalAveragePooling'},
        'head': {'type': 'LinearClsHead', 'num_classes': 3, 'in_channels': 128},
    }
    Config({'default_scope': 'mmpretrain', 'model': model}).dump(tmp_path / 'config.py')
    built = configs.build_model(configs.load_config(tmp_path / 'config.py'))
    checkpoint.save_checkpoint(tmp_path / 'trained.pth', built.state_dict(), {})
    return tmp_path


def test_writes_the_fused_file_its_config_and_a_report(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config, trained, out, report = (folder / name for name in ('config.py', 'trained.pth', 'f.pth', 'report.json'))
    assert main([str(config), str(trained), '--out', str(out), '--report', str(report)]) == 0
    lines = capsys.readouterr().out.splitlines()
    before = sum(p.numel() for p in open_model.open_model(configs.load_config(config), trained)[0].parameters())
    fused = open_model.open_model(configs.load_config(folder / 'f.py'), out)[0]
    after = sum(p.numel() for p in fused.parameters())
    assert re.match(rf'{out}: max abs error ', lines[0])
    assert lines[1] == f'parameters: {before:,} trained, {after:,} fused'
    assert lines[-1] == f'next: python tools/export.py {folder}/f.py {out} --out model.mlpackage'
    assert reparam.is_fused(fused)
    measured = json.loads(report.read_text())
    assert measured['source_sha256'] == checkpoint.file_sha256(trained)
    assert measured['out_sha256'] == checkpoint.file_sha256(out)
    assert (measured['parameters_trained'], measured['parameters_fused']) == (before, after)
    assert 0 <= measured['relative'] < 1e-4
    assert main([str(config), str(trained), '--out', str(out), '--report', str(report)]) == 0  # over its own files
    assert (folder / 'f.py').read_text().startswith('# Written by mobileone_mm with f.pth')


@pytest.mark.parametrize(
    ('arguments', 'status', 'message'),
    [
        ('config.py trained.pth --out f.onnx', 2, r'expected a name that ends in \.pth'),
        ('config.py trained.pth --out missing/f.pth', 2, 'does not exist'),
        ('config.py none.pth --out f.pth', 1, 'no such weight file'),
        ('none.py trained.pth --out f.pth', 1, 'no such config file'),
        ('config.py other.pth --out f.pth', 1, 'this is no MobileOne'),
        ('config.py fused.pth --out f.pth', 2, 'this is a fused .* so there is nothing to fuse'),
        ('config.py trained.pth --out trained.pth', 2, r'would replace .*trained\.pth, which is read'),
        ('config.py trained.pth --out config.pth', 2, r'would replace .*config\.py, which is read'),
        (
            'config.py trained.pth --out mine.pth',
            2,
            r'mine\.py: this file is not the config of a fused model written by mobileone_mm',
        ),
        ('config.py trained.pth --out f.pth --report missing/r.json', 2, 'does not exist'),
    ],
)
def test_bad_input_writes_nothing(
    arguments: str, status: int, message: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.save({'a': torch.zeros(1)}, folder / 'other.pth')
    model = open_model.open_model(configs.load_config(folder / 'config.py'), folder / 'trained.pth')[0]
    checkpoint.save_checkpoint(folder / 'fused.pth', reparam.fuse(model).state_dict(), {})
    (folder / 'mine.py').write_text('precious = True')
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    words = [word if word.startswith('--') else str(folder / word) for word in arguments.split()]
    assert run(main, words) == status
    assert re.search(message, capsys.readouterr().err)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_help_opens_with_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(['--help'])
    assert 'example:\n  python tools/fuse.py configs/' in capsys.readouterr().out
