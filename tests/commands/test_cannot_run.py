"""Models that can be built and cannot run: each command that runs one names the key of the config, in a line."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from mobileone_mm import cli
from mobileone_mm.commands import evaluate, export, fuse, predict
from mobileone_mm.openmmlab import configs
from mobileone_mm.weights import checkpoint
from tiny_segmenter import write_config

MAINS = {'fuse': fuse.main, 'export': export.main, 'predict': predict.main, 'evaluate': evaluate.main}


@pytest.fixture(scope='module')
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """seg.py, whose head is for other channels than the backbone gives, and best.pth, whose weights fit it."""
    folder = tmp_path_factory.mktemp('cannot_run')
    config = write_config(folder)
    config.write_text(config.read_text().replace('in_channels=64, in_index=1', 'in_channels=48, in_index=1'))
    state = configs.build_model(configs.load_config(config)).state_dict()
    checkpoint.save_checkpoint(folder / 'best.pth', state, {})
    return folder


@pytest.mark.parametrize(
    'line',
    [
        'fuse seg.py best.pth --out fused.pth',
        'export seg.py best.pth --out seg.onnx',
        'predict seg.py best.pth images --out found',
        'evaluate best.pth seg.py',
    ],
)
def test_the_key_of_a_part_that_cannot_run_is_named(
    line: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    before = sorted(path.name for path in folder.iterdir())
    verb, *words = line.split()
    assert cli.run(MAINS[verb], words) == 1
    said = capsys.readouterr().err
    errors = [one for one in said.splitlines() if one.startswith('error: ')]
    assert len(errors) == 1
    assert re.match(r'error: seg\.py: mmsegmentation cannot run model\.decode_head: RuntimeError: .*48', errors[0])
    assert 'Traceback' not in said
    assert sorted(path.name for path in folder.iterdir()) == before


def test_where_it_comes_from_is_shown_on_demand(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    words: Sequence[str] = ['seg.py', 'best.pth', '--out', 'fused.pth', '--traceback']
    main: Callable[..., int] = fuse.main
    assert cli.run(main, words) == 1
    assert re.search(r'aspp_head\.py", line \d+, in forward\b(.*\n)+error: seg\.py: ', capsys.readouterr().err)


@pytest.mark.parametrize(
    'line', ['fuse {0} best.pth --out f.pth', 'fuse seg.py {0} --out f.pth', 'predict {0} images --out f']
)
def test_a_link_to_itself_is_named(
    line: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    loop = tmp_path / 'loop'
    loop.symlink_to(loop)
    verb, *words = line.format(loop).split()
    assert cli.run(MAINS[verb], words) in (1, 2)
    (error,) = (one for one in capsys.readouterr().err.splitlines() if one.startswith('error: '))
    assert str(loop) in error
    assert 'a defect' not in error
