"""`mobileone fuse` as typed."""

import json
import re
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from mobileone_mm import cli, reparam
from mobileone_mm.commands import fuse
from mobileone_mm.commands.fuse import main
from mobileone_mm.errors import CheckpointError
from mobileone_mm.openmmlab import configs
from mobileone_mm.openmmlab.open_model import open_model
from mobileone_mm.outputs import file_sha256
from mobileone_mm.weights import checkpoint

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
    words = [str(config), str(trained), '--out', str(out), '--report', str(report)]
    assert cli.run(main, words) == 0
    lines = capsys.readouterr().out.splitlines()
    before = sum(p.numel() for p in open_model(configs.load_config(config), trained)[0].parameters())
    fused = open_model(configs.load_config(folder / 'f.py'), out)[0]
    after = sum(p.numel() for p in fused.parameters())
    assert re.match(rf'{out}: max abs error ', lines[0])
    assert lines[1] == f'parameters: {before:,} trained, {after:,} fused'
    assert lines[-1] == f'next: {cli.command("export", folder / "f.py", out)}'
    assert reparam.is_fused(fused)
    measured = json.loads(report.read_text())
    assert measured['source_sha256'] == file_sha256(trained)
    assert measured['out_sha256'] == file_sha256(out)
    assert (measured['parameters_trained'], measured['parameters_fused']) == (before, after)
    assert 0 <= measured['relative'] < 1e-4
    assert cli.run(main, words) == 0  # over its own files
    assert (folder / 'f.py').read_text().startswith('# Written by mobileone_mm with f.pth')


