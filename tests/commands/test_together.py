"""What one command writes appears together: after a kill at any moment nothing old is beside something new."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from small_sets import write_masks

from mobileone_mm import cli
from mobileone_mm.commands import check, export, fuse
from mobileone_mm.outputs import page_of
from mobileone_mm.weights import checkpoint

MOVES = ('os.rename', 'os.link', 'os.remove')  # audit events
Main = Callable[[list[str]], int]


def contents(folder: Path) -> dict[str, bytes]:
    """What a user sees in a folder."""
    files = [path for path in folder.rglob('*') if path.is_file()]
    named = {path.relative_to(folder): path for path in files}
    return {str(name): path.read_bytes() for name, path in named.items() if not name.parts[0].startswith('.')}


def killed_at(move: int, main: Main, words: list[str]) -> bool:
    """Run a command in a child that is killed just before it moves something; False where it ends before."""
    child = os.fork()
    if child == 0:
        moves, silence = count(), os.open(os.devnull, os.O_WRONLY)
        os.dup2(silence, 1)
        os.dup2(silence, 2)

        def hook(event: str, arguments: object) -> None:
            exchange = event == 'ctypes.dlsym' and 'rename' in str(arguments)
            if (exchange or event in MOVES) and next(moves) == move:
                os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(hook)
        os._exit(cli.run(lambda argv: main(words), words))
    status = os.waitpid(child, 0)[1]
    assert status in (0, signal.SIGKILL)
    return status == signal.SIGKILL


@pytest.fixture
def changed(detector: tuple[Path, Path], tmp_path: Path) -> tuple[Path, Path]:
    """The tiny detector with other weights."""
    config, weights = detector
    source = checkpoint.read_checkpoint(weights)
    state = {key: value * 1.01 if key.endswith('conv.weight') else value for key, value in source.state_dict.items()}
    checkpoint.save_checkpoint(tmp_path / 'changed.pth', state, source.meta)
    return config, tmp_path / 'changed.pth'


def test_a_fused_file_its_config_and_report_are_of_one_writing(
    detector: tuple[Path, Path], changed: tuple[Path, Path], tmp_path: Path
) -> None:
    out = tmp_path / 'out'
    words = ['--out', str(out / 'f.pth'), '--report', str(out / 'f.json')]
    versions = []
    for pair in (detector, changed):
        assert cli.run(fuse.main, [*map(str, pair), *words]) == 0
        versions.append(contents(out))
    old, new = versions
    assert sorted(old) == sorted(new) == ['f.json', 'f.pth', 'f.py']
    left = []
    for move in count():
        shutil.rmtree(out)
        out.mkdir()
        for name, data in old.items():
            (out / name).write_bytes(data)
        killed = killed_at(move, fuse.main, [*map(str, changed), *words])
        found = contents(out)
        assert found.items() <= old.items() or found.items() <= new.items()
        assert 'f.pth' in found
        left.append(found)
        if not killed:
            break
    assert left[0] == old
    assert left[-1] == new
    assert len(left) > 5


def test_the_samples_and_the_report_of_a_check_are_of_one_writing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_masks()
    out, versions = tmp_path / 'out', []
    words = ['my_masks.py', '--samples', '2', '--out', 'out/looked', '--report', 'out/r.json']
    for seed in ('0', '1'):
        mask = tmp_path / 'data/masks/0.png'
        Image.fromarray(np.full_like(np.asarray(Image.open(mask)), int(seed))).save(mask)
        assert cli.run(check.main, [*words, '--seed', seed]) == 0
        shutil.copytree(out, tmp_path / seed)
        versions.append(contents(out))
    old, new = versions
    assert sorted(old) == sorted(new) == ['looked/.mobileone_mm', 'looked/samples.jpg', 'r.json']
    left = []
    for move in count():
        shutil.rmtree(out)
        shutil.copytree(tmp_path / '0', out)
        killed = killed_at(move, check.main, [*words, '--seed', '1'])
        found = contents(out)
        assert found.items() <= old.items() or found.items() <= new.items()
        left.append(found)
        if not killed:
            break
    assert left[0] == old
    assert left[-1] == new
    assert len(left) > 3


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on a disk without room."""
    folder = tmp_path / 'full'
    folder.mkdir()
    mount = ['mount', '-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', str(folder)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip('a small file system in memory cannot be mounted here')
    try:
        (folder / 'filling').write_bytes(bytes(56 * 1024))
        yield folder
    finally:
        subprocess.run(['umount', str(folder)], check=True)


def test_a_report_that_cannot_be_written_leaves_no_new_file_beside_status_1(
    changed: tuple[Path, Path], full_disk: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (full_disk / 'more').write_bytes(bytes(4 * 1024))
    out, report = tmp_path / 'out/d.onnx', full_disk / 'd.json'
    assert cli.run(export.main, [*map(str, changed), '--out', str(out)]) == 0
    before = contents(out.parent)
    assert sorted(before) == ['d.onnx', page_of(out).name]
    for path, main in ((out, export.main), (out.with_suffix('.pth'), fuse.main)):
        capsys.readouterr()
        assert cli.run(main, [*map(str, changed), '--out', str(path), '--report', str(report)]) == 1
        assert f'error: {report}: cannot be written: No space left on device; make room' in capsys.readouterr().err
        assert contents(out.parent) == before
        assert sorted(path.name for path in full_disk.iterdir()) == ['filling', 'more']
