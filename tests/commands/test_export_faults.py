"""What can go wrong with a package on a disk: one clear line on stderr, status 1 or 2, and nothing half-written."""

import json
import os
import re
import resource
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from mobileone_mm import cli
from mobileone_mm.__main__ import module_of
from mobileone_mm.exporter.report import Report
from mobileone_mm.outputs import file_sha256, page_of
from mobileone_mm.targets.coreml import convert, library
from tiny_detector import export_tiny

MANIFEST = Path('Manifest.json')
MODEL = Path('Data/com.apple.CoreML/model.mlmodel')
WEIGHTS = Path('Data/com.apple.CoreML/weights/weight.bin')
STATION = re.compile(r'[a-z ]+( \.\.\.|: \d+\.\d s)|checked on a drawn picture, .*')
SMALL = 20_000  # bytes; the tiny detector's weights and its program are both longer

Spoil = Callable[[Path], object]


def call(verb: str, *arguments: object) -> int:
    return cli.run(import_module(module_of(verb)).main, [str(argument) for argument in arguments])


def message(capsys: pytest.CaptureFixture[str]) -> str:
    """The one line that a failed tool says beside its stations."""
    out, err = capsys.readouterr()
    assert out == ''
    lines = [line for line in err.splitlines() if not STATION.fullmatch(line)]
    assert len(lines) == 1, err
    assert lines[0].startswith('error: ')
    return lines[0]


def contents(folder: Path) -> dict[str, str]:
    return {str(file.relative_to(folder)): file_sha256(file) for file in sorted(folder.rglob('*')) if file.is_file()}


@pytest.fixture
def fill_disk() -> Iterator[Callable[[], None]]:
    """From a call of it on, no file grows beyond a limit: the nearest to a full disk that needs no rights."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (SMALL, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def as_json(value: Any) -> Callable[[Path], object]:
    return lambda file: file.write_text(json.dumps(value))


def manifest(path: Any) -> dict[str, Any]:
    entries = {'a': {'path': path}}
    return {'rootModelIdentifier': 'a', 'itemInfoEntries': entries, 'fileFormatVersion': '1.0.0'}


def cut(length: int) -> Spoil:
    """Keep the first bytes of a file; of a negative length, all but the last."""
    return lambda file: file.write_bytes(file.read_bytes()[:length])


def flip(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


def fifo(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


OTHER_WEIGHTS = 'it was changed or damaged since its export wrote it \\(sha256 '
NO_MODEL = 'Manifest.json names no model, it is cut or damaged'
DAMAGED = 'model.mlmodel cannot be read as a Core ML model, cut or damaged: '
ANOTHER_MODEL = r'Manifest\.json names the model {}, expected com\.apple\.CoreML/model\.mlmodel'
SPOILT: list[tuple[str, Path, Spoil, str]] = [
    ('empty', WEIGHTS, cut(0), OTHER_WEIGHTS),
    ('within the first entry', WEIGHTS, cut(100), OTHER_WEIGHTS),
    ('one byte short', WEIGHTS, cut(-1), OTHER_WEIGHTS),
    ('one bit wrong', WEIGHTS, flip, OTHER_WEIGHTS),
    ('gone', WEIGHTS, Path.unlink, 'the weights are missing: no file Data/'),
    ('a pipe', WEIGHTS, fifo, 'the weights are missing: no file Data/'),
    ('empty', MODEL, cut(0), 'not a sound package: metadata: no entry mobileone_mm.format'),
    ('one byte', MODEL, cut(1), DAMAGED),
    ('half', MODEL, cut(30_000), DAMAGED),
    ('one byte short', MODEL, cut(-1), DAMAGED),
    ('garbage', MODEL, lambda file: file.write_bytes(bytes(range(256)) * 400), DAMAGED),
    ('gone', MODEL, Path.unlink, r'Manifest\.json names a model, and there is no file \S+/model\.mlmodel'),
    ('empty', MANIFEST, cut(0), NO_MODEL),
    ('cut', MANIFEST, cut(-3), NO_MODEL),
    ('no text', MANIFEST, lambda file: file.write_bytes(b'\xff\xfe\x00'), NO_MODEL),
    ('a list', MANIFEST, as_json([]), NO_MODEL),
    ('without entries', MANIFEST, as_json({}), NO_MODEL),
    ('an entry without a path', MANIFEST, as_json(manifest(None)), NO_MODEL),
    ('nested without end', MANIFEST, lambda file: file.write_text('[' * 100_000), NO_MODEL),
    ('another folder', MANIFEST, as_json(manifest('../Manifest.json')), ANOTHER_MODEL.format(r"'\.\./Manifest\.json'")),
    ('an absolute path', MANIFEST, as_json(manifest(__file__)), ANOTHER_MODEL.format(r"'/\S+'")),
    ('a device', MANIFEST, as_json(manifest('/dev/zero')), ANOTHER_MODEL.format("'/dev/zero'")),
    ('a name over two lines', MANIFEST, as_json(manifest('a\nb')), ANOTHER_MODEL.format(r"'a\\nb'")),
    ('gone', MANIFEST, Path.unlink, r'no file Manifest\.json in it; expected a \.mlpackage'),
    ('a pipe', MANIFEST, fifo, r'no file Manifest\.json in it; expected a \.mlpackage'),
]


@pytest.mark.parametrize(
    ('file', 'spoil', 'expected'),
    [pytest.param(file, spoil, text, id=f'{file.name} {name}') for name, file, spoil, text in SPOILT],
)
def test_a_spoilt_package_is_one_line_and_status_1(
    exported: Report,
    tmp_path: Path,
    file: Path,
    spoil: Spoil,
    expected: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    package = shutil.copytree(exported.artifact, tmp_path / 'd.mlpackage')
    spoil(package / file)
    assert call('verify', package, '--report', tmp_path / 'r.json') == 1
    assert re.search(expected, message(capsys))
    assert list(tmp_path.iterdir()) == [package]


@pytest.fixture(scope='module')
def other(make_detector: Callable[..., tuple[Path, Path]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package of another detector, of the same architecture."""
    folder = tmp_path_factory.mktemp('other')
    return export_tiny(make_detector(folder, to_rgb=False), folder / 'other.mlpackage').artifact