@pytest.mark.parametrize(
    ('arguments', 'status', 'message'),
    [
        ('config.py trained.pth --out f.onnx', 2, r'expected a name that ends in \.pth'),
        ('config.py none.pth --out f.pth', 1, 'no such weight file'),
        ('none.py trained.pth --out f.pth', 1, 'no such config file'),
        ('config.py other.pth --out f.pth', 1, 'this is no MobileOne'),
        ('config.py fused.pth --out f.pth', 2, 'this is a fused .* so there is nothing to fuse'),
        ('config.py trained.pth --out trained.pth', 2, r'would replace .*trained\.pth, which is read'),
        ('config.py trained.pth --out config.pth', 2, r'would replace .*config\.py, which is read'),
        (
            'config.py trained.pth --out mine.pth',
            2,
            r'mine\.py: this file is not an unedited config of a fused model written by mobileone_mm',
        ),
        (
            'trained.pth config.py --out f.pth',
            2,
            r'trained\.pth is a checkpoint, expected a config: \S.* fuse CONFIG CHECK',
        ),
        ('config.py d.mlpackage --out f.pth', 2, r'd\.mlpackage is a Core ML package, expected a checkpoint: '),
        ('config.py photos --out f.pth', 2, r'photos is a folder, expected a checkpoint: '),
    ],
)
def test_bad_input_writes_nothing(
    arguments: str, status: int, message: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.save({'a': torch.zeros(1)}, folder / 'other.pth')
    model = open_model(configs.load_config(folder / 'config.py'), folder / 'trained.pth')[0]
    checkpoint.save_checkpoint(folder / 'fused.pth', reparam.fuse(model).state_dict(), {})
    (folder / 'mine.py').write_text('precious = True')
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    (folder / 'photos').mkdir()
    words = [word if word.startswith('--') else str(folder / word) for word in arguments.split()]
    assert cli.run(main, words) == status
    assert re.search(message, capsys.readouterr().err)
    (folder / 'photos').rmdir()
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_config_that_was_edited_since_is_left_alone(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [str(folder / name) for name in ('config.py', 'trained.pth')] + ['--out', str(folder / 'f.pth')]
    assert cli.run(main, words) == 0
    edited = f'{(folder / "f.py").read_text()}\nwork_dir = "elsewhere"\n'
    (folder / 'f.py').write_text(edited)
    before = (folder / 'f.pth').read_bytes()
    assert cli.run(main, words) == 2
    assert re.search(r'f\.py: this file is not an unedited config .* move it away, or choose', capsys.readouterr().err)
    assert (folder / 'f.py').read_text() == edited
    assert (folder / 'f.pth').read_bytes() == before
    assert open_model(configs.load_config(folder / 'f.py'), folder / 'f.pth')  # it still is that file's config


@pytest.mark.parametrize('name', ['trained.pth', 'epoch_1.5.pth.tar'])
def test_without_an_out_it_is_written_beside_the_checkpoint(
    name: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / 'work').mkdir()
    (folder / 'trained.pth').rename(folder / 'work' / name)
    monkeypatch.chdir(folder)
    assert cli.run(main, ['config.py', f'work/{name}']) == 0
    stem = name.partition('.pth')[0]
    assert {path.name for path in Path('work').iterdir()} == {name, f'{stem}_fused.pth', f'{stem}_fused.py'}


@pytest.mark.parametrize(
    ('checkpoint', 'words', 'out'),
    [
        ('trained.pth', ['--out', 'f\udcff.pth'], 'f\udcff'),
        ('b\udcff.pth', [], 'b\udcff_fused'),
        ('trained.pth', ['--out', 'two\nlines.pth'], 'two\nlines'),
    ],
)
def test_a_name_that_no_python_file_can_hold_is_escaped_in_the_config(
    checkpoint: str, words: list[str], out: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    Path('trained.pth').rename(checkpoint)
    before = {path.name for path in folder.iterdir()}
    for _ in range(2):  # the second time over its own files
        assert cli.run(main, ['config.py', checkpoint, *words, '--report', 'report.json']) == 0
    assert {path.name for path in folder.iterdir()} - before == {f'{out}.pth', f'{out}.py', 'report.json'}
    shown = out.encode('unicode_escape').decode()
    assert Path(f'{out}.py').read_text(encoding='utf-8').startswith(f'# Written by mobileone_mm with {shown}.pth, ')
    assert reparam.is_fused(open_model(configs.load_config(f'{out}.py'), f'{out}.pth')[0])
    assert json.loads(Path('report.json').read_text())['config'] == f'{out}.py'


def test_missing_folders_are_made(folder: Path) -> None:
    words = ['--out', str(folder / 'new/sub/f.pth'), '--report', str(folder / 'reports/r.json')]
    assert cli.run(main, [str(folder / 'config.py'), str(folder / 'trained.pth'), *words]) == 0
    assert {path.name for path in (folder / 'new/sub').iterdir()} == {'f.pth', 'f.py'}
    assert (folder / 'reports/r.json').is_file()


WANTED = r"\('cat', 'dog', 'cow'\)"


@pytest.mark.parametrize(
    ('trained', 'message'),
    [
        (('dog', 'cat', 'cow'), r"trained on the classes \('dog', 'cat', 'cow'\), .*config\.py names " + WANTED),
        (('cat', 'cat', 'cow'), r"trained on the classes \('cat', 'cat', 'cow'\), .*names " + WANTED),
        (('cat', 'dog'), r"trained on the classes \('cat', 'dog'\), .*config\.py names " + WANTED),
        (('cat', 'dog', 'cow'), None),
    ],
)
def test_a_checkpoint_with_other_classes_than_the_config_is_refused(
    trained: tuple[str, ...], message: str | None, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = configs.load_config(folder / 'config.py')
    dataset = {'type': 'CustomDataset', 'metainfo': {'classes': ('cat', 'dog', 'cow')}}
    config.merge_from_dict({'test_dataloader': {'dataset': dataset}})
    config.dump(folder / 'config.py')
    state = checkpoint.read_checkpoint(folder / 'trained.pth').state_dict
    checkpoint.save_checkpoint(folder / 'trained.pth', state, {'dataset_meta': {'classes': trained}})
    words = [str(folder / 'config.py'), str(folder / 'trained.pth'), '--out', str(folder / 'f.pth')]
    assert cli.run(main, words) == (0 if message is None else 1)
    said = capsys.readouterr().err
    assert message is None or re.search(rf'error: .*trained\.pth: {message}', said)
    assert (folder / 'f.pth').exists() == (message is None)


def test_a_class_that_stands_twice_is_named(tmp_path: Path) -> None:
    checkpoint.save_checkpoint(
        tmp_path / 'a.pth', {'a': torch.zeros(1)}, {'dataset_meta': {'classes': ('cat', 'dog', 'cat')}}
    )
    detector = Config({'default_scope': 'mmdet'})
    with pytest.raises(CheckpointError, match=r'a\.pth: its meta names cat for more than one class'):
        fuse._require_each_once(detector, checkpoint.read_checkpoint(tmp_path / 'a.pth'))
