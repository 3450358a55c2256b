"""No output of any command is one of its inputs, or what no command of ours wrote: every option in turn."""

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from mobileone_mm import cli
from mobileone_mm.__main__ import VERBS, module_of
from mobileone_mm.outputs import fused_config_text, page_of

NEVER = 'is there already, and a config of yours is never replaced'  # what `init` says of anything
METADATA = b'\x0a\x13mobileone_mm.format\x12\x011'  # as protobuf stores the key
MANIFEST = {'rootModelIdentifier': 'a', 'itemInfoEntries': {'a': {'path': 'com.apple.CoreML/model.mlmodel'}}}

# Each option that names what is written, as typed: {out} is that, the other paths are inputs.
OPTIONS = {
    'export package': 'export config.py best.pth --image a.png --out {out}.mlpackage',
    'export onnx': 'export config.py best.pth --image a.png --out {out}.onnx',
    'export report': 'export config.py best.pth --image a.png --out new.mlpackage --report {out}.json',
    'export page': 'export config.py best.pth --image a.png --out {out:folder}/new.onnx',
    'fuse weights': 'fuse config.py best.pth --out {out}.pth',
    'fuse config': 'fuse config.py best.pth --out {out:stem}.pth',
    'fuse report': 'fuse config.py best.pth --out new.pth --report {out}.json',
    'convert': 'convert best.pth {out}.pth --to timm',
    'evaluate report': 'evaluate d.mlpackage config.py --checkpoint best.pth --report {out}.json',
    'evaluate page': 'evaluate d.mlpackage config.py --checkpoint best.pth --page {out}.html',
    'verify report': 'verify d.mlpackage --image a.png --report {out}.json',
    'predict': 'predict d.mlpackage photos --out {out} --compare config.py best.pth',
    'check': 'check config.py --out {out}',
    'check report': 'check config.py --report {out}.json',
    'robustness report': 'robustness config.py best.pth --imagenet photos --report {out}.json',
    'toy-data': 'toy-data {out}',
    'init': 'init {out}.py --classes cat,dog',
    'export by itself': 'export config.py best.pth --image a.png',
    'fuse by itself': 'fuse config.py best.pth',
    'check by itself': 'check config.py',
    'predict by itself': 'predict d.mlpackage photos --compare config.py best.pth',
    'demo': 'demo',
}
# Every argument of every command: what it names is written, by which of the options above, or it is none of that.
OUTPUTS: dict[str, dict[str, tuple[str, ...]]] = {
    'export': {'out': ('export package', 'export onnx', 'export page'), 'report': ('export report',)},
    'fuse': {'out': ('fuse weights', 'fuse config'), 'report': ('fuse report',)},
    'convert': {'destination': ('convert',)},
    'evaluate': {'report': ('evaluate report',), 'page': ('evaluate page',)},
    'verify': {'report': ('verify report',)},
    'predict': {'out': ('predict',)},
    'check': {'out': ('check',), 'report': ('check report',)},
    'robustness': {'report': ('robustness report',)},
    'toy-data': {'out': ('toy-data',)},
    'init': {'name': ('init',)},
    'train': {'work_dir': ()},  # mmengine writes there: tests/training/test_work_dir.py
    'test': {'work_dir': ()},
}
OTHERS: dict[str, set[str]] = {
    'export': {
        *('config', 'checkpoint', 'images', 'target', 'input_size', 'iou_threshold', 'confidence_threshold', 'map'),
        *('map_stride', 'logits', 'crop_inside', 'pad_classes', 'weights', 'precision', 'fp32_ops', 'nms', 'evaluate'),
        *('limit', 'keep_failed', 'config_wins'),
    },
    'fuse': {'config', 'checkpoint', 'config_wins'},
    'convert': {'source', 'to'},
    'evaluate': {'artifact', 'config', 'checkpoint', 'limit', 'config_wins'},
    'verify': {'artifact', 'images'},
    'predict': {'words', 'compare', 'score_threshold', 'iou_threshold', 'config_wins'},
    'check': {'config', 'samples', 'seed'},
    'robustness': {
        *('config', 'model', 'imagenet', 'imagenet_c', 'imagenet_a', 'imagenet_r', 'imagenet_sketch', 'corrupt'),
        *('corruptions', 'severities', 'limit', 'config_wins'),
    },
    'toy-data': {'masks', 'class_folders', 'images', 'val', 'size', 'seed'},
    'init': {
        *(
            'folder',
            'variant',
            'input_size',
            'template',
            'data',
            'classes',
            'images',
            'masks',
            'val_images',
            'val_masks',
        ),
        'ignore',
    },
    'train': {'config', 'weights', 'resume', 'amp', 'auto_scale_lr', 'no_check', 'cfg_options', 'plain'},
    'test': {'config', 'checkpoint', 'cfg_options', 'plain'},
    'demo': {'task'},
    'doctor': set(),
}
INPUTS = {
    'check': ('config.py',),
    'check report': ('config.py',),
    'check by itself': ('config.py',),
    'export package': ('config.py', 'best.pth', 'a.png'),
    'export onnx': ('config.py', 'best.pth', 'a.png'),
    'export report': ('config.py', 'best.pth', 'a.png'),
    'export page': ('config.py', 'best.pth', 'a.png'),
    'fuse weights': ('config.py', 'best.pth'),
    'fuse config': ('config.py', 'best.pth'),
    'fuse report': ('config.py', 'best.pth'),
    'convert': ('best.pth',),
    'evaluate report': ('d.mlpackage', 'config.py', 'best.pth'),
    'evaluate page': ('d.mlpackage', 'config.py', 'best.pth'),
    'verify report': ('d.mlpackage', 'a.png'),
    'predict': ('d.mlpackage', 'photos', 'photos/a.png', 'config.py', 'best.pth'),
    'robustness report': ('config.py', 'best.pth', 'photos'),
}
INPUTS['init'] = ()
for by_itself, named in (('export', 'export package'), ('fuse', 'fuse weights'), ('predict', 'predict')):
    INPUTS[f'{by_itself} by itself'] = INPUTS[named]