@pytest.mark.parametrize('file', [WEIGHTS, MODEL])
def test_a_part_of_another_package_is_told(
    exported: Report, other: Path, tmp_path: Path, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    package = shutil.copytree(exported.artifact, tmp_path / 'd.mlpackage')
    assert (other / WEIGHTS).stat().st_size == (package / WEIGHTS).stat().st_size  # so that its size says nothing
    shutil.copyfile(other / file, package / file)
    assert call('verify', package) == 1
    assert 'it was changed or damaged since its export wrote it' in message(capsys)


def test_others_may_read_a_package(exported: Report) -> None:
    modes = {path.stat().st_mode & 0o777 for path in exported.artifact.rglob('*') if path.is_file()}
    mask = os.umask(0)
    os.umask(mask)
    assert modes == {0o666 & ~mask}
    modes = {path.stat().st_mode & 0o777 for path in exported.artifact.rglob('*') if path.is_dir()}
    assert modes == {0o777 & ~mask}


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A temporary folder of its own, to see what is left in it."""
    folder = tmp_path / 'temporary'
    folder.mkdir()
    monkeypatch.setattr(tempfile, 'tempdir', str(folder))
    return folder


@pytest.mark.parametrize('place', ['the temporary folder', 'the package'])
def test_a_full_disk_leaves_the_old_package(
    place: str,
    detector: tuple[Path, Path],
    exported: Report,
    tmp_path: Path,
    temporary: Path,
    fill_disk: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    owner, name = (library, 'save') if place == 'the package' else (convert, 'to_program')
    step = getattr(owner, name)

    def without_room(*arguments: Any) -> Any:
        fill_disk()
        return step(*arguments)

    # Not earlier: the limit holds for every disk, and what comes before writes temporary files too.
    monkeypatch.setattr(owner, name, without_room)
    out = tmp_path / 'out' / 'd.mlpackage'
    shutil.copytree(exported.artifact, out)
    assert call('export', *detector, '--out', out) == 1
    if place == 'the package':
        expected = rf'error: {out}: cannot be written: File too large; make room there, or choose another path'
    else:
        expected = rf'error: temporary folder {temporary}: File too large; make room there, or name another: TMPDIR=\w+'
    assert re.fullmatch(expected, message(capsys))
    assert contents(out) == contents(exported.artifact)
    assert list(out.parent.iterdir()) == [out]
    assert list(temporary.iterdir()) == []


def test_any_name_is_fine(
    detector: tuple[Path, Path],
    tmp_path: Path,
    temporary: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    name = '~it\'s a {ü} & $HOME 100% "x"'
    folder = tmp_path / name
    folder.mkdir()
    for file, ending in zip(detector, ('.py', '.pth'), strict=True):
        shutil.copyfile(file, folder / f'{name}{ending}')
    monkeypatch.chdir(folder)
    out = f'./{name}.mlpackage/'
    assert call('export', f'{name}.py', f'{name}.pth', '--out', out, '--report', f'{name}.json') == 0
    lines = capsys.readouterr().out.splitlines()
    assert list(temporary.iterdir()) == []
    # The next command, as a shell reads it.
    command = lines[-1].removeprefix('next: ')
    assert shlex.split(command)[-1] == f'{name}.mlpackage'
    words = subprocess.run(
        ['sh', '-c', f'for word in {command}; do echo "$word"; done'], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert words == shlex.split(command)
    assert call(*words[-2:]) == 0
    assert words[-2] == 'verify'
    named = {f'{name}{ending}' for ending in ('.py', '.pth', '.json', '.mlpackage')}
    page = page_of(Path(f'{name}.mlpackage')).name
    assert {path.name for path in folder.iterdir()} == {*named, page}


@pytest.mark.parametrize(
    ('options', 'expected'),
    [
        (['--out', 'd.mlpackage/inner.mlpackage'], 'd.mlpackage/inner.mlpackage: lies in a package'),
        (['--out', 'd.mlpackage', '--report', 'd.mlpackage/r.json'], 'd.mlpackage/r.json: lies in a package'),
        (['--out', 'd.mlpackage', '--report', 'd.mlpackage'], 'd.mlpackage: named for two outputs'),
        (['--out', 'file/d.mlpackage'], r'file/d\.mlpackage: \S+/file is a file, not a folder; choose another path'),
        (
            ['--out', 'mine.mlpackage'],
            r'mine\.mlpackage: this folder is not a Core ML package written by mobileone_mm; move it',
        ),
        (['--out', 'file.mlpackage'], r'file\.mlpackage: a file stands there, and a folder is to be written'),
    ],
)
def test_a_wrong_place_is_refused_before_anything_is_loaded(
    options: list[str],
    expected: str,
    exported: Report,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(exported.artifact, 'd.mlpackage')
    Path('mine.mlpackage').mkdir()
    for name in ('file', 'file.mlpackage', 'mine.mlpackage/notes.txt'):
        Path(name).write_text('kept')
    before = contents(tmp_path)
    assert call('export', 'demo_ssd', 'none.pth', *options) == 2
    assert re.match(f'error: {expected}', message(capsys))
    assert contents(tmp_path) == before


@pytest.mark.skipif(os.geteuid() == 0, reason='root writes everywhere')
def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / 'locked'
    folder.mkdir(0o500)
    for out in (folder / 'd.mlpackage', folder / 'new/sub/d.mlpackage'):
        assert call('export', 'demo_ssd', 'none.pth', '--out', out) == 1
        assert re.fullmatch(r'error: .*: the folder \S+/locked is not writable; choose another path', message(capsys))


def test_a_package_is_verified_through_a_link(
    exported: Report, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / 'latest').symlink_to(exported.artifact)
    assert call('verify', f'{tmp_path}/latest/') == 0
    assert f'{tmp_path}/latest/: sound; ' in capsys.readouterr().out


def test_a_killed_process_says_nothing_and_harms_nothing(exported: Report, tmp_path: Path) -> None:
    """One real process, killed while it saves; benchmarks/killed_exports.py does so at any moment."""
    code = """
import os, signal
from mobileone_mm import cli
from mobileone_mm.commands.export import main
from mobileone_mm.targets.coreml import target
target.check_contract = lambda *parts: os.kill(os.getpid(), signal.SIGKILL)
raise SystemExit(cli.run(main))
"""
    out = shutil.copytree(exported.artifact, tmp_path / 'd.mlpackage')
    info = exported.info
    command = [sys.executable, '-c', code, info.config, info.checkpoint, '--out', str(out)]
    assert subprocess.run(command, capture_output=True, check=False).returncode == -9
    assert contents(out) == contents(exported.artifact)
    left = {path.name.split('.mlpackage')[0] for path in tmp_path.iterdir() if path != out}
    assert left == {'.d'}  # rooms and locks, hidden
    assert call('export', info.config, info.checkpoint, '--out', out) == 0
    assert {path.name for path in tmp_path.iterdir()} == {'d.mlpackage', 'd.mlpackage.report.html'}
