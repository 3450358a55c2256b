"""Commands without their arguments, or with arguments in the wrong place: what is said, and that it costs nothing."""

import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from mobileone_mm import cli
from mobileone_mm.__main__ import module_of

ROOT = Path(__file__).parents[2]
REQUIRED = {
    'check': 'config',
    'export': 'config, checkpoint',
    'fuse': 'config, checkpoint',
    'evaluate': 'FILE, config',
    'predict': 'MODEL PICTURES',
    'robustness': 'config, model',
    'verify': 'artifact',
    'convert': 'SRC, DST, --to',
    'toy-data': 'OUT',
}
TOOLS = {'convert': 'convert_weights.py', 'toy-data': 'make_toy_data.py'}


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize('verb', REQUIRED)
def test_without_arguments_the_example_is_shown_and_what_is_missing(
    verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match='2'):
        cli.run(import_module(module_of(verb)).main, [])
    out, err = capsys.readouterr()
    first, *_, last = err.splitlines()
    assert out == ''
    assert first.startswith(f'example: {cli.command(verb)} ')
    assert last == f'{cli.command(verb)}: error: the following arguments are required: {REQUIRED[verb]}'
    assert '%(' not in err


@pytest.mark.parametrize('verb', REQUIRED)
def test_a_tool_is_a_door_to_its_verb(verb: str) -> None:
    tool = ROOT / 'tools' / TOOLS.get(verb, f'{verb}.py')
    doors = [[sys.executable, str(tool)], [sys.executable, '-m', 'mobileone_mm', verb]]
    said = [
        subprocess.run([*door, '--help'], capture_output=True, text=True, check=True, cwd=ROOT).stdout for door in doors
    ]
    assert said[0] == said[1]
    assert said[0].startswith('example: ')


@pytest.mark.parametrize(
    ('verb', 'words', 'message'),
    [
        ('export', 'best.pth a.py', r'best\.pth is a checkpoint, expected a config: {} CONFIG CHECKPOINT'),
        ('export', 'best.pth demo_ssd', r'best\.pth is a checkpoint, expected a config: {} CONFIG CHECKPOINT'),
        (
            'export',
            'a.py d.mlpackage',
            r'd\.mlpackage is a Core ML package, expected a checkpoint: {} CONFIG CHECKPOINT',
        ),
        ('export', 'a.py d.onnx', r'd\.onnx is an ONNX file, expected a checkpoint: {} CONFIG CHECKPOINT'),
        ('export', 'a.py work', r'work is a folder, expected a checkpoint: {} CONFIG CHECKPOINT'),
        ('export', 'work best.pth', r'work is a folder, expected a config: {} CONFIG CHECKPOINT'),
        ('train', 'best.pth', r'best\.pth is a checkpoint, expected a config: {} CONFIG'),
        ('train', 'd.mlpackage', r'd\.mlpackage is a Core ML package, expected a config: {} CONFIG'),
        ('train', 'work', r'work is a folder, expected a config: {} CONFIG'),
        ('convert', 'work c2.pth --to apple', r'work is a folder, expected a checkpoint: {} SRC DST'),
        (
            'convert',
            'd.mlpackage c2.pth --to apple',
            r'd\.mlpackage is a Core ML package, expected a checkpoint: ',
        ),
        ('convert', 'a.py c2.pth --to apple', r'a\.py is a config, expected a checkpoint: {} SRC DST'),
        ('fuse', 'best.pth a.py', r'best\.pth is a checkpoint, expected a config: {} CONFIG CHECKPOINT'),
        ('fuse', 'demo_ssd d.onnx', r'd\.onnx is an ONNX file, expected a checkpoint: {} CONFIG CHECKPOINT'),
        (
            'evaluate',
            'a.py d.onnx',
            r'a\.py is a config, expected a Core ML package, an ONNX file or a checkpoint: {} F',
        ),
        (
            'robustness',
            'a.py work',
            r'work is a folder, expected a Core ML package, an ONNX file or a checkpoint: {} CONFIG MODEL',
        ),
        ('robustness', 'best.pth a.py', r'best\.pth is a checkpoint, expected a config: {} CONFIG MODEL'),
        ('evaluate', 'd.onnx best.pth', r'best\.pth is a checkpoint, expected a config: {} FILE CONFIG'),
        (
            'evaluate',
            'work a.py',
            r'work is a folder, expected a Core ML package, an ONNX file or a checkpoint: {} FILE',
        ),
        (
            'evaluate',
            'd.onnx a.py --checkpoint d.mlpackage',
            r'd\.mlpackage is a Core ML package, expected a checkpoint: {} FILE CONFIG --checkpoint CHECKPOINT',
        ),
        (
            'predict',
            'best.pth a.py work',
            r'best\.pth is a checkpoint, expected a config: {} CONFIG CHECKPOINT PICTURES',
        ),
        ('predict', 'a.py work', r'work is a folder, expected a checkpoint: {} CONFIG CHECKPOINT PICTURES'),
        (
            'predict',
            'a.py d.onnx work',
            r'd\.onnx is an ONNX file, expected a checkpoint: {} CONFIG CHECKPOINT PICTURES',
        ),
        (
            'predict',
            'work d.onnx',
            r'work d\.onnx: expected \.mlpackage or \.onnx, or CONFIG\.py CHECKPOINT\.pth first',
        ),
        (
            'predict',
            'd.onnx work --compare best.pth a.py',
            r'best\.pth is a checkpoint, expected a config: {} MODEL PICTURES --compare CONFIG CHECKPOINT',
        ),
    ],
)
def test_a_word_in_the_wrong_place_is_told_in_one_line(
    verb: str, words: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ('a.py', 'best.pth', 'd.onnx'):
        Path(name).touch()
    for name in ('work', 'd.mlpackage'):
        Path(name).mkdir()
    before = sorted(tmp_path.rglob('*'))
    assert cli.run(import_module(module_of(verb)).main, words.split()) == 2
    out, err = capsys.readouterr()
    assert (out, err.count('\n')) == ('', 1)
    assert re.match(f'error: {message.format(re.escape(cli.command(verb)))}', err), err
    assert sorted(tmp_path.rglob('*')) == before