FIXED = {  # the names that are no choice of the user's
    'export page': str(page_of(Path('new.onnx'))),
    'export by itself': 'best.mlpackage',
    'fuse by itself': 'best_fused.pth',
    'check by itself': 'config_check',
    'predict by itself': 'd_predictions',
    'demo': 'demo',
}
FOLDERS = {  # with what a folder of the same option holds
    'predict': 'predictions',
    'predict by itself': 'predictions',
    'check': 'check',
    'check by itself': 'check',
    'toy-data': 'drawn shapes',
    'demo': 'demo',
}


def ending(option: str) -> str:
    found = re.search(r'\{out\}(\.\w+)', OPTIONS[option])
    return '.py' if option == 'fuse config' else found[1] if found else ''


def place(option: str, folder: Path) -> Path:
    """Where an option writes that is called as in `call`."""
    return folder / FIXED.get(option, f'out{ending(option)}')


def call(option: str) -> int:
    """Run a command in the current folder, what the option writes being out with its ending."""
    return run(*OPTIONS[option].format_map({'out': Out('out')}).split())


def run(verb: str, *words: str) -> int:
    return cli.run(import_module(module_of(verb)).main, words)


class Out(str):
    def __format__(self, spec: str) -> str:
        return {'folder': '.'}.get(spec, str(self))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with inputs that, were they no inputs, a tool might take for its own older outputs."""
    with zipfile.ZipFile(tmp_path / 'best.pth', 'w') as archive:
        archive.writestr('best/data.pkl', b'')
        archive.comment = b'written by mobileone_mm'
    (tmp_path / 'config.py').write_text(fused_config_text('model = dict()\n', tmp_path / 'best.pth'))
    for name in ('a.png', 'photos/a.png'):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b'\x89PNG')
    package(tmp_path / 'd.mlpackage')
    monkeypatch.chdir(tmp_path)
    return tmp_path


def package(path: Path, metadata: bytes = METADATA) -> None:
    (path / 'Data/com.apple.CoreML').mkdir(parents=True)
    (path / 'Manifest.json').write_text(json.dumps(MANIFEST))
    (path / 'Data/com.apple.CoreML/model.mlmodel').write_bytes(b'spec' + metadata)


def contents(folder: Path) -> dict[str, Any]:
    return {
        str(path.relative_to(folder)): (path.is_symlink(), path.read_bytes() if path.is_file() else None)
        for path in folder.rglob('*')
    }


def require_refused(option: str, folder: Path, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    before = contents(folder)
    assert call(option) == 2
    out, err = capsys.readouterr()
    assert (out, err.count('\n'), err[:7]) == ('', 1, 'error: ')
    assert re.search(message, err), err
    assert contents(folder) == before


@pytest.mark.parametrize('verb', VERBS)
def test_every_argument_is_in_the_tables_above(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    """An option that is new fails here until it is said whether it names what is written, and how it is guarded."""
    with pytest.raises(SystemExit):
        run(verb, '--help')
    capsys.readouterr()
    parser = cli._PARSER.get()
    assert parser is not None
    outputs = OUTPUTS.get(verb, {})
    assert {action.dest for action in parser._actions} - {'help', 'traceback'} == outputs.keys() | OTHERS[verb]
    assert not outputs.keys() & OTHERS[verb]
    assert {one for options in outputs.values() for one in options} <= OPTIONS.keys()


def symbolic(path: Path, target: Path) -> None:
    path.symlink_to(target)


def chain(path: Path, target: Path) -> None:
    (path.parent / 'middle').symlink_to(target)
    path.symlink_to('middle')


def hard(path: Path, target: Path) -> None:
    os.link(target, path)


@pytest.mark.parametrize(
    ('option', 'given', 'link'),
    [
        (option, given, link)
        for option, inputs in INPUTS.items()
        for given in inputs
        for link in (
            symbolic,
            chain,
            *((hard,) if '.' in given and given != 'd.mlpackage' else ()),
        )  # no folder has one
    ],
)
def test_an_input_is_never_an_output(
    option: str, given: str, link: Callable[[Path, Path], None], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    link(place(option, folder), folder / given)
    mixed = option in (
        *FOLDERS,
        'export package',
        'export by itself',
    )  # a folder is to be written, and a file may stand there
    require_refused(option, folder, rf'{given}.*is read|a file stands there' if mixed else 'which is read', capsys)


@pytest.mark.parametrize(
    ('words', 'message'),
    [
        ('verify d.mlpackage --report d.mlpackage', r'd\.mlpackage: would replace d\.mlpackage, which is read'),
        ('verify d.mlpackage --report d.mlpackage/Data/r.json', 'lies in a package'),
        ('verify link --report link/r.json', 'lies in a package'),
        ('evaluate d.mlpackage config.py --report best.pth', r'best\.pth: this file is not a report'),
        ('fuse config.py best.pth --out best.pth', r'best\.pth: would replace best\.pth, which is read'),
        ('fuse config.py best.pth --out config.pth', r'config\.py: would replace config\.py, which is read'),
        ('fuse config.py best.pth --out f.pth --report f.pth', r'f\.pth: named for two outputs'),
        ('fuse config.py best.pth --out f.pth --report ./f.py', r'f\.py: named for two outputs'),
        ('convert best.pth best.pth --to timm', r'best\.pth: would replace best\.pth, which is read'),
        ('export config.py best.pth --out new.onnx --report new.onnx', r'new\.onnx: named for two outputs'),
        (
            'export config.py best.pth --out new.onnx --report new.onnx.report.html',
            r'report\.html: named for two outputs',
        ),
        ('export config.py best.pth --out new.mlpackage --report new.mlpackage/r.json', 'new.mlpackage/r.json: '),
        (
            'export config.py best.pth --out new.onnx --report r.txt',
            "--report r.txt: ending '.txt' given, expected .json",
        ),
        ('verify d.mlpackage --report report', "--report report: ending '' given, expected .json"),
        ('check config.py --out new --report r.csv', "--report r.csv: ending '.csv' given, expected .json"),
        ('fuse config.py best.pth --out f.pth --report f.txt', "--report f.txt: ending '.txt' given, expected .json"),
        ('evaluate d.mlpackage config.py --report r.md', "--report r.md: ending '.md' given, expected .json"),
        ('evaluate d.mlpackage config.py --page p.htm', "--page p.htm: ending '.htm' given, expected .html"),
        ('evaluate d.mlpackage config.py --report r.json --page ./r.json', r'r\.json: named for two outputs'),
        ('predict d.mlpackage photos --out photos', 'photos: holds photos/a.png, which is read'),
        ('predict d.mlpackage a.png --out all', 'all: holds d.mlpackage, which is read'),
        ('predict d.mlpackage a.png --out d.mlpackage', r'd\.mlpackage: '),
        ('predict config.py best.pth a.png --out all', r'all: holds config\.py, which is read'),
    ],
)
def test_other_ways_to_lose_an_input(
    words: str, message: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / 'link').symlink_to('d.mlpackage')
    (folder / 'all').symlink_to(folder)
    before = contents(folder.parent)
    assert run(*words.split()) == 2
    out, err = capsys.readouterr()
    assert (out, err.count('\n'), err[:7]) == ('', 1, 'error: ')
    assert re.search(message, err), err
    assert contents(folder.parent) == before


FOREIGN = {
    'empty': b'',
    'text': b'precious',
    'JSON': b'{\n  "precious": {\n  "written_by": "mobileone_mm 1"}}',
    'a list': b'["written_by", "mobileone_mm 1"]',
    'a checkpoint of a training': b'PK\x03\x04 mobileone_mm.MobileOne X\x0c\x00\x00\x00mobileone_mm kind fused',
    'a page': b'<!DOCTYPE html><html><head><title>mobileone_mm</title></head><p>precious',
    'a config': b"model = dict(type='mobileone_mm.MobileOne')  # Written by mobileone_mm\n",
    'not UTF-8': bytes(range(256)),
}


@pytest.mark.parametrize('foreign', FOREIGN)
@pytest.mark.parametrize('option', OPTIONS)
def test_a_file_of_somebody_else_is_never_replaced(
    option: str, foreign: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place(option, folder).write_bytes(FOREIGN[foreign])
    require_refused(
        option, folder, f'this file is not|a file stands there, and a folder is to be written|{NEVER}', capsys
    )


def pictures(path: Path) -> None:
    (path / 'images/train').mkdir(parents=True)
    (path / 'images/train/000001.png').write_bytes(b'\x89PNG precious')


def notes(path: Path) -> None:
    path.mkdir()
    (path / 'notes.txt').write_text('precious')


def their_package(path: Path) -> None:
    package(path, b'somebody.else')


def package_and_notes(path: Path) -> None:
    package(path)
    (path / 'notes.txt').write_text('precious')


def their_marker(path: Path) -> None:
    notes(path)
    (path / '.mobileone_mm').write_text('my notes on mobileone_mm')


def only_folders(path: Path) -> None:
    (path / 'logs/old').mkdir(parents=True)


@pytest.mark.parametrize(
    'make',
    [pictures, notes, their_package, package_and_notes, their_marker, only_folders],
    ids=lambda one: one.__name__,
)
@pytest.mark.parametrize('option', OPTIONS)
def test_a_folder_of_somebody_else_is_never_touched(
    option: str, make: Callable[[Path], None], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make(place(option, folder))
    require_refused(
        option, folder, f'this folder is not|a folder stands there, and a file is to be written|{NEVER}', capsys
    )


@pytest.mark.parametrize('target', ['nowhere', 'nowhere/at/all', 'itself', 'file', 'folder'])
@pytest.mark.parametrize('option', OPTIONS)
def test_nothing_is_written_through_a_symbolic_link(
    option: str, target: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither is what it points to replaced, nor made where there is nothing yet."""
    (folder / 'file').write_text('precious')
    (folder / 'folder').mkdir()  # an empty one is replaced where it stands itself
    path = place(option, folder)
    path.symlink_to(path.name if target == 'itself' else target)
    require_refused(option, folder, rf'{path.name}: (this is a symbolic link.*; remove it, or |{NEVER})', capsys)


@pytest.mark.parametrize('option', [option for option in OPTIONS if '{out}' in OPTIONS[option]])
def test_nor_through_one_above_that_leads_nowhere(
    option: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, target in (('broken', 'nowhere'), ('loop', 'loop')):
        (folder / name).symlink_to(target)
        before = contents(folder)
        assert run(*OPTIONS[option].format_map({'out': Out(f'{name}/new/out')}).split()) == 2
        out, err = capsys.readouterr()
        assert (out, err.count('\n')) == ('', 1)
        assert re.search(rf'out\S*: \S*{name} is a symbolic link that leads nowhere; remove it, or choose ', err), err
        assert contents(folder) == before


@pytest.mark.parametrize('option', [option for option in OPTIONS if option != 'demo'])
def test_what_is_no_regular_file_is_never_replaced_nor_opened(
    option: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    os.mkfifo(place(option, folder))
    assert call(option) == 2
    assert re.search(f'stands there|{NEVER}', capsys.readouterr().err)
    assert place(option, folder).is_fifo()


@pytest.mark.parametrize(
    ('option', 'given'),
    [(option, given) for option, inputs in INPUTS.items() for given in inputs if not given.startswith('photos')],
)
def test_an_input_that_is_a_pipe_keeps_nobody_waiting(
    option: str, given: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = folder / given
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    os.mkfifo(path)
    before = contents(folder)
    assert call(option) in (1, 2)
    out, err = capsys.readouterr()
    assert (out, err.count('\n'), err[:7]) == ('', 1, 'error: ')
    assert f'{given}: no regular file' in err
    assert contents(folder) == before


@pytest.mark.parametrize('words', ['train config.py', 'test config.py best.pth', 'predict d.mlpackage a.png'])
def test_nor_does_one_where_nothing_is_written_or_a_picture(
    words: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = folder / ('a.png' if 'a.png' in words else 'config.py')
    path.unlink()
    os.mkfifo(path)
    assert run(*words.split()) == 1
    assert re.search(r'no regular file|no such file', capsys.readouterr().err)


def test_a_package_under_a_name_that_is_no_text_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = os.fsdecode(b'b\xe4r.mlpackage')
    assert run('export', 'config.py', 'best.pth', '--out', out) == 2
    assert 'this name is no UTF-8, and coremltools writes no other; choose another path' in capsys.readouterr().err


def test_a_picture_put_into_the_folder_of_predictions_stays(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / 'out').mkdir()
    (folder / 'out/.mobileone_mm').write_text('mobileone_mm: predictions\n')
    for name in ('a.jpg', 'predictions.json'):
        (folder / 'out' / name).write_bytes(b'\xff\xd8\xff\xe0 precious')
        require_refused('predict', folder, rf'out/{name}: this file is not ', capsys)
        (folder / 'out' / name).unlink()


def test_a_folder_of_another_tool_is_not_ones_own(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for what in ('predictions', 'drawn shapes', 'demo'):
        for option in FOLDERS:
            theirs = place(option, folder)
            theirs.mkdir()
            (theirs / '.mobileone_mm').write_text(f'mobileone_mm: {what}\n')
            if FOLDERS[option] != what:
                require_refused(option, folder, 'this folder is not ', capsys)
            shutil.rmtree(theirs)


def test_a_refusal_loads_nothing_heavy(folder: Path) -> None:
    for option in OPTIONS:
        if option in FOLDERS and not place(option, folder).exists():
            notes(place(option, folder))
        elif option not in FOLDERS:
            place(option, folder).write_text('precious')
    code = f"""
import runpy, sys
sys.modules.update(dict.fromkeys(('torch', 'mmengine', 'mmdet', 'coremltools', 'onnx')))
names = runpy.run_path({__file__!r})
print([option for option in names['OPTIONS'] if names['call'](option) != 2])
"""
    # In a process of its own: conftest.py imports torch. A module that is None cannot be imported.
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, '[]\n'), done.stderr


WAIT = 'wait until that has ended, or choose another path\n'
HOLDER = """
import sys, time
from mobileone_mm.locks import holding, take
with holding():
    for path in sys.argv[1:]:
        take(path)
    print('held', flush=True)
    time.sleep(600)
"""


@pytest.fixture
def held_by(folder: Path) -> Iterator[int]:
    """The number of a process that writes whatever an option of any command may write."""
    paths = [*(place(option, folder) for option in OPTIONS), folder / 'work']
    command = [sys.executable, '-c', HOLDER, *map(str, paths)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == 'held\n'
        yield process.pid
        process.kill()


def test_what_another_process_is_writing_is_refused(
    held_by: int, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = contents(folder)
    for option in OPTIONS:
        assert call(option) == 2, option
        out, err = capsys.readouterr()
        assert out == ''
        assert re.fullmatch(rf'error: \S+: process {held_by} is writing it; {WAIT}', err)
    (folder / 'train.py').write_text("default_scope = 'mmdet'\nmodel = dict(type='a')\n")
    assert run('train', 'train.py', '--work-dir', 'work') == 2
    assert f'error: work: process {held_by} is writing it; {WAIT}' in capsys.readouterr().err
    (folder / 'train.py').unlink()
    assert contents(folder) == before
